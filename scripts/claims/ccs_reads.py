"""What is read off cells of coexisting networks; gains are paired by seed, in percent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from scripts.claims.ccs_cells import UNSEEN, name_of
from scripts.claims.claim import Column, Numbers, Played

_COLUMNS = {"PRR": "prr", "EPN [mJ]": "epn_mj", "ATP": "atp", "PDR": "pdr", "overlap": "overlap", "Jain": "jain"}


def columns(study: str) -> tuple[Column, ...]:
    """KPIs of every cell, and its gain."""
    return tuple(
        Column(name, lambda cell, numbers, read=read: numbers[cell].extra[read])  # type: ignore[misc]
        for name, read in _COLUMNS.items()
    ) + (Column("gain in PRR [%]", partial(gain_of_cell, study)),)


def pooled(name: str) -> Callable[..., list[float]]:
    """A measure by vendor: the mean over seeds and kinds of learners, whose cells come vendor by vendor."""

    def read(*played: Played) -> list[float]:
        size = len(played) // len(UNSEEN)
        parts = [played[first : first + size] for first in range(0, len(played), size)]
        return [mean([value for each in part for value in each.extra[name]]) for part in parts]

    return read


def mean(values: Sequence[float]) -> float:
    """Of values that there are."""
    return sum(values) / len(values)


def paired(name: str, sign: float, played: Sequence[Played]) -> list[list[float]]:
    """By how much the first half of the cells is better than the second, by cell and seed. percent"""
    half = len(played) // 2
    return [
        [sign * 100.0 * (a / b - 1.0) for a, b in zip(one.extra[name], other.extra[name], strict=True)]
        for one, other in zip(played[:half], played[half:], strict=True)
    ]


def gain(name: str, sign: float) -> Callable[..., list[float]]:
    """The mean gain over seeds of every vendor, which is what the interval of the table is over. percent"""
    return lambda *played: [mean(gains) for gains in paired(name, sign, played)]


def share_of_optimum(*played: Played) -> list[float]:
    """Of what the optimum gains over independent learners on the same seeds, by vendor, in percent.

    Cells: ccs by vendor, independent by vendor, optimum.
    """
    half, shares = len(played) // 2, []
    best = sum(played[-1].extra["prr"])
    for one, other in zip(played[:half], played[half:-1], strict=True):
        ours, alone = sum(one.extra["prr"]), sum(other.extra["prr"])
        shares.append(100.0 * (ours - alone) / (best - alone) if best > alone else math.nan)
    return shares


def least_network(*played: Played, networks: int) -> list[float]:
    """The least of all vendors' and networks' mean gains over seeds. percent"""
    means = [mean(gains) for s in range(networks) for gains in paired(f"prr_{s}", 1.0, played)]
    return [min(means)]


def worst_network(*played: Played, networks: int) -> list[float]:
    """The least gain of any network, vendor and seed. percent"""
    gains = [gain for s in range(networks) for own in paired(f"prr_{s}", 1.0, played) for gain in own]
    return [min(gains)]


def gain_of_cell(study: str, cell: str, numbers: Numbers) -> list[float]:
    """In PRR over independent learners of the same vendor, or of the first one."""
    _, regime, way = cell.split("/")
    vendor = way.rpartition("-")[2]
    name = name_of(study, regime, "independent", int(vendor) if vendor.isdigit() else UNSEEN[0])
    return paired("prr", 1.0, (numbers[cell], numbers[name]))[0] if name in numbers else []
