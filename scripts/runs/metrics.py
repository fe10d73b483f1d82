"""Metrics of packets: one row per seed and segment, and the numbers that are reported of a curve of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core import metrics
from lora_marl.core.energy import battery_life_years
from lora_marl.core.outcome import Outcome
from lora_marl.core.reception import FATES
from lora_marl.core.region import Region
from lora_marl.core.scenario import Scenario

Row = dict[str, float]
"""The numbers of one replica in one segment, by column."""

COUNTS = (
    "sent", *(fate.name.lower() for fate in FATES), "dropped", "downlinks", "downlinks_received", "downlinks_refused",
)  # fmt: skip
SUMS = ("airtime_s", "energy_mj", "delivered_bits", "downlink_airtime_s")
METRICS = ("pdr", "ee_bits_per_mj", "bits_per_airtime_s", "goodput_bps", "fairness")
"""The reported metrics; `fairness` is Jain's index of the PDR of the nodes that sent anything."""

SHARES = ("pdr", "frame_pdr", "fairness")
"""Metrics that lie between 0 and 1."""

NOTHING_AT_0 = ("never_sent", "downlinks_per_100", "downlink_airtime")
"""Metrics that tables leave out where they are 0 for everybody."""

FRAMES = ("frames_delivered", "frames_lost")
"""Columns of learners that let nodes send a frame several times; `frame_pdr` beside them is their `pdr` of frames."""

_ROW = "row/"
_TINY_H = 1e-9


def rows(outcome: Outcome, region: Region, scenario: Scenario | None = None, *, frames: bool = False) -> list[Row]:
    """One row per replica.

    Args:
        outcome: Of a segment; usage by factor value is told where the air counted it.
        region: Of the factor values.
        scenario: Tells battery life where its energy is that of all `states`.
        frames: Whether frames are told apart from packets, since the learner lets nodes send one several times; they
            are where the scenario does, too.
    """
    columns: dict[str, NDArray] = {"duration_s": outcome.duration_s}
    columns |= {name: getattr(outcome, name).sum(axis=1) for name in COUNTS + SUMS}
    columns |= ratios(columns)
    columns["fairness"] = np.array([_fairness(*node) for node in zip(outcome.sent, outcome.delivered, strict=True)])
    if scenario is not None and scenario.energy == "states":
        columns["battery_life_years"] = battery_life_years(scenario, outcome.power_mw).mean(axis=1)
    if frames or (scenario is not None and scenario.repeats_frames):
        columns |= {name: getattr(outcome, name).sum(axis=1) for name in FRAMES}
        columns["frame_pdr"] = metrics.frame_pdr(*(columns[name] for name in FRAMES))
    usage = outcome.arm_sent.sum(axis=1)
    if usage.shape[1]:
        columns |= dict(zip(usage_columns(region), usage.T, strict=True))
    replicas = range(len(outcome.duration_s))
    return [{name: values[replica].item() for name, values in columns.items()} for replica in replicas]


def columns_of(curve: Sequence[Row]) -> dict[str, NDArray]:
    """Rows as arrays by column, `row/<column>` `[T]`, as they are kept in files."""
    return {_ROW + name: np.array([row[name] for row in curve]) for name in curve[0]}


def curve_of(state: Mapping[str, NDArray]) -> list[Row]:
    """The rows of a stored seed; the reverse of `columns_of`."""
    columns = {name.removeprefix(_ROW): array.tolist() for name, array in state.items() if name.startswith(_ROW)}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def ratios(columns: Mapping[str, ArrayLike]) -> dict[str, Any]:
    """The metrics that are ratios of sums, from columns of sums of any one shape."""
    bits = columns["delivered_bits"]
    return {
        "pdr": metrics.pdr(columns["sent"], columns["delivered"]),
        "ee_bits_per_mj": metrics.ee_bits_per_mj(bits, columns["energy_mj"]),
        "bits_per_airtime_s": metrics.bits_per_airtime_s(bits, columns["airtime_s"]),
        "goodput_bps": metrics.goodput_bps(bits, columns["duration_s"]),
    }


def usage_columns(region: Region) -> list[str]:
    """Columns of packets sent by factor value, in the order of `Outcome.arm_sent`."""
    return [
        *(f"sent_sf{sf}" for sf in region.spreading_factors),
        *(f"sent_bw{bw_hz / 1000:g}khz" for bw_hz in region.bandwidths_hz),
        *(f"sent_channel{channel}" for channel in range(len(region.channels_hz))),
        *(f"sent_tp{tp_dbm:g}dbm" for tp_dbm in region.tp_dbm),
    ]


def reported(curve: Sequence[Row], last_h: float) -> Row:
    """The metrics of a seed that count: of its evaluation episode, or of the last part of its training.

    Ratios are taken of sums over the rows; fairness is the mean of the rows.

    Args:
        curve: The rows of metrics.csv in order, with `time_h` and `evaluation`.
        last_h: Length of the last part. h
    """
    chosen = [row for row in curve if row["evaluation"]]
    chosen = chosen or [row for row in curve if row["time_h"] > curve[-1]["time_h"] - last_h + 1e-9]
    totals = _sums(chosen)
    return {
        **{name: float(value) for name, value in ratios(totals).items()},
        "never_sent": _over(totals["dropped"], totals["sent"] + totals["dropped"]),
        "downlinks_per_100": _over(100 * totals["downlinks"], totals["sent"]),
        "downlink_airtime": _over(totals["downlink_airtime_s"], totals["duration_s"]),
        "energy_per_delivered_mj": float(metrics.energy_per_delivered_mj(totals["energy_mj"], totals["delivered"])),
        "fairness": math.fsum(row["fairness"] for row in chosen) / len(chosen),
        **_frame_pdr(chosen),
        **{name: _mean_over_time(chosen, name) for name in chosen[0] if name == "battery_life_years"},
        **{name: math.fsum(row[name] for row in chosen) for name in chosen[0] if name.startswith("sent_")},
    }


def _mean_over_time(chosen: Sequence[Row], name: str) -> float:
    """The mean of a column, weighted by the length of the rows."""
    total_s = math.fsum(row["duration_s"] for row in chosen)
    return math.fsum(row[name] * row["duration_s"] for row in chosen) / total_s


def thinned(curve: Sequence[Row], every_h: float) -> list[Row]:
    """A learning curve with fewer rows, for pictures: time, whether it is the evaluation, and the ratios of sums.

    Args:
        curve: Rows in order, with `time_h` and `evaluation`.
        every_h: Length of a new row; rows that are longer stay. h
    """
    groups: dict[tuple[float, int], list[Row]] = {}
    for row in curve:
        groups.setdefault((row["evaluation"], math.ceil(row["time_h"] / every_h - 1e-9)), []).append(row)
    return [
        {
            "time_h": group[-1]["time_h"],
            "evaluation": group[-1]["evaluation"],
            **{name: float(value) for name, value in ratios(_sums(group)).items()},
        }
        for group in groups.values()
    ]


def converged_h(curve: Sequence[Row], metric: str) -> float:
    """When training has gone 90 % of the way from its first hour to its last 100 h (`metrics.convergence_time_s`).

    A curve goes nowhere where that way is shorter than twice the standard deviation of its rows in the last 100 h: what
    the definition finds then is noise.

    Args:
        curve: Rows in order, best hourly ones, with `time_h` and `evaluation`.
        metric: A column.

    Returns:
        nan where the curve goes nowhere. h
    """
    trained = [row for row in curve if not row["evaluation"]]
    time_h, values = (np.array([row[name] for row in trained]) for name in ("time_h", metric))
    time_h, values = time_h[np.isfinite(values)], values[np.isfinite(values)]
    if not len(values):
        return math.nan
    last = values[time_h > time_h[-1] - 100.0]
    began = values[time_h <= max(1.0, time_h[0])].mean()
    if abs(last.mean() - began) <= 2 * last.std():
        return math.nan
    return metrics.convergence_time_s(3600 * time_h, values) / 3600


def recovery_time_h(
    time_h: ArrayLike,
    sent: ArrayLike,
    delivered: ArrayLike,
    change_h: float,
    *,
    window_h: float = 10.0,
    before_h: float = 100.0,
    within: float = 0.01,
) -> float:
    """Returns the time from a change until the PDR is back where it was.

    It was the PDR of the last `before_h` before the change. It is back from the start of the first row on whose next
    `window_h` together are at most `within` below that. All means are ratios of sums; a row that the change cuts
    belongs to neither side.

    Args:
        time_h: End of each row, ascending from the start of the run at 0. [T] h
        sent: [T] packets
        delivered: [T] packets
        change_h: h
        window_h: Length of the mean that must be back. h
        before_h: Length of what counts as before. h
        within: 0.01 is one point of PDR.

    Returns:
        Time since the change; 0 where the PDR hardly fell; nan where it does not come back, or nothing was sent before.
        h

    Raises:
        ValueError: arrays that are not of one length.
    """
    ends, counts = np.asarray(time_h, np.float64), np.array([sent, delivered], np.float64)
    if ends.ndim != 1 or counts.shape != (2, len(ends)):
        raise ValueError(f"time_h has shape {ends.shape}, sent and delivered {counts.shape[1:]}: all must be [T]")
    starts = np.concatenate([[0.0], ends[:-1]])
    before = (ends <= change_h + _TINY_H) & (starts >= change_h - before_h - _TINY_H)
    was = float(metrics.pdr(*counts[:, before].sum(axis=1)))
    for start in starts[(starts >= change_h - _TINY_H) & (starts + window_h <= ends[-1] + _TINY_H)]:
        span = (starts >= start) & (ends <= start + window_h + _TINY_H)
        if span.any() and float(metrics.pdr(*counts[:, span].sum(axis=1))) >= was - within - 1e-12:
            return float(start) - change_h
    return math.nan


def finite(values: Sequence[float]) -> list[float]:
    """The values that are finite."""
    return [value for value in values if math.isfinite(value)]


def _over(above: float, below: float) -> float:
    """A ratio of sums; nan where there was nothing to divide by."""
    return above / below if below else math.nan


def _sums(curve: Sequence[Row]) -> Row:
    return {name: math.fsum(row[name] for row in curve) for name in ("duration_s", *COUNTS, *SUMS)}


def _frame_pdr(chosen: Sequence[Row]) -> Row:
    """Delivery ratio of frames, where the rows count them."""
    if FRAMES[0] not in chosen[0]:
        return {}
    delivered, lost = (math.fsum(row[name] for row in chosen) for name in FRAMES)
    return {"frame_pdr": float(metrics.frame_pdr(delivered, lost))}


def _fairness(sent: NDArray[np.int64], delivered: NDArray[np.int64]) -> float:
    some = sent > 0
    return float(metrics.jain_fairness(delivered[some] / sent[some]))
