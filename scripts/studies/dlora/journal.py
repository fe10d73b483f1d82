"""D-LoRa's journal paper, stationary network: Fig. 2 to 6, the trivial references, and the effect of single rules."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from scripts.studies.claim import FROM_TEXT, RESIMULATED, Cell, CellResult, Claim, Results, Study, metric_claim
from scripts.studies.dlora.plots import draw_convergence, draw_shares, draw_sweep

NODES, RADII_M = (50, 100, 150, 200, 250), (1000, 1500, 2000, 2500, 3000)
LEARNERS = ("cucb", "cd-lora", "ucb1", "mix-mab", "random")
COLUMNS = ("pdr_percent", "ee_bits_per_mj")
_PACKETS_PER_H = 180


def studies() -> list[Study]:
    """The studies `fig2`, `fig3b`, `fig4`, `fig5`, `fig6`, `references` and `physics`."""
    return [_fig2(), _fig3b(), _fig4(), _fig5(), _fig6(), _references(), _physics()]


def cell(study: str, learner: str, nodes: int = 100, radius_m: int = 1000, hours: int = 500) -> Cell:
    """A learner on the stationary network under the rules that fit the paper's numbers best."""
    changes = [f"scenario.topology.nodes={nodes}", f"scenario.topology.radius_m={radius_m}", f"duration_h={hours}"]
    changes.append(_learner(learner, hours))
    suffix = {"fig2": f"-{nodes}", "fig4": f"-{radius_m}"}.get(study, "")
    return Cell(
        f"{study}/{learner}{suffix}", "journal_fit.yaml", learner, tuple(change for change in changes if change)
    )


def _learner(learner: str, hours: int) -> str:
    """The override that adds a learner with the parameters of the fit."""
    parameters = {
        "cucb": "",
        "cd-lora": "{parameters: {c: 2, xi: 1, eta: 1.8, prior: 1, indicator: pm1, sf_weight: xor}}",
        "mix-mab": f"{{parameters: {{horizon: {hours * _PACKETS_PER_H}}}}}",
    }.get(learner, "{}")
    return f"learners.{learner}={parameters}" if parameters else ""


def _fig2() -> Study:
    """PDR and EE over the number of nodes."""
    cells = {(learner, nodes): cell("fig2", learner, nodes) for learner in LEARNERS for nodes in NODES}
    paper: dict[str, dict[int, dict[str, float]]] = {
        "cucb": {50: {"ee_bits_per_mj": 70}, 100: {"pdr_percent": 89, "ee_bits_per_mj": 74}},
        "cd-lora": {50: {"ee_bits_per_mj": 78}, 100: {"ee_bits_per_mj": 78}},
        "ucb1": {50: {"ee_bits_per_mj": 27}, 100: {"ee_bits_per_mj": 27}},
        "mix-mab": {50: {"ee_bits_per_mj": 34}, 100: {"ee_bits_per_mj": 31}},
    }
    claims = (
        metric_claim(cells["cucb", 50], "pdr_percent", (92.2, 0.6), None, RESIMULATED),
        metric_claim(cells["cucb", 50], "ee_bits_per_mj", (66, 6), 70),
        metric_claim(cells["cucb", 100], "pdr_percent", (89.5, 0.6), 89, "printed as 88 to 90"),
        metric_claim(cells["cucb", 100], "ee_bits_per_mj", (68, 6), 74),
        metric_claim(cells["cucb", 250], "pdr_percent", (71.8, 1), None, RESIMULATED),
        metric_claim(cells["cd-lora", 50], "ee_bits_per_mj", (76.3, 6), 78),
        metric_claim(cells["cd-lora", 100], "ee_bits_per_mj", (72.2, 6), 78),
        metric_claim(cells["ucb1", 100], "pdr_percent", (89.7, 0.6), None, RESIMULATED),
        metric_claim(cells["ucb1", 100], "ee_bits_per_mj", (34.7, 6), 35, "printed as 35 near 400 h and 27 at 2,000 h"),
        metric_claim(cells["mix-mab", 50], "ee_bits_per_mj", (38.2, 6), 34),
        metric_claim(cells["random", 50], "pdr_percent", (84.8, 0.5), None, RESIMULATED),
        metric_claim(cells["random", 100], "pdr_percent", (79.3, 0.5), None, RESIMULATED),
        metric_claim(cells["random", 100], "ee_bits_per_mj", (45.3, 1), None, RESIMULATED),
        metric_claim(cells["random", 250], "pdr_percent", (55.5, 0.5), None, RESIMULATED),
        _fall("fig2/cucb/pdr_fall_percent", cells["cucb", 50], cells["cucb", 250], (20, 24), 21.6, relative=True),
    )
    draw = partial(_draw_sweep, title="journal paper, Fig. 2", axis="nodes", paper=paper)
    return Study("fig2", "journal paper, Fig. 2: 50 to 250 nodes", tuple(cells.values()), claims, draw)


def _fig3b() -> Study:
    """Use of spreading factors."""
    dlora = Cell("fig3b/cucb", "journal_fit.yaml", "cucb", ("scenario.topology.nodes=200", "duration_h=500"))
    largest = Claim(
        "fig3b/cucb/largest_sf_share_percent", (dlora.name,), _largest_sf_share, 16.7, 40,
        None, f"printed as balanced; {FROM_TEXT}: no spreading factor above 40 %",
    )  # fmt: skip
    draw = partial(draw_shares, title="journal paper, Fig. 3(b): 200 nodes", prefix="sent_sf")
    return Study("fig3b", "journal paper, Fig. 3(b): spreading factors of 200 nodes", (dlora,), (largest,), draw)


def _fig4() -> Study:
    """PDR and EE over the radius."""
    cells = {(learner, radius): cell("fig4", learner, radius_m=radius) for learner in LEARNERS for radius in RADII_M}
    paper: dict[str, dict[int, dict[str, float]]] = {
        "cucb": {1000: {"ee_bits_per_mj": 74}},
        "cd-lora": {1000: {"ee_bits_per_mj": 78}},
        "ucb1": {1000: {"ee_bits_per_mj": 27}},
        "mix-mab": {1000: {"ee_bits_per_mj": 31}},
    }
    resimulated = {1500: (88.3, 30.1), 2000: (85.4, 19.7), 2500: (82.9, 16.2), 3000: (78.5, 13.7)}
    claims = [
        metric_claim(cells["cucb", r], "pdr_percent", (pdr, 1), None, RESIMULATED)
        for r, (pdr, _) in resimulated.items()
    ]
    claims += [
        metric_claim(cells["cucb", r], "ee_bits_per_mj", (ee, 0.15 * ee), None, RESIMULATED)
        for r, (_, ee) in resimulated.items()
    ]
    for learner, band, paper_points in (
        ("random", (24, 30), 26.6), ("cucb", (0, 15), None), ("cd-lora", (0, 15), None), ("ucb1", (0, 15), None),
    ):  # fmt: skip
        name = f"fig4/{learner}/pdr_fall_points"
        claims.append(_fall(name, cells[learner, 1000], cells[learner, 3000], band, paper_points, relative=False))
    far = (cells["random", 3000].name, cells["cucb", 3000].name)
    claims.append(
        Claim(
            "fig4/random_over_cucb/ee_at_3000m",
            far,
            _ee_ratio,
            1,
            4,
            None,
            f"{FROM_TEXT}: D-LoRa's EE is below Random's",
        )
    )
    draw = partial(_draw_sweep, title="journal paper, Fig. 4", axis="radius [m]", paper=paper)
    return Study("fig4", "journal paper, Fig. 4: radius 1,000 to 3,000 m", tuple(cells.values()), tuple(claims), draw)


def _fig5() -> Study:
    """Use of powers."""
    naive, dlora = cell("fig5", "ucb1", hours=2000), cell("fig5", "cucb", hours=2000)
    claims = (
        metric_claim(
            naive, "sent_tp14dbm", (75, 25), 50, "printed as more than half of the nodes; here: of the packets"
        ),
        metric_claim(dlora, "sent_tp14dbm", (5, 5), None, f"{FROM_TEXT}: D-LoRa uses lower powers"),
    )
    draw = partial(draw_shares, title="journal paper, Fig. 5: 100 nodes, 1,000 m", prefix="sent_tp")
    return Study("fig5", "journal paper, Fig. 5: powers of D-LoRa and NaiveMAB", (naive, dlora), claims, draw)


def _fig6() -> Study:
    """PDR and EE over time."""
    cells = {learner: cell("fig6", learner, hours=2000) for learner in ("cucb", "cd-lora", "ucb1", "mix-mab")}
    dlora, naive, mix = cells["cucb"], cells["ucb1"], cells["mix-mab"]
    claims = (
        metric_claim(dlora, "pdr_percent", (89.5, 1), 90, until_h=400),
        metric_claim(dlora, "pdr_percent", (90.3, 1), 89, "printed as 88 to 90"),
        metric_claim(dlora, "ee_bits_per_mj", (72.5, 6), 74, "printed as above 70"),
        metric_claim(naive, "pdr_percent", (92.1, 1), None, RESIMULATED),
        metric_claim(naive, "ee_bits_per_mj", (27.2, 3), 27),
        metric_claim(mix, "pdr_percent", (82.5, 2.5), 82.5, "printed as 80 to 85; the original rule gave 89 at 800 h"),
    )
    draw = partial(draw_convergence, title="journal paper, Fig. 6: 100 nodes, 1,000 m")
    return Study("fig6", "journal paper, Fig. 6: convergence over 2,000 h", tuple(cells.values()), claims, draw)


def _references() -> Study:
    """Two rules without learning."""
    sf7, quantile = cell("references", "static-sf7"), cell("references", "distance-quantile")
    claims = (
        metric_claim(sf7, "pdr_percent", (86.2, 0.5), None, RESIMULATED),
        metric_claim(sf7, "ee_bits_per_mj", (141, 2.8), None, RESIMULATED),
        metric_claim(quantile, "pdr_percent", (93.8, 0.5), None, RESIMULATED),
        metric_claim(quantile, "ee_bits_per_mj", (49, 1), None, RESIMULATED),
    )
    return Study("references", "two rules without learning on the journal network", (sf7, quantile), claims)


def _physics() -> Study:
    """D-LoRa under default physics, and with the rewards as printed."""
    printed = "learners.cucb.parameters.indicator=indicator01"
    cells = {
        Cell("physics/default-pm1", "default.yaml", "cucb"): (86.7, 147),
        Cell("physics/default-indicator01", "default.yaml", "cucb", (printed,)): (77.5, 270),
        Cell("physics/journal_fit-indicator01", "journal_fit.yaml", "cucb", (printed,)): (79.5, 118),
    }
    claims = [metric_claim(cell, "pdr_percent", (pdr, 0.6), None, RESIMULATED) for cell, (pdr, _) in cells.items()]
    claims += [
        metric_claim(cell, "ee_bits_per_mj", (ee, 0.1 * ee), None, RESIMULATED) for cell, (_, ee) in cells.items()
    ]
    return Study(
        "physics", "default physics, and rewards as printed: what each rule is worth", tuple(cells), tuple(claims)
    )


def _fall(name: str, near: Cell, far: Cell, band: tuple[float, float], paper: float | None, *, relative: bool) -> Claim:
    """The claim that PDR falls from one cell to another by points, or percent if relative, in a band."""

    def read(near_result: CellResult, far_result: CellResult) -> list[float]:
        pairs = zip(near_result.values("pdr_percent"), far_result.values("pdr_percent"), strict=True)
        return [(near_pdr - far_pdr) * (100 / near_pdr if relative else 1) for near_pdr, far_pdr in pairs]

    note = "" if paper else f"{FROM_TEXT}: less than 15 %, read as points"
    return Claim(name, (near.name, far.name), read, *band, paper, note)


def _ee_ratio(first: CellResult, second: CellResult) -> list[float]:
    """EE of the first cell over that of the second, by seed."""
    pairs = zip(first.values("ee_bits_per_mj"), second.values("ee_bits_per_mj"), strict=True)
    return [first_ee / second_ee for first_ee, second_ee in pairs]


def _largest_sf_share(result: CellResult) -> list[float]:
    """Share of packets at the spreading factor that is used most, by seed, in percent."""
    shares = [result.values(f"sent_sf{sf}") for sf in range(7, 13)]
    return [max(by_sf) for by_sf in zip(*shares, strict=True)]


def _draw_sweep(
    path: Path, numbers: Results, *, title: str, axis: str, paper: dict[str, dict[int, dict[str, float]]]
) -> None:
    draw_sweep(path, title, axis, COLUMNS, numbers, paper)
