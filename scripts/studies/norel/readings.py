"""What NoReL's studies read off their cells: delivery beside energy and downlinks, states, convergence, estimates."""

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
"""What estimates of the exponent and of the path loss at 1 km are differences to."""


def columns(*more: Column) -> tuple[Column, ...]:
    """What every learner is shown with; `delivery` is that of the reported part, downlinks on the air."""
    return (
        Column("simulated [%]", lambda name, numbers: numbers[name].extra["delivery"]),
        Column("share of the reference [%]", _share),
        Column("closed form [%]", lambda name, numbers: numbers[name].extra["joint"]),
        Column("NoReL's model [%]", lambda name, numbers: numbers[name].extra["model"]),
        Column("energy per packet delivered [mJ]", _last("energy_per_delivered_mj")),
        Column("downlinks per 100 packets", _last("downlinks_per_100")),
        Column("gateway airtime [%]", _last("downlink_airtime", 100.0)),
        *more,
    )


def differences(ours: CellResult, theirs: CellResult) -> list[float]:
    """Differences in delivery by seed, in points."""
    pairs = zip(ours.extra["delivery"], theirs.extra["delivery"], strict=True)
    return [mine - other for mine, other in pairs]


def lower_end(ours: CellResult, theirs: CellResult) -> list[float]:
    """Lower end of the 95 % interval of the paired difference in delivery, in points."""
    return [estimate(differences(ours, theirs)).ci_low]


def right_states(played: CellResult) -> list[float]:
    """Share of windows whose random state was the true one, in percent."""
    found = []
    for curve in played.curves:
        windows = math.fsum(row["windows"] for row in curve)
        found.append(100 * math.fsum(row["windows_right"] for row in curve) / windows if windows else math.nan)
    return found


def settled(column: str, until_h: float, since_h: float = 0.0) -> Callable[[str, Results], list[float]]:
    """Packets of the network, in thousands, until strategies rested: Definition 2 as it stood at `until_h`.

    Args:
        column: `restless_h`: the last packet after which any node's strategy moved; `restless95_h`: of 95 % of them.
        until_h: When it is read. h
        since_h: From where packets count. h
    """

    def read(name: str, numbers: Results) -> list[float]:
        return [_packets(curve, column, until_h, since_h) / 1e3 for curve in numbers[name].curves]

    return read


def epsilons(name: str, numbers: Results) -> list[float]:
    """Definition 1 at the end, mean over nodes, in points of delivery."""
    return [100 * curve[-1].get("epsilon_mean", math.nan) for curve in numbers[name].curves]


def true_values(config: str) -> list[tuple[float, Mapping[str, float]]]:
    """Path loss in a configuration that changes: until when, in h, and sigma, gamma and PL0 until then."""
    return list(_true_values(config))


@cache
def _true_values(config: str) -> tuple[tuple[float, Mapping[str, float]], ...]:
    run = read_packet_config(ROOT / "configs" / config, [], notes=False)
    scenario, found = run.scenario.build(), []
    ends_h = [change.at_s / 3600.0 for change in scenario.changes] + [run.duration_h]
    for change, end_h in zip((None, *scenario.changes), ends_h, strict=True):
        scenario = scenario if change is None else scenario.with_values(change.values)
        air = scenario.propagation
        values = {"sigma": air.shadowing_db, "gamma": air.exponent, "path_loss": air.reference_loss_db}
        found.append((end_h, values))
    return tuple(found)


def estimated(row: Row) -> dict[str, float]:
    """The channel as a network server hears it, by the names of `true_values`."""
    return {
        "sigma": row["estimated_sigma_db"],
        "gamma": GAMMA - row["estimated_slope"],
        "path_loss": REFERENCE_LOSS_DB - row["estimated_offset_db"],
    }


def tracking_errors(what: str, config: str) -> Callable[[CellResult], list[float]]:
    """Mean absolute error of an estimate in the last two hours before each change, in percent of the truth."""

    def read(played: CellResult) -> list[float]:
        found = []
        for curve in played.curves:
            errors = [
                abs(estimated(row)[what] / values[what] - 1)
                for end_h, values in true_values(config)
                for row in curve
                if end_h - 2.0 < row["time_h"] <= end_h + 1e-9
            ]
            found.append(100 * sum(errors) / len(errors) if errors else math.nan)
        return found

    return read


def _last(metric: str, factor: float = 1.0) -> Callable[[str, Results], list[float]]:
    def read(name: str, numbers: Results) -> list[float]:
        played = numbers[name]
        return [factor * reported(curve, played.last_h)[metric] for curve in played.curves]

    return read


def _share(name: str, numbers: Results) -> list[float]:
    """Delivery over that of the best fixed assignment of the same network, at any power; nan: it was not played.

    References of large networks are played on the first placements alone.
    """
    reference = numbers.get(f"{name.rpartition('/')[0]}/reference-pdr")
    if reference is None:
        return [math.nan]
    pairs = zip(numbers[name].extra["delivery"], reference.extra["delivery"], strict=False)
    return [100 * own / best for own, best in pairs]


def _packets(curve: Sequence[Row], column: str, until_h: float, since_h: float) -> float:
    rows = [row for row in curve if row["time_h"] <= until_h + 1e-9]
    if not rows or column not in rows[-1]:
        return math.nan
    time_h = [0.0, *(row["time_h"] for row in rows)]
    sent = np.concatenate([[0.0], np.cumsum([row["sent"] for row in rows])])
    return float(np.interp(rows[-1][column], time_h, sent) - np.interp(since_h, time_h, sent))
