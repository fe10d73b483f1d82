"""What was sent and what was heard, from frame counters.

Within a session of a device (`lora_marl/logs/merging.py`) every counter from the first to the last that was heard was
sent, so frames that no gateway heard are known. Frames before the first and after the last of a session are not.

Shape letters: `F` frames, `U` counters (a frame and its repetitions), `G` gateways, `N` devices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora_marl.logs.tables import TrafficLog

SILENCE_CHANCE = 1e-6
"""A gateway is taken for off where its silence would be less likely than this with the rates of its links."""

LEAST_SILENCE_S = 900.0
"""Shorter silences are not listed. s"""


@dataclass(frozen=True)
class Sent:
    """What was sent.

    Attributes:
        frames: Number of frames sent by each device, repetitions not counted. `[N]`
        heard: Of these, those that some gateway heard. `[N]`
        heard_by: Of these, those that each gateway heard. `[N, G]`
        period_s: Median time between neighbouring frames; NaN: no two neighbours were heard. `[N]` s
    """

    frames: NDArray[np.int64]
    heard: NDArray[np.int64]
    heard_by: NDArray[np.int64]
    period_s: NDArray[np.float64]

    @property
    def pdr(self) -> NDArray[np.float64]:
        """Share of each device's frames that some gateway heard; NaN: none was sent. `[N]`"""
        return _share(self.heard, self.frames)

    @property
    def prr(self) -> NDArray[np.float64]:
        """Share of each device's frames that each gateway heard; NaN: none was sent. `[N, G]`"""
        return _share(self.heard_by, self.frames[:, None])


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def sent(log: TrafficLog) -> Sent:
    """What each device sent, and who heard it."""
    frames, devices = log.frames, len(log.devices)
    first = frames["repeat"] == 0
    counter_of_frame = np.cumsum(first) - 1
    device = frames["device"][first]
    begins = np.ones(len(device), bool)
    begins[1:] = (np.diff(device) != 0) | (np.diff(frames["session"][first]) != 0)
    ends = np.r_[begins[1:], True]
    counter = frames["counter"][first]
    lengths = counter[ends] - counter[begins] + 1
    heard_by = np.zeros((devices, len(log.gateways)), np.int64)
    pairs = np.unique(counter_of_frame[log.receptions["frame"]] * len(log.gateways) + log.receptions["gateway"])
    np.add.at(heard_by, (device[pairs // len(log.gateways)], pairs % len(log.gateways)), 1)
    return Sent(
        frames=np.bincount(device[begins], lengths, minlength=devices).astype(np.int64),
        heard=np.bincount(device, minlength=devices),
        heard_by=heard_by,
        period_s=_periods_s(log, first),
    )


def _periods_s(log: TrafficLog, first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Median time between frames whose counters are neighbours. `[N]` s"""
    frames = log.frames[first]
    near = (np.diff(frames["device"]) == 0) & (np.diff(frames["session"]) == 0) & (np.diff(frames["counter"]) == 1)
    step_s, device = np.diff(frames["time_s"])[near], frames["device"][1:][near]
    return np.array(
        [
            np.median(step_s[device == number]) if (device == number).any() else np.nan
            for number in range(len(log.devices))
        ]
    )


@dataclass(frozen=True)
class Silence:
    """A time in which a gateway heard nothing, though it hears the devices that were sending.

    Attributes:
        gateway: Its number.
        from_s, until_s: From the last frame that it heard to the next. s
        frames: Frames that others heard meanwhile.
    """

    gateway: int
    from_s: float
    until_s: float
    frames: int


def silences(log: TrafficLog) -> list[Silence]:
    """Times in which gateways heard nothing, where their links make that all but impossible.

    A run of frames that others heard and a gateway missed counts if the product of (1 - r) over the run, with r the
    share of the device's frames heard by somebody that this gateway hears as well, is below `SILENCE_CHANCE`. A link
    that became worse for days looks the same where a gateway hears one device only.
    """
    by_time = np.argsort(log.frames["time_s"], kind="stable")
    time_s, device = log.frames["time_s"][by_time], log.frames["device"][by_time]
    heard_by_device = np.zeros((len(log.devices), len(log.gateways)))
    np.add.at(heard_by_device, (log.frames["device"][log.receptions["frame"]], log.receptions["gateway"]), 1)
    rates = heard_by_device / np.maximum(np.bincount(log.frames["device"], minlength=len(log.devices)), 1)[:, None]
    place = np.empty(len(by_time), np.int64)
    place[by_time] = np.arange(len(by_time))
    result = []
    for gateway in range(len(log.gateways)):
        at = np.sort(place[log.receptions["frame"][log.receptions["gateway"] == gateway]])
        if not len(at):
            continue
        surprise = np.cumsum(-np.log1p(-np.minimum(rates[device, gateway], 0.999)))
        edges = np.r_[-1, at, len(by_time)]
        before = np.r_[0.0, surprise][edges[:-1] + 1]
        within = np.r_[0.0, surprise][edges[1:]] - before
        for run in np.flatnonzero(within > -np.log(SILENCE_CHANCE)):
            first, end = int(edges[run]), int(edges[run + 1])
            from_s, until_s = time_s[max(first, 0)], time_s[min(end, len(time_s) - 1)]
            if until_s - from_s >= LEAST_SILENCE_S:
                result.append(Silence(gateway, float(from_s), float(until_s), end - first - 1))
    return result
