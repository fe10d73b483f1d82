"""MMALoRa's networks (Fig. 4 and 6 to 8): attention critics beside planners and bounds, on identical networks.

Every seed is a network of its own (nodes and gateways), the same for all labels. `maac` learns from the gated marginal
contribution, `maac-printed` from Eq. (23) without masks. EE is the sum over nodes (Eq. 14) by the closed form; `joint`
and `packets` evaluate the same allocation by the refined closed form and by packets. The reference of shares is
`energy-ascent` (LS) on the same channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from scripts.studies.claim import OUR_TARGET, RESIMULATED, Cell, CellResult, Claim, Column, Results, Study
from scripts.studies.mmalora.plots import draw_bars, draw_convergence, draw_lines, draw_networks

LS = "energy-ascent"
"""The reference: coordinate ascent, called LS in tables."""

PLANNERS = ("rcst", "adr-mean", "adr-max", "distance-sf", "ef-lora", "independent", "table-bandit", "energy-ascent")
DELIVERIES = (0.7, 0.6, 0.5)
NODES = (60, 80, 100, 120, 140, 160)
GATEWAYS = (1, 2, 3, 4)
LEVELS = (2, 3, 4, 7, 10, 19)
_PRINTED = ("energy.reward=printed", "energy.masks=false", "energy.episodes=16")


def studies() -> list[Study]:
    """The studies `mmalora-methods`, `-literal`, `-attention`, `-nodes`, `-gateways`, `-powers` and `-heavy`s."""
    return [
        _methods(), _literal(), _attention(), _nodes(), _gateways(), _powers(), _heavy(160), _heavy(1000),
    ]  # fmt: skip


def _cell(name: str, changes: Sequence[str] = (), config: str = "mmalora.yaml") -> Cell:
    """The cell of a label, the last part of the name; `maac-printed` is `maac` with the printed reward."""
    label = name.rpartition("/")[2]
    more = _PRINTED if label == "maac-printed" else ()
    return Cell(name, config, "maac" if label.startswith("maac") else label, (*changes, *more))


def _methods() -> Study:
    """Fig. 4 and 7 at 160 nodes and three gateways: all methods at three delivery thresholds."""
    study = "mmalora-methods"
    cells: dict[str, Cell] = {}
    for least in DELIVERIES:
        for label in ("maac", "maac-printed", *PLANNERS):
            cells[f"{least}/{label}"] = _cell(f"{study}/{least}/{label}", (f"energy.least_delivery={least}",))
    claims = []
    for least, reached in ((0.7, 0.99), (0.5, 0.98)):
        pair = (cells[f"{least}/maac"].name, cells[f"{least}/{LS}"].name)
        claims.append(
            Claim(f"{study}/{least}/maac/median_share_of_LS", pair, median_share, reached, 1.01, None, OUR_TARGET)
        )
        alone = (cells[f"{least}/maac"].name,)
        claims.append(Claim(f"{study}/{least}/maac/violations", alone, last("violations"), -0.1, 0.1, None, OUR_TARGET))
        cpu_s = Claim(
            f"{study}/{least}/maac/cpu_s", alone, lambda result: result.extra["cpu_s"], 0.0, 60.0, None, OUR_TARGET
        )
        claims.append(cpu_s)
    for least, pdr, paper in ((0.7, 82, 80), (0.6, 77, 75), (0.5, 73, 70)):
        alone = (cells[f"{least}/maac-printed"].name,)
        read = last("pdr", 100.0)
        claims.append(Claim(f"{study}/{least}/maac-printed/pdr", alone, read, pdr - 2, pdr + 2, paper, RESIMULATED))
    ls_and_bound = (cells[f"0.7/{LS}"].name,)
    claims.append(
        Claim(f"{study}/0.7/{LS}/share_of_bound", ls_and_bound, last("share_of_bound"), 0.995, 1.0, None, OUR_TARGET)
    )
    for label, low in (("maac", 0.99), ("maac-printed", -math.inf)):
        names = [cells[f"0.7/{method}"].name for method in ("rcst", "ef-lora", "adr-max", label)]
        note = "RCST < EF-LoRa < ADR < MMALoRa: share of networks"
        claims.append(Claim(f"{study}/0.7/{label}/order", tuple(names), in_order, low, abs(low) + 0.02, 1.0, note))
    draw = partial(draw_networks, study=study, shown=("maac", LS), config="mmalora.yaml")
    title = "MMALoRa, Fig. 4 and 7: 160 nodes, three gateways, all methods"
    return Study(study, title, tuple(cells.values()), tuple(claims), draw, columns())


def _literal() -> Study:
    """Table III as printed, on the nodes of one channel; all four channels would take half an hour a seed."""
    study = "mmalora-literal"
    cells = {label: _cell(f"{study}/{label}", _one_channel(nodes=40), "mmalora_literal.yaml") for label in ("maac", LS)}
    name, reference = cells["maac"].name, cells[LS].name
    claims = (
        Claim(f"{name}/share_of_LS", (name, reference), share, 0.75, 1.0, None, RESIMULATED),
        Claim(f"{name}/violations", (name,), last("violations"), -0.1, 1.1, None, RESIMULATED),
        Claim(f"{name}/pdr", (name,), last("pdr", 100.0), 80.0, 84.0, 80.0, RESIMULATED),
    )
    title = "MMALoRa with Table III as printed, Eq. (23), no masks (40 nodes of one channel, three gateways)"
    return Study(study, title, tuple(cells.values()), claims, partial(draw_convergence, study=study), columns())


def _one_channel(nodes: int) -> tuple[str, ...]:
    """Changes of a configuration that leave one channel of a network, with its share of the nodes."""
    return (f"scenario.topology.nodes={nodes}", "scenario.region.channels_hz=[868.1e6]")


def _attention() -> Study:
    """Fig. 6: heads, and attention against a plain mean, on the nodes of one channel of 80 and of 160; two gateways."""
    study, cells, claims = "mmalora-attention", [], []
    for group, (changes, variants) in _FIG_6.items():
        names = {variant: f"{study}/{group}/{variant}" for variant in variants}
        for variant, name in names.items():
            parameters = f"learners.maac.parameters={{capacity: 4000{_VARIANTS[variant]}}}"
            fixed = ("scenario.topology.gateways=2", *changes, parameters)
            cells.append(Cell(name, "mmalora.yaml", "maac", fixed))
            if _PRINTED_25[-1] in changes:
                claims.append(Claim(f"{name}/settled_after", (name,), settled, 0, 20, 50, _SETTLED))
            if variant != _FIRST:
                pair = (name, names[_FIRST])
                claims.append(Claim(f"{name}/ee_over_{_FIRST}", pair, share, -math.inf, math.inf))
    title = "MMALoRa, Fig. 6: convergence, heads, uniform attention (nodes of one channel, two gateways)"
    return Study(study, title, tuple(cells), tuple(claims), partial(draw_convergence, study=study), columns())


_FIRST = "2 heads"
_VARIANTS = {_FIRST: "", "uniform": ", attention: uniform", "1 head": ", heads: 1", "4 heads": ", heads: 4"}
_PRINTED_25 = (*_PRINTED[:2], "energy.episodes=25")
_FIG_6 = {
    "Eq. (23), 20 nodes": ((*_one_channel(20), *_PRINTED_25), (_FIRST, "uniform")),
    "Eq. (23), 40 nodes": ((*_one_channel(40), *_PRINTED_25), tuple(_VARIANTS)),
    "marginal, 40 nodes": (_one_channel(40), tuple(_VARIANTS)),
}
"""Changes and variants by group of cells; 25 episodes, since five networks of all cells take 12 CPU minutes."""
_SETTLED = "episodes after which EE stays within 2 % of its mean over the last five"


def _nodes() -> Study:
    """Fig. 7 by number of nodes; attention critics at three of these numbers."""
    study = "mmalora-nodes"
    cells = [
        _cell(f"{study}/{nodes}/{label}", (f"scenario.topology.nodes={nodes}",))
        for nodes in NODES
        for label in (*(("maac",) if nodes in (60, 100, 160) else ()), *PLANNERS)
    ]
    claims = tuple(
        Claim(f"{study}/{nodes}/maac/median_share_of_LS", (f"{study}/{nodes}/maac", f"{study}/{nodes}/{LS}"),
              median_share, 0.97, 1.01, None, OUR_TARGET)
        for nodes in (60, 100, 160)
    )  # fmt: skip
    draw = partial(draw_lines, study=study, over=NODES, axis="nodes")
    return Study(study, "MMALoRa, Fig. 7: by number of nodes", tuple(cells), claims, draw, columns())


def _gateways() -> Study:
    """Fig. 8: EE and delivery by number of gateways, with which they should rise."""
    study = "mmalora-gateways"
    changes = {k: ("scenario.topology.nodes=140", f"scenario.topology.gateways={k}") for k in GATEWAYS}
    cells = [_cell(f"{study}/{k}/{label}", changes[k]) for k in GATEWAYS for label in ("maac", *PLANNERS)]
    names = tuple(f"{study}/{k}/maac" for k in GATEWAYS)
    note = "from one gateway to four"
    claims = tuple(
        Claim(f"{study}/maac/{column}_rises", names, partial(rises, column=column), 0.99, 1.01, 1.0, note)
        for column in ("ee_bits_per_mj", "pdr")
    )
    draw = partial(draw_lines, study=study, over=GATEWAYS, axis="gateways")
    return Study(study, "MMALoRa, Fig. 8: by number of gateways", tuple(cells), claims, draw, columns())


def _powers() -> Study:
    """The best EE by number of power levels J; from four levels on it should rise."""
    study = "mmalora-powers"
    listed = {levels: list(range(2, 21, 18 // (levels - 1))) for levels in LEVELS}
    cells = tuple(_cell(f"{study}/{levels}/{LS}", (f"scenario.region.tp_dbm={listed[levels]}",)) for levels in LEVELS)
    rising_ee = partial(rises, column="ee_bits_per_mj")
    rising = Claim(
        f"{study}/ee_rises", tuple(cell.name for cell in cells[2:]), rising_ee, 0.99, 1.01, None, RESIMULATED
    )
    draw = partial(draw_lines, study=study, over=LEVELS, axis="powers")
    return Study(study, "MMALoRa: best EE over the number of powers", cells, (rising,), draw, columns())


def _heavy(nodes: int) -> Study:
    """Heavier load: fewer violations than independent choice, and EE within 2 % of LS where violations are no more."""
    study, config = f"mmalora-heavy-{nodes}", f"mmalora_heavy_{nodes}.yaml"
    cells = {label: _cell(f"{study}/{label}", (), config) for label in ("maac", *PLANNERS)}
    claims = []
    for judge in ("expect", "joint", "packets"):
        fewer = 0.0 if judge == "packets" else -0.1  # packets excuse two standard errors, so that there may be none
        for against, high in (("independent", fewer), (LS, math.inf)):
            pair = (cells["maac"].name, cells[against].name)
            read = partial(more_violations, judge=judge)
            claims.append(
                Claim(f"{study}/violations_{judge}_over_{against}", pair, read, -math.inf, high, None, OUR_TARGET)
            )
        pair = (cells["maac"].name, cells[LS].name)
        read = partial(share_if_feasible, judge=judge)
        claims.append(Claim(f"{study}/share_of_LS_{judge}", pair, read, 0.98, 1.02, None, OUR_TARGET))
    title = f"heavier load: {nodes} nodes, a packet every 200 s"
    return Study(study, title, tuple(cells.values()), tuple(claims), partial(draw_bars, study=study), columns())


def last(column: str, factor: float = 1.0) -> Callable[[CellResult], list[float]]:
    """A reading: a column of the last episode times a factor, by seed."""
    return lambda result: [factor * curve[-1][column] for curve in result.curves]


def share(ours: CellResult, reference: CellResult) -> list[float]:
    """EE over that of the reference on the same network, by seed."""
    pairs = zip(last("ee_bits_per_mj")(ours), last("ee_bits_per_mj")(reference), strict=True)
    return [ee / reference_ee for ee, reference_ee in pairs]


def median_share(ours: CellResult, reference: CellResult) -> list[float]:
    """Median of `share` over seeds, as one value."""
    return [float(np.median(share(ours, reference)))]


def in_order(*results: CellResult) -> list[float]:
    """1 for every seed whose EE rises in the order of the cells, else 0."""
    values = np.array([last("ee_bits_per_mj")(result) for result in results])
    return (np.diff(values, axis=0) > 0).all(axis=0).astype(float).tolist()


def rises(*results: CellResult, column: str) -> list[float]:
    """1 if the mean of a column over seeds rises from cell to cell, else 0; as one value."""
    means = [np.mean(last(column)(result)) for result in results]
    return [float((np.diff(means) > 0).all())]


def settled(result: CellResult) -> list[float]:
    """Episodes after which EE stays within 2 % of its mean over the last five, by seed."""
    episodes = []
    for curve in result.curves:
        ee = np.array([row["ee_bits_per_mj"] for row in curve])
        outside = np.flatnonzero(np.abs(ee / ee[-5:].mean() - 1.0) > 0.02)
        episodes.append(float(outside[-1] + 1) if len(outside) else 0.0)
    return episodes


def more_violations(ours: CellResult, reference: CellResult, *, judge: str) -> list[float]:
    """Violations beyond those of the reference on the same network, by seed.

    Args:
        ours, reference: Results of two labels on the same networks.
        judge: `expect` (closed form), `joint` (refined closed form) or `packets`.
    """
    pairs = zip(ours.extra[f"violations_{judge}"], reference.extra[f"violations_{judge}"], strict=True)
    return [violations - reference_violations for violations, reference_violations in pairs]


def share_if_feasible(ours: CellResult, reference: CellResult, *, judge: str) -> list[float]:
    """EE over the reference's, on the networks with no more violations than the reference has.

    Args:
        ours, reference, judge: As in `more_violations`.

    Returns:
        One value for each such network; nan where there is none.
    """
    more = more_violations(ours, reference, judge=judge)
    rows = zip(ours.extra[f"ee_{judge}"], reference.extra[f"ee_{judge}"], more, strict=True)
    return [ee / reference_ee for ee, reference_ee, beyond in rows if beyond <= 0] or [math.nan]


def columns() -> tuple[Column, ...]:
    """Columns of the table of labels: EE, delivery and violations by three judges."""

    def extra(name: str, factor: float = 1.0) -> Callable[[str, Results], list[float]]:
        return lambda cell, numbers: [factor * value for value in numbers[cell].extra[name]]

    def share_of_reference(cell: str, numbers: Results) -> list[float]:
        reference = numbers.get(f"{cell.rpartition('/')[0]}/{LS}")
        return [math.nan] if reference is None else [100 * value for value in share(numbers[cell], reference)]

    return (
        Column("EE [bits/mJ]", extra("ee_expect")),
        Column("share of LS [%]", share_of_reference),
        Column("share of UB [%]", lambda cell, numbers: last("share_of_bound", 100.0)(numbers[cell])),
        Column("mean PDR [%]", extra("pdr_expect", 100.0)),
        Column("violations", extra("violations_expect")),
        Column("violations, joint", extra("violations_joint")),
        Column("EE, packets", extra("ee_packets")),
        Column("violations, packets", extra("violations_packets")),
        Column("mean PDR, packets [%]", extra("pdr_packets", 100.0)),
        Column("CPU [s per network]", lambda cell, numbers: numbers[cell].extra.get("cpu_s", [math.nan])),
    )
