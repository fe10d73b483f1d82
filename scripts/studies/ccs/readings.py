"""Numbers read off cells of coexisting networks, and claims that studies share; gains are paired by seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.studies.ccs.cells import UNSEEN, has_non_learning, name_of
from scripts.studies.claim import OUR_TARGET, CellResult, Claim, Column, Results

_COLUMNS = {"PRR": "prr", "EPN [mJ]": "epn_mj", "ATP": "atp", "PDR": "pdr", "overlap": "overlap",
            "switches": "switches", "Jain": "jain"}  # fmt: skip
ANSWERS = {"acknowledged": "acknowledged", "gateways send": "downlinks"}
"""Further columns where acknowledgements are downlinks: shares of attempts, and of the gateways' time."""

SETTLING = 5
"""Intervals in a row whose mean must be near the final one for a network to count as settled."""


def columns(study: str, more: Mapping[str, str] | None = None) -> tuple[Column, ...]:
    """Returns the columns of a study's table: KPIs of every cell, further measures by title (`more`), and its gain."""
    return tuple(
        Column(name, lambda cell, numbers, read=read: numbers[cell].extra[read])  # type: ignore[misc]
        for name, read in (_COLUMNS | dict(more or {})).items()
    ) + (Column("gain in PRR [%]", partial(gain_of_cell, study)),)


def reading(name: str) -> Callable[[CellResult], list[float]]:
    """Returns a reading: a measure of a cell, by seed."""
    return lambda played: played.extra[name]


def pooled(name: str) -> Callable[..., NDArray[np.float64]]:
    """Returns a reading: a measure by vendor and seed, mean over kinds of learners; cells come vendor by vendor."""

    def read(*played: CellResult) -> NDArray[np.float64]:
        values = np.array([cell.extra[name] for cell in played])
        return values.reshape(len(UNSEEN), -1, values.shape[-1]).mean(axis=1)

    return read


def mean(values: Sequence[float]) -> float:
    """Returns the mean of at least one value."""
    return sum(values) / len(values)


def paired(name: str, sign: float, played: Sequence[CellResult]) -> list[list[float]]:
    """Returns how much better the first half of the cells is than the second, by cell and seed. percent

    Args:
        name: A measure.
        sign: 1 if more of it is better, else -1.
        played: Cells, then as many that they are compared with.
    """
    half = len(played) // 2
    return [
        [sign * 100.0 * (a / b - 1.0) for a, b in zip(one.extra[name], other.extra[name], strict=True)]
        for one, other in zip(played[:half], played[half:], strict=True)
    ]


def gain(name: str, sign: float) -> Callable[..., NDArray[np.float64]]:
    """Returns a reading: gains by vendor and seed, both treated as random effects. percent"""
    return lambda *played: np.array(paired(name, sign, played))


def share_of_optimum(*played: CellResult) -> list[float]:
    """Returns the gain over independent learners as a share of what the optimum gains, by vendor. percent

    Args:
        played: `ccs` by vendor, `independent` by vendor, then `optimum`, all on the same seeds.
    """
    half, shares = len(played) // 2, []
    best = sum(played[-1].extra["prr"])
    for coordinated, independent in zip(played[:half], played[half:-1], strict=True):
        ours, alone = sum(coordinated.extra["prr"]), sum(independent.extra["prr"])
        shares.append(100.0 * (ours - alone) / (best - alone) if best > alone else math.nan)
    return shares


def least_network(*played: CellResult, networks: int) -> list[float]:
    """Returns the least gain of any network and vendor, each the mean over seeds. percent"""
    means = [mean(gains) for s in range(networks) for gains in paired(f"prr_{s}", 1.0, played)]
    return [min(means)]


def worst_network(*played: CellResult, networks: int) -> list[float]:
    """Returns the least gain of any network, vendor and seed. percent"""
    gains = [gain for s in range(networks) for by_seed in paired(f"prr_{s}", 1.0, played) for gain in by_seed]
    return [min(gains)]


def gain_of_cell(study: str, cell: str, numbers: Results) -> list[float]:
    """Returns the gain in PRR over independent learners of the same vendor, or of the first one, by seed. percent"""
    _, regime, label = cell.split("/")
    vendor = label.rpartition("-")[2]
    name = name_of(study, regime, "independent", int(vendor) if vendor in map(str, UNSEEN) else UNSEEN[0])
    return paired("prr", 1.0, (numbers[cell], numbers[name]))[0] if name in numbers else []


def settling(until: int | None = None, *, after_moves: bool = False) -> Callable[..., list[float]]:
    """Returns a reading: how many intervals networks take to settle, by cell; see `settled`.

    Args:
        until: Intervals between two moves of interference; None: it never moves.
        after_moves: Count from a move on, on the mean over all moves; else from the start on.
    """

    def intervals(played: CellResult) -> float:
        prr = np.mean([[row["prr"] for row in curve] for curve in played.curves], axis=0)
        whole = len(prr) if until is None else until
        if not after_moves:
            return settled(prr[:whole])
        moves = len(prr) // whole
        return settled(prr[: moves * whole].reshape(moves, whole)[1:].mean(axis=0)) if moves > 1 else math.nan

    return lambda *played: [intervals(cell) for cell in played]


def settled(prr: NDArray[np.float64], within: float = 0.01) -> float:
    """Returns from which interval on the mean over `SETTLING` intervals is within a point of that of the second half.

    Args:
        prr: Mean over seeds, by interval. `[T]`
        within: What a point is.

    Returns:
        Intervals before the first such five; nan: there are none.
    """
    if len(prr) < SETTLING:
        return math.nan
    means = np.convolve(prr, np.full(SETTLING, 1.0 / SETTLING), mode="valid")
    near = np.abs(means - prr[len(prr) // 2 :].mean()) <= within
    return float(near.argmax()) if near.any() else math.nan


PAPER = {2: (20, 10, 15), 4: (10, 8, 10), 3: (5, 5, 5)}
"""Gains that the paper prints for two, four and mixed networks: PRR, EPN, ATP; its air is not published."""

KPIS = {"prr": 1.0, "epn_mj": -1.0, "atp": -1.0}
"""KPIs that gains are given of; 1 if more of it is better, else -1."""


def pair(study: str, regime: str, at: str = "", vendors: Sequence[int] = UNSEEN) -> tuple[str, ...]:
    """Returns the names of the cells of the service by vendor, then of those of independent learners."""
    return tuple(name_of(study, regime, label, v, at) for label in ("ccs", "independent") for v in vendors)


def reported(name: str, cells: tuple[str, ...], read: Callable[..., ArrayLike], note: str = "") -> Claim:
    """Returns a claim without a band: a number that is only reported."""
    return Claim(name, cells, read, -math.inf, math.inf, None, note)


def gains(study: str, regime: str) -> list[Claim]:
    """Returns claims of what the service gains, beside Table 1 of the CCS paper.

    Where some networks do not learn, the gains of learners and of the others are further claims; elsewhere those of
    `direct` are.
    """
    names, paper = pair(study, regime), PAPER[len(regime)]
    claims = [
        Claim(f"{study}/{regime}/ccs/gain_{name}", names, gain(name, sign), -math.inf, math.inf, float(printed),
              "the paper's air is not published")
        for (name, sign), printed in zip(KPIS.items(), paper, strict=True)
    ]  # fmt: skip
    best = (*names, name_of(study, regime, "optimum", None))
    claims.append(reported(f"{study}/{regime}/ccs/share_of_optimum", best, share_of_optimum))
    return claims + (spill_over(study, regime) if has_non_learning(regime) else direct(study, regime))


def direct(study: str, regime: str) -> list[Claim]:
    """Returns claims of what residuals gain that are optimised for the very networks, with the first vendor."""
    names = tuple(name_of(study, regime, label, UNSEEN[0]) for label in ("direct", "independent"))
    best = (*names, name_of(study, regime, "optimum", None))
    return [
        reported(f"{study}/{regime}/direct/gain_prr", names, gain("prr", 1.0)),
        reported(f"{study}/{regime}/direct/share_of_optimum", best, share_of_optimum),
    ]


def spill_over(study: str, regime: str, at: str = "") -> list[Claim]:
    """Returns claims of what learners and other networks gain when the service coordinates the learners.

    A network that sends on any channel at random meets the same load whatever the others agree on. The names of its
    measures begin with `legacy`, as they are stored.
    """
    place = f"{study}/{regime}{at and f'@{at}'}/ccs"
    return [
        reported(f"{place}/{part}_gain_{name}", pair(study, regime, at), gain(f"{part}_{name}", sign))
        for part in ("learning", "legacy")
        for name, sign in KPIS.items()
    ]


def harmless(study: str, regime: str, low: float = -math.inf, at: str = "") -> list[Claim]:
    """Returns claims of the least gain of a network in the mean over seeds, and of the worst network and seed."""
    names, place = pair(study, regime, at), f"{study}/{regime}{at and f'@{at}'}/ccs"
    least = partial(least_network, networks=len(regime))
    worst = partial(worst_network, networks=len(regime))
    return [
        Claim(f"{place}/least_network", names, least, low, math.inf, None, OUR_TARGET if math.isfinite(low) else ""),
        reported(f"{place}/worst_network_and_seed", names, worst),
    ]
