"""Tables of documents about the regimes of Table 1, from played cells, and how all tables write numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from scripts.runs.report import markdown, with_interval
from scripts.runs.statistics import estimate
from scripts.studies.ccs.cells import MOVE_EVERY, REGIMES, UNSEEN, WITHOUT_VENDOR, name_of
from scripts.studies.ccs.readings import (
    KPIS,
    PAPER,
    gain,
    least_network,
    pair,
    pooled,
    settling,
    share_of_optimum,
    worst_network,
)
from scripts.studies.claim import Results

Table = Callable[[Results], str]
"""A table in Markdown, from played cells."""

PRINTED = ("PP", "PPPP", "DLP")
"""Regimes that the CCS paper has numbers for."""

COMPARED = {
    "independent-all": "independent, indicator that sees other networks, too",
    "random-residual": "random residual of the same norm",
    "averaging": "parameter averaging",
    "static-partition": "good channels shared out at the start (`static-partition`)",
    "hopping-partition": "all channels shared out, every attempt hops (`hopping-partition`)",
    "ranked-partition": "shared out again whenever interference moves (`ranked-partition`)",
    "hopping": "any channel for every attempt (`hopping`)",
    "optimum": "`optimum`",
}
"""How tables name the labels that the service is compared with."""


def short(value: float) -> str:
    """Returns a share as text, such as `.731`."""
    return f"{value:.3f}".removeprefix("0")


def rounded(value: float) -> str:
    """Returns a number without decimals; a dash where it is not known."""
    return f"{value:.0f}" if np.isfinite(value) else "-"


def with_half(values: ArrayLike) -> str:
    """Returns the mean and the half width of its confidence interval, to one decimal."""
    mean = estimate(values)
    return f"{mean.mean:.1f} ± {(mean.ci_high - mean.ci_low) / 2.0:.1f}"


def title_of(regime: str) -> str:
    """Returns how tables name a regime: `2 P` for PP, `D + L + P` for DLP."""
    return f"{len(regime)} {regime[0]}" if len(set(regime)) == 1 else " + ".join(regime)


def read(
    numbers: Results,
    study: str,
    regime: str,
    label: str,
    at: str = "",
    of: str = "prr",
    vendors: Sequence[int] = UNSEEN,
) -> float:
    """Returns a measure of a label, mean over seeds and, where there are several cells, over vendors."""
    names = [name_of(study, regime, label, v, at) for v in ((None,) if label in WITHOUT_VENDOR else vendors)]
    return float(np.mean([numbers[name].extra[of] for name in names]))


def gains(study: str, more: Sequence[str] = (), *, paper: bool = False) -> Table:
    """Returns the table of what the service gains in every regime.

    Args:
        study: One of Table 1's.
        more: Further columns, by their names in `MORE`.
        paper: Whether the last column has the paper's gains.
    """
    header = ["", "independent, PRR", "overlap", "with the service, PRR", "overlap",
              *(f"gain in {kpi} [%]" for kpi in ("PRR", "EPN", "ATP")), "share of `optimum` [%]",
              *(MORE[name][0] for name in more), *(["paper's gains"] if paper else [])]  # fmt: skip

    def table(numbers: Results) -> str:
        return markdown(header, [_gains(numbers, study, regime, more, paper=paper) for regime in REGIMES])

    return table


def _gains(numbers: Results, study: str, regime: str, more: Sequence[str], *, paper: bool) -> list[str]:
    line, played = [title_of(regime)], [numbers[name] for name in pair(study, regime)]
    for label in ("independent", "ccs"):
        line += [short(read(numbers, study, regime, label)), f"{read(numbers, study, regime, label, of='overlap'):.2f}"]
    line += [with_half(gain(name, sign)(*played)) for name, sign in KPIS.items()]
    line.append(rounded(float(np.mean(share_of_optimum(*played, numbers[name_of(study, regime, "optimum", None)])))))
    line += [MORE[name][1](numbers, study, regime) for name in more]
    return line + ([", ".join(map(str, PAPER[len(regime)])) if regime in PRINTED else ""] if paper else [])


def _settled(label: str, *, moving: bool) -> Callable[[Results, str, str], str]:
    reads = [settling(MOVE_EVERY), settling(MOVE_EVERY, after_moves=True)] if moving else [settling()]

    def text(numbers: Results, study: str, regime: str) -> str:
        played = [numbers[name_of(study, regime, label, vendor)] for vendor in UNSEEN]
        return "; ".join(rounded(float(np.mean(settles(*played)))) for settles in reads)

    return text


def _extreme(of: Callable[..., list[float]]) -> Callable[[Results, str, str], str]:
    def text(numbers: Results, study: str, regime: str) -> str:
        return f"{of(*(numbers[name] for name in pair(study, regime)), networks=len(regime))[0]:.1f}"

    return text


MORE = {
    **{
        f"{name} {label}": (f"settled, {text}", _settled(label, moving=name != "settled"))
        for name in ("settled", "settled, moving")
        for label, text in (("independent", "independent"), ("ccs", "with the service"))
    },
    "least": ("least network [%]", _extreme(least_network)),
    "worst": ("worst network and seed [%]", _extreme(worst_network)),
}


def strategies(study: str) -> Table:
    """Returns the table of the PRR of what the service is compared with, by regime."""

    def table(numbers: Results) -> str:
        lines = []
        for label, text in COMPARED.items():
            lines.append([text, *(short(read(numbers, study, regime, label)) for regime in REGIMES)])
        return markdown(["PRR", *map(title_of, REGIMES)], lines)

    return table


def vendors(study: str) -> Table:
    """Returns the table of what the service gains with every vendor's policies."""
    header = ["networks", "vendor", "independent, PRR", "with the service", "gain [%]", "EPN [mJ]", "with the service",
              "ATP", "with the service"]  # fmt: skip

    def table(numbers: Results) -> str:
        lines = []
        for regime in REGIMES:
            for vendor in UNSEEN:
                ours, alone = (numbers[name_of(study, regime, label, vendor)] for label in ("ccs", "independent"))
                both = {name: (alone.extra[name], ours.extra[name]) for name in KPIS}
                columns = [*both["prr"], gain("prr", 1.0)(ours, alone)[0], *both["epn_mj"], *both["atp"]]
                lines.append([title_of(regime), str(vendor), *(with_interval(estimate(column)) for column in columns)])
        return markdown(header, lines)

    return table


def pooled_by_size(numbers: Results, study: str) -> str:
    """Returns the table of the PRR of two and of four equal learners, over kinds, vendors and seeds."""
    lines = []
    for size in (2, 4):
        names = [name_of(study, letter * size, "ccs", vendor) for vendor in UNSEEN for letter in "PD"]
        prr = estimate(pooled("prr")(*(numbers[name] for name in names)))
        lines.append([str(size), f"{short(prr.mean)} ± {short((prr.ci_high - prr.ci_low) / 2.0)}"])
    return markdown(["equal learners", "PRR with the service"], lines)
