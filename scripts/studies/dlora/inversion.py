"""D-LoRa's journal paper, inverted channels (Tables IV and V, Fig. 7 and 8), and bandits that recover faster."""

from __future__ import annotations

from functools import partial

from scripts.runs.metrics import recovery_time_h
from scripts.studies.claim import OUR_TARGET, RESIMULATED, Cell, CellResult, Claim, Study, metric_claim
from scripts.studies.dlora.plots import draw_change

CHANGE_H = 1000.0
"""When the channels are inverted. h"""

DLORA_RECOVERY_H = 55.0
"""Time that D-LoRa takes to recover, by an independent simulation of the authors' rules. h"""
_FIT = "c: 2, xi: 1, eta: 1.8, prior: 1, indicator: pm1, sf_weight: xor"
_RECOVERY_COLUMNS = ("time_h", "sent", "delivered")
_DEGRADED = f"printed as degraded for good; {RESIMULATED}"
OURS = ("discounted-cucb", "window-cucb", "restarting-cucb")


def studies() -> list[Study]:
    """The studies `inversion` and `recovery`."""
    return [_inversion(), _recovery()]


def _cell(study: str, learner: str) -> Cell:
    """A learner on the inverted channels, with the parameters that fit the paper's numbers."""
    changes = ["interval_h=1"]
    if learner != "cucb":
        changes.append(f"learners.{learner}={{parameters: {{{_FIT}}}}}")
    return Cell(f"{study}/{learner}", "inversion.yaml", learner, tuple(changes))


def _inversion() -> Study:
    """D-LoRa and CD-LoRa before and after the inversion, as the paper reports them."""
    dlora, cdlora = _cell("inversion", "cucb"), _cell("inversion", "cd-lora")
    claims = (
        metric_claim(dlora, "pdr_percent", (88.3, 0.6), 89, "printed as 88 to 90", until_h=CHANGE_H),
        metric_claim(dlora, "ee_bits_per_mj", (110, 15), 105, until_h=CHANGE_H),
        metric_claim(dlora, "pdr_percent", (76, 3), 76, until_h=CHANGE_H + 1, last_h=1),
        metric_claim(dlora, "pdr_percent", (87.5, 1), 87.5, "printed as 85 to 90", until_h=CHANGE_H + 200, last_h=10),
        metric_claim(cdlora, "pdr_percent", (89.7, 1), None, RESIMULATED, until_h=CHANGE_H),
        metric_claim(cdlora, "ee_bits_per_mj", (78.9, 12), None, RESIMULATED, until_h=CHANGE_H),
        metric_claim(
            cdlora,
            "pdr_percent",
            (82, 1.5),
            None,
            _DEGRADED,
            until_h=CHANGE_H + 200,
        ),
        metric_claim(
            cdlora,
            "ee_bits_per_mj",
            (64.1, 10),
            None,
            _DEGRADED,
            until_h=CHANGE_H + 200,
        ),
    )
    draw = partial(draw_change, title="journal paper, Fig. 7 and 8: inverted channels", change_h=CHANGE_H)
    title = "journal paper, Tables IV and V, Fig. 7 and 8: channels inverted after 1,000 h"
    return Study("inversion", title, (dlora, cdlora), claims, draw)


def _recovery() -> Study:
    """Returns the study of how fast D-LoRa and the bandits for changing air recover, and of their loss in still air."""
    dlora = _cell("recovery", "cucb")
    ours = {name: _cell("recovery", name) for name in OURS}
    fast = ours["restarting-cucb"]
    pair = (fast.name, dlora.name)
    claims = [
        Claim("recovery/cucb/hours", (dlora.name,), recovery_h, 35, 75, None, RESIMULATED),
        Claim("recovery/restarting-cucb/hours", (fast.name,), recovery_h, 0, DLORA_RECOVERY_H / 5, None, OUR_TARGET),
        Claim("recovery/restarting-cucb/still_pdr_points", pair, _still_pdr_points, -0.3, 5, None, OUR_TARGET),
        Claim("recovery/restarting-cucb/still_ee_percent", pair, _still_ee_percent, -5, 50, None, OUR_TARGET),
    ]
    claims += [
        Claim(f"recovery/{name}/hours", (ours[name].name,), recovery_h, 0, 3, None, RESIMULATED)
        for name in ("discounted-cucb",)
    ]
    draw = partial(draw_change, title="CUCB that forgets, against D-LoRa", change_h=CHANGE_H)
    title = "beyond the papers: bandits for changing air on the inverted channels"
    return Study("recovery", title, (dlora, *ours.values()), tuple(claims), draw)


def recovery_h(result: CellResult) -> list[float]:
    """Hours from the inversion until PDR is back where it was, by seed; see `scripts.runs.metrics.recovery_time_h`."""
    curves = ({name: [row[name] for row in curve] for name in _RECOVERY_COLUMNS} for curve in result.curves)
    return [recovery_time_h(**columns, change_h=CHANGE_H) for columns in curves]  # type: ignore[arg-type]


def _still_pdr_points(ours: CellResult, dlora: CellResult) -> list[float]:
    """Difference in PDR to D-LoRa before anything changes, by seed, in points."""
    pairs = zip(ours.values("pdr_percent", CHANGE_H), dlora.values("pdr_percent", CHANGE_H), strict=True)
    return [our_pdr - dlora_pdr for our_pdr, dlora_pdr in pairs]


def _still_ee_percent(ours: CellResult, dlora: CellResult) -> list[float]:
    """Difference in EE to D-LoRa before anything changes, by seed, in percent."""
    pairs = zip(ours.values("ee_bits_per_mj", CHANGE_H), dlora.values("ee_bits_per_mj", CHANGE_H), strict=True)
    return [100 * (our_ee / dlora_ee - 1) for our_ee, dlora_ee in pairs]
