"""Claims that studies of coexisting networks share: what the service gains, beside what the CCS paper prints.

What is read off cells of coexisting networks; gains are paired by seed, in percent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.studies.ccs.cells import LEGACY, UNSEEN, name_of
from scripts.studies.claim import CellResult, Claim, Column, Results

_COLUMNS = {"PRR": "prr", "EPN [mJ]": "epn_mj", "ATP": "atp", "PDR": "pdr", "overlap": "overlap",
            "switches": "switches", "Jain": "jain"}  # fmt: skip
ANSWERS = {"acknowledged": "acknowledged", "gateways send": "downlinks"}
"""Columns where acknowledgements are downlinks: shares of attempts, and of the gateways' time."""

ROUND = 5
"""Intervals that a network is watched for until it counts as settled."""


def columns(study: str, more: Mapping[str, str] | None = None) -> tuple[Column, ...]:
    """KPIs of every cell, `more` of them by title, and its gain."""
    return tuple(
        Column(name, lambda cell, numbers, read=read: numbers[cell].extra[read])  # type: ignore[misc]
        for name, read in (_COLUMNS | dict(more or {})).items()
    ) + (Column("gain in PRR [%]", partial(gain_of_cell, study)),)


def reading(name: str) -> Callable[[CellResult], list[float]]:
    """A measure of a cell, by seed."""
    return lambda played: played.extra[name]


def pooled(name: str) -> Callable[..., NDArray[np.float64]]:
    """A measure by vendor and seed: the mean over kinds of learners, whose cells come vendor by vendor."""

    def read(*played: CellResult) -> NDArray[np.float64]:
        values = np.array([each.extra[name] for each in played])
        return values.reshape(len(UNSEEN), -1, values.shape[-1]).mean(axis=1)

    return read


def mean(values: Sequence[float]) -> float:
    """Of values that there are."""
    return sum(values) / len(values)


def paired(name: str, sign: float, played: Sequence[CellResult]) -> list[list[float]]:
    """By how much the first half of the cells is better than the second, by cell and seed. percent"""
    half = len(played) // 2
    return [
        [sign * 100.0 * (a / b - 1.0) for a, b in zip(one.extra[name], other.extra[name], strict=True)]
        for one, other in zip(played[:half], played[half:], strict=True)
    ]


def gain(name: str, sign: float) -> Callable[..., NDArray[np.float64]]:
    """Gains by vendor and seed, both of which are chance. percent"""
    return lambda *played: np.array(paired(name, sign, played))


def share_of_optimum(*played: CellResult) -> list[float]:
    """Of what the optimum gains over independent learners on the same seeds, by vendor, in percent.

    Cells: ccs by vendor, independent by vendor, optimum.
    """
    half, shares = len(played) // 2, []
    best = sum(played[-1].extra["prr"])
    for one, other in zip(played[:half], played[half:-1], strict=True):
        ours, alone = sum(one.extra["prr"]), sum(other.extra["prr"])
        shares.append(100.0 * (ours - alone) / (best - alone) if best > alone else math.nan)
    return shares


def least_network(*played: CellResult, networks: int) -> list[float]:
    """The least of all vendors' and networks' mean gains over seeds. percent"""
    means = [mean(gains) for s in range(networks) for gains in paired(f"prr_{s}", 1.0, played)]
    return [min(means)]


def worst_network(*played: CellResult, networks: int) -> list[float]:
    """The least gain of any network, vendor and seed. percent"""
    gains = [gain for s in range(networks) for own in paired(f"prr_{s}", 1.0, played) for gain in own]
    return [min(gains)]


def gain_of_cell(study: str, cell: str, numbers: Results) -> list[float]:
    """In PRR over independent learners of the same vendor, or of the first one."""
    _, regime, way = cell.split("/")
    vendor = way.rpartition("-")[2]
    name = name_of(study, regime, "independent", int(vendor) if vendor in map(str, UNSEEN) else UNSEEN[0])
    return paired("prr", 1.0, (numbers[cell], numbers[name]))[0] if name in numbers else []


def settling(until: int | None = None, *, after_moves: bool = False) -> Callable[..., list[float]]:
    """How many intervals a way takes to settle, by cell; see `settled`.

    Args:
        until: How long the stretches are after each of which interference moves; None: it never does.
        after_moves: From a move on, in the mean over all of them; else from the start on.
    """

    def of(played: CellResult) -> float:
        prr = np.mean([[row["prr"] for row in curve] for curve in played.curves], axis=0)
        whole = len(prr) if until is None else until
        if not after_moves:
            return settled(prr[:whole])
        stretches = len(prr) // whole
        return (
            settled(prr[: stretches * whole].reshape(stretches, whole)[1:].mean(axis=0)) if stretches > 1 else math.nan
        )

    return lambda *played: [of(each) for each in played]


def settled(prr: NDArray[np.float64], within: float = 0.01) -> float:
    """From which interval on the mean over `ROUND` intervals is within a point of the mean of the second half.

    Args:
        prr: Mean over seeds, by interval. `[T]`
        within: What a point is.

    Returns:
        Intervals before the first such five; nan: there are none.
    """
    if len(prr) < ROUND:
        return math.nan
    means = np.convolve(prr, np.full(ROUND, 1.0 / ROUND), mode="valid")
    near = np.abs(means - prr[len(prr) // 2 :].mean()) <= within
    return float(near.argmax()) if near.any() else math.nan


OURS = "our target"
PAPER = {2: (20, 10, 15), 4: (10, 8, 10), 3: (5, 5, 5)}
"""Gains that the paper prints for two, four and mixed networks: PRR, EPN, ATP; its air is not published."""

KPIS = {"prr": 1.0, "epn_mj": -1.0, "atp": -1.0}
"""And whether more of it is better."""


def pair(study: str, regime: str, at: str = "", vendors: Sequence[int] = UNSEEN) -> tuple[str, ...]:
    """Cells of the service by vendor, then those of independent learners."""
    return tuple(name_of(study, regime, way, v, at) for way in ("ccs", "independent") for v in vendors)


def reported(name: str, cells: tuple[str, ...], read: Callable[..., ArrayLike], note: str = "") -> Claim:
    """A number without a band."""
    return Claim(name, cells, read, -math.inf, math.inf, None, note)


def gains(study: str, regime: str) -> list[Claim]:
    """What the service gains: the CCS paper, Table 1; beside legacy also the learners alone, and what spills over."""
    names = pair(study, regime)
    paper = PAPER[len(regime)]
    claims = [
        Claim(f"{study}/{regime}/ccs/gain_{name}", names, gain(name, sign), -math.inf, math.inf, float(printed),
              "the paper's air is not published")
        for (name, sign), printed in zip(KPIS.items(), paper, strict=True)
    ]  # fmt: skip
    best = (*names, name_of(study, regime, "optimum", None))
    claims.append(reported(f"{study}/{regime}/ccs/share_of_optimum", best, share_of_optimum))
    return claims + (spill_over(study, regime) if set(regime) & set(LEGACY) else direct(study, regime))


def direct(study: str, regime: str) -> list[Claim]:
    """What residuals gain that are optimised for the very networks, a second reference, with the first vendor."""
    names = tuple(name_of(study, regime, way, UNSEEN[0]) for way in ("direct", "independent"))
    best = (*names, name_of(study, regime, "optimum", None))
    return [
        reported(f"{study}/{regime}/direct/gain_prr", names, gain("prr", 1.0)),
        reported(f"{study}/{regime}/direct/share_of_optimum", best, share_of_optimum),
    ]


def spill_over(study: str, regime: str, at: str = "") -> list[Claim]:
    """What learners and legacy networks gain when the service coordinates the learners.

    A legacy network that sends on any channel at random meets the same load whatever the others agree on.
    """
    place = f"{study}/{regime}{at and f'@{at}'}/ccs"
    return [
        reported(f"{place}/{who}_gain_{name}", pair(study, regime, at), gain(f"{who}_{name}", sign))
        for who in ("learning", "legacy")
        for name, sign in KPIS.items()
    ]


def harmless(study: str, regime: str, low: float = -math.inf, at: str = "") -> list[Claim]:
    """What the network that gains least gains in the mean over seeds, and the worst network and seed."""
    names, place = pair(study, regime, at), f"{study}/{regime}{at and f'@{at}'}/ccs"
    least = partial(least_network, networks=len(regime))
    worst = partial(worst_network, networks=len(regime))
    return [
        Claim(f"{place}/least_network", names, least, low, math.inf, None, OURS if math.isfinite(low) else ""),
        reported(f"{place}/worst_network_and_seed", names, worst),
    ]
