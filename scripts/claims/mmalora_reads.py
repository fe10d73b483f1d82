"""What MMALoRa's studies read off their cells, always from the same network: a seed has one for all labels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from scripts.claims.claim import Column, Numbers, Played

LS = "energy-ascent"


def last(column: str, factor: float = 1.0) -> Callable[[Played], list[float]]:
    """A column of the last episode."""
    return lambda played: [factor * curve[-1][column] for curve in played.curves]


def share(ours: Played, reference: Played) -> list[float]:
    """EE over LS on the same networks."""
    pairs = zip(last("ee_bits_per_mj")(ours), last("ee_bits_per_mj")(reference), strict=True)
    return [own / best for own, best in pairs]


def median_share(ours: Played, reference: Played) -> list[float]:
    """Median over seeds of `share`, as one value."""
    return [float(np.median(share(ours, reference)))]


def in_order(*played: Played) -> list[float]:
    """1 for every seed whose EE rises in the order of the cells."""
    values = np.array([last("ee_bits_per_mj")(each) for each in played])
    return (np.diff(values, axis=0) > 0).all(axis=0).astype(float).tolist()


def rises(*played: Played, column: str) -> list[float]:
    """1 if the mean over seeds rises from cell to cell."""
    means = [np.mean(last(column)(each)) for each in played]
    return [float((np.diff(means) > 0).all())]


def settled(played: Played) -> list[float]:
    """Episodes after which EE stays within 2 % of its mean over the last five."""
    found = []
    for curve in played.curves:
        ee = np.array([row["ee_bits_per_mj"] for row in curve])
        away = np.flatnonzero(np.abs(ee / ee[-5:].mean() - 1.0) > 0.02)
        found.append(float(away[-1] + 1) if len(away) else 0.0)
    return found


def more_violations(ours: Played, theirs: Played, *, judge: str) -> list[float]:
    """Violations by a judge, less the other's on the same network."""
    pairs = zip(ours.extra[f"violations_{judge}"], theirs.extra[f"violations_{judge}"], strict=True)
    return [own - other for own, other in pairs]


def share_if_feasible(ours: Played, reference: Played, *, judge: str) -> list[float]:
    """EE by a judge over the reference's, of networks on which there are no more violations than it has."""
    more = more_violations(ours, reference, judge=judge)
    pairs = zip(ours.extra[f"ee_{judge}"], reference.extra[f"ee_{judge}"], more, strict=True)
    return [own / best for own, best, extra in pairs if extra <= 0] or [math.nan]


def columns() -> tuple[Column, ...]:
    """What is shown of every label: EE and violations by three judges."""

    def extra(name: str, factor: float = 1.0) -> Callable[[str, Numbers], list[float]]:
        return lambda cell, numbers: [factor * value for value in numbers[cell].extra[name]]

    def of_reference(cell: str, numbers: Numbers) -> list[float]:
        reference = numbers.get(f"{cell.rpartition('/')[0]}/{LS}")
        return [math.nan] if reference is None else [100 * value for value in share(numbers[cell], reference)]

    return (
        Column("EE [bits/mJ]", extra("ee_expect")),
        Column("share of LS [%]", of_reference),
        Column("share of UB [%]", lambda cell, numbers: last("share_of_bound", 100.0)(numbers[cell])),
        Column("mean PDR [%]", extra("pdr_expect", 100.0)),
        Column("violations", extra("violations_expect")),
        Column("violations, joint", extra("violations_joint")),
        Column("EE, packets", extra("ee_packets")),
        Column("violations, packets", extra("violations_packets")),
        Column("mean PDR, packets [%]", extra("pdr_packets", 100.0)),
        Column("CPU [s per network]", lambda cell, numbers: numbers[cell].extra.get("cpu_s", [math.nan])),
    )
