"""Numbers that NoReL's studies read off their cells: delivery, energy, downlinks, states, convergence, estimates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np

from scripts.runs.cli import ROOT, read_packet_config
from scripts.runs.metrics import Row, reported
from scripts.runs.statistics import estimate
from scripts.studies.claim import CellResult, Column, Results

GAMMA, REFERENCE_LOSS_DB = 2.32, 128.95
"""Path-loss exponent, and path loss at 1 km in dB, to which the estimates are differences. Source: NoReL's code."""


def columns(*more: Column) -> tuple[Column, ...]:
    """Columns of the table of learners, and more; delivery is that of the reported part, with downlinks on the air."""
    return (
        Column("simulated [%]", lambda name, numbers: numbers[name].extra["delivery"]),
        Column("share of the reference [%]", _share_of_reference),
        Column("closed form [%]", lambda name, numbers: numbers[name].extra["joint"]),
        Column("NoReL's model [%]", lambda name, numbers: numbers[name].extra["model"]),
        Column("energy per packet delivered [mJ]", _last("energy_per_delivered_mj")),
        Column("downlinks per 100 packets", _last("downlinks_per_100")),
        Column("gateway airtime [%]", _last("downlink_airtime", 100.0)),
        *more,
    )


def differences(ours: CellResult, theirs: CellResult) -> list[float]:
    """Difference in delivery on the same placement, by seed, in points."""
    pairs = zip(ours.extra["delivery"], theirs.extra["delivery"], strict=True)
    return [our_delivery - their_delivery for our_delivery, their_delivery in pairs]


def lower_end(ours: CellResult, theirs: CellResult) -> list[float]:
    """Lower end of the 95 % interval of the paired difference in delivery, as one value, in points."""
    return [estimate(differences(ours, theirs)).ci_low]


def right_states(result: CellResult) -> list[float]:
    """Share of windows whose estimated channel state was the true one, by seed, in percent."""
    shares = []
    for curve in result.curves:
        windows = math.fsum(row["windows"] for row in curve)
        shares.append(100 * math.fsum(row["windows_right"] for row in curve) / windows if windows else math.nan)
    return shares


def settled(column: str, until_h: float, since_h: float = 0.0) -> Callable[[str, Results], list[float]]:
    """A reading: packets of the network until strategies stopped changing, by seed, in thousands.

    Args:
        column: `restless_h`: until the strategies of all nodes stopped changing; `restless95_h`: those of 95 %.
        until_h: When the number is read. h
        since_h: From when packets count. h

    Source: NoReL, Definition 2.
    """

    def read(name: str, numbers: Results) -> list[float]:
        return [_packets(curve, column, until_h, since_h) / 1e3 for curve in numbers[name].curves]

    return read


def epsilons(name: str, numbers: Results) -> list[float]:
    """Epsilon of Definition 1 at the end, mean over nodes, by seed, in points of delivery."""
    return [100 * curve[-1].get("epsilon_mean", math.nan) for curve in numbers[name].curves]


def true_values(config: str) -> list[tuple[float, Mapping[str, float]]]:
    """The true channel of a configuration that changes: for each part, its end in h, and sigma, gamma and PL0."""
    return list(_true_values(config))


@cache
def _true_values(config: str) -> tuple[tuple[float, Mapping[str, float]], ...]:
    run = read_packet_config(ROOT / "configs" / config, [], notes=False)
    scenario, parts = run.scenario.build(), []
    ends_h = [change.at_s / 3600.0 for change in scenario.changes] + [run.duration_h]
    for change, end_h in zip((None, *scenario.changes), ends_h, strict=True):
        scenario = scenario if change is None else scenario.with_values(change.values)
        channel = scenario.propagation
        values = {"sigma": channel.shadowing_db, "gamma": channel.exponent, "path_loss": channel.reference_loss_db}
        parts.append((end_h, values))
    return tuple(parts)


def estimated(row: Row) -> dict[str, float]:
    """A row's estimates of the channel by the network server, by the names of `true_values`."""
    return {
        "sigma": row["estimated_sigma_db"],
        "gamma": GAMMA - row["estimated_slope"],
        "path_loss": REFERENCE_LOSS_DB - row["estimated_offset_db"],
    }


def tracking_errors(quantity: str, config: str) -> Callable[[CellResult], list[float]]:
    """A reading: mean absolute error of an estimate, in the last two hours before each change, in percent."""

    def read(result: CellResult) -> list[float]:
        percents = []
        for curve in result.curves:
            errors = [
                abs(estimated(row)[quantity] / values[quantity] - 1)
                for end_h, values in true_values(config)
                for row in curve
                if end_h - 2.0 < row["time_h"] <= end_h + 1e-9
            ]
            percents.append(100 * sum(errors) / len(errors) if errors else math.nan)
        return percents

    return read


def _last(metric: str, factor: float = 1.0) -> Callable[[str, Results], list[float]]:
    """A reading: a metric over the reported part, times a factor, by seed."""

    def read(name: str, numbers: Results) -> list[float]:
        result = numbers[name]
        return [factor * reported(curve, result.last_h)[metric] for curve in result.curves]

    return read


def _share_of_reference(name: str, numbers: Results) -> list[float]:
    """Delivery over that of the best fixed assignment of the same network, at any power; nan where there is none.

    References of large networks exist for the first placements only.
    """
    reference = numbers.get(f"{name.rpartition('/')[0]}/reference-pdr")
    if reference is None:
        return [math.nan]
    pairs = zip(numbers[name].extra["delivery"], reference.extra["delivery"], strict=False)
    return [100 * delivery / reference_delivery for delivery, reference_delivery in pairs]


def _packets(curve: Sequence[Row], column: str, until_h: float, since_h: float) -> float:
    """Packets sent from `since_h` to the time that a column had at `until_h`; nan where there is none."""
    rows = [row for row in curve if row["time_h"] <= until_h + 1e-9]
    if not rows or column not in rows[-1]:
        return math.nan
    time_h = [0.0, *(row["time_h"] for row in rows)]
    sent = np.concatenate([[0.0], np.cumsum([row["sent"] for row in rows])])
    return float(np.interp(rows[-1][column], time_h, sent) - np.interp(since_h, time_h, sent))
