"""How well a calibration of an earlier part of a log predicts the later part.

Beside every figure stands the naive predictor, which expects the earlier part's own rates, and two simpler models: one
mean and limit for each link whatever the channel, and one for all links. A calibration is of use where settings change;
where they stay, the naive predictor is hard to beat, and says how much the network drifts.

Shape letters: `N` devices, `G` gateways, `K` cells (a channel and a data rate).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora_marl.logs.calibration import Calibration, calibrate, link_data, link_series
from lora_marl.logs.counting import Sent, sent
from lora_marl.logs.link_fit import Link, LinkData, fit_link
from lora_marl.logs.slow_fit import log_likelihoods
from lora_marl.logs.tables import TrafficLog

EARLIER_SHARE = 0.6
"""Share of the log's span on which a calibration is fitted for validation."""

_NOTICED = 1e-3
"""Difference to the naive predictor that is noticed."""

_MAIN = 8
"""Gateways that have a figure of their own."""

_LEAST_CELL = 50
"""Frames of a cell in the later part for it to count."""


@dataclass(frozen=True)
class Figure:
    """A figure by predictor, with what the later part shows where it is no error.

    Attributes:
        name: What it is.
        by_model: Its value by predictor; missing: the predictor has none.
        higher_is_better: Whether it is no error.
    """

    name: str
    by_model: Mapping[str, float]
    higher_is_better: bool = False

    @property
    def worse_than_naive(self) -> bool:
        """Whether the calibration is worse than the naive predictor by more than `_NOTICED`."""
        ours, naive = self.by_model.get("calibration"), self.by_model.get("naive")
        if ours is None or naive is None:
            return False
        return bool(ours < naive - _NOTICED if self.higher_is_better else ours > naive + _NOTICED)


def split(log: TrafficLog, share: float = EARLIER_SHARE) -> tuple[TrafficLog, TrafficLog]:
    """The earlier and the later part of a log."""
    time_s = log.frames["time_s"]
    at_s = float(time_s.min() + share * (time_s.max() - time_s.min()))
    return log.between(-np.inf, at_s), log.between(at_s, np.inf)


def validate(log: TrafficLog, share: float = EARLIER_SHARE) -> list[Figure]:
    """The figures of a calibration of the earlier part, on the later part.

    Raises:
        ValueError: a part has no frame, or the earlier one no link.
    """
    earlier, later = split(log, share)
    if not len(earlier.frames) or not len(later.frames):
        raise ValueError(f"validation: {len(earlier.frames)} frames before and {len(later.frames)} after the split")
    by_cell, by_link = calibrate(earlier), calibrate(earlier, by_channel=False, slow=False)
    models = {"calibration": by_cell, "one per link": by_link}
    then, now = sent(earlier), sent(later)
    return [
        _pdr(models, then, now),
        *_prr(models, then, now),
        *_cells(by_cell, by_link, earlier, later),
        _gateways_per_frame(models, earlier, later, now),
        *_power(models, earlier, later, log),
    ]


def predicted_prr(calibration: Calibration) -> NDArray[np.float64]:
    """Share of each device's frames that each gateway hears, its times off included. `[N, G]`"""
    rates = [calibration.prr(device) @ calibration.channel_share[device] for device in range(len(calibration.devices))]
    return np.array(rates) * calibration.available


def predicted_pdr(calibration: Calibration) -> NDArray[np.float64]:
    """Share of each device's frames that some gateway hears. `[N]`"""
    result = np.zeros(len(calibration.devices))
    for device in range(len(result)):
        beyond = calibration.lost_share[device]
        rates = calibration.prr(device) / max(1.0 - beyond, 1e-9) * calibration.available[:, None]
        result[device] = (1.0 - beyond) * ((1.0 - np.prod(1.0 - rates, axis=0)) @ calibration.channel_share[device])
    return result


def _pdr(models: Mapping[str, Calibration], then: Sent, now: Sent) -> Figure:
    """Error of the network's PDR, with the later part's numbers of frames."""
    actual = now.heard.sum() / now.frames.sum()
    values = {name: predicted_pdr(model) for name, model in models.items()} | {"naive": np.nan_to_num(then.pdr)}
    return Figure(
        f"PDR of the network (later part: {actual:.4f}), absolute error",
        {name: float(abs(pdr @ now.frames / now.frames.sum() - actual)) for name, pdr in values.items()},
    )


def _prr(models: Mapping[str, Calibration], then: Sent, now: Sent) -> list[Figure]:
    known = (then.heard_by + now.heard_by > 0) & (now.frames > 0)[:, None] & (then.frames > 0)[:, None]
    main = np.argsort(-then.heard_by.sum(axis=0), kind="stable")[:_MAIN]
    values = {name: predicted_prr(model) for name, model in models.items()} | {"naive": np.nan_to_num(then.prr)}
    errors = {name: np.abs(prr - now.prr)[known] for name, prr in values.items()}
    return [
        Figure(
            "PRR by device and gateway, absolute error, median", {n: float(np.median(e)) for n, e in errors.items()}
        ),
        Figure("the same, worst", {n: float(e.max()) for n, e in errors.items()}),
        Figure(
            f"the same, worst at the {_MAIN} gateways that hear most",
            {name: float(np.abs(prr - now.prr)[:, main][known[:, main]].max()) for name, prr in values.items()},
        ),
    ]


def _cells(by_cell: Calibration, by_link: Calibration, earlier: TrafficLog, later: TrafficLog) -> list[Figure]:
    """Errors of the share heard by each gateway on each channel and data rate, of frames that anybody heard."""
    errors: dict[str, list[float]] = {"calibration": [], "one per link": [], "naive": []}
    for device in range(len(later.devices)):
        rates, flat = by_cell.prr(device), by_link.prr(device)
        for cell, (number, sf) in enumerate(zip(by_cell.cell_channel, by_cell.cell_sf, strict=True)):
            parts = []
            for log in (earlier, later):
                chosen = log.frames["device"] == device
                chosen &= (log.frames["frequency_hz"] == by_cell.channels_hz[number]) & (log.frames["sf"] == sf)
                parts.append(log.heard[chosen])
            if min(len(part) for part in parts) < _LEAST_CELL:
                continue
            then, now = (part.mean(axis=0) for part in parts)
            link_cell = int(np.flatnonzero(by_link.cell_sf == sf)[0])
            some = (then > 0) | (now > 0)
            for name, rate in (
                ("calibration", rates[:, cell] * by_cell.available),
                ("one per link", flat[:, link_cell] * by_link.available),
            ):
                heard = max(1.0 - float(np.prod(1.0 - rate)), 1e-9)
                errors[name] += list(np.abs(rate / heard - now)[some])
            errors["naive"] += list(np.abs(then - now)[some])
    if not errors["naive"]:
        return []
    return [
        Figure(
            "PRR by gateway and channel, absolute error, median", {n: float(np.median(e)) for n, e in errors.items()}
        ),
        Figure("the same, 90 %", {n: float(np.percentile(e, 90)) for n, e in errors.items()}),
    ]


def _gateways_per_frame(models: Mapping[str, Calibration], earlier: TrafficLog, later: TrafficLog, now: Sent) -> Figure:
    """Kolmogorov-Smirnov distance of the number of gateways that hear a frame, of frames that anybody heard."""
    size = len(later.gateways) + 1

    def histogram(log: TrafficLog) -> NDArray[np.float64]:
        return np.bincount(log.heard.sum(axis=1), minlength=size)[1:] / len(log.frames)

    actual = np.cumsum(histogram(later))
    values = {"naive": np.cumsum(histogram(earlier))}
    for name, model in models.items():
        total = np.zeros(size)
        for device in range(len(model.devices)):
            rates = model.prr(device) * model.available[:, None]
            for cell, share in enumerate(model.channel_share[device]):
                if share:
                    total += share * now.frames[device] * _count_distribution(rates[:, cell])
        values[name] = np.cumsum(total[1:] / max(total[1:].sum(), 1e-9))
    return Figure(
        "gateways per frame, Kolmogorov-Smirnov distance",
        {name: float(np.abs(value - actual).max()) for name, value in values.items()},
    )


def _count_distribution(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distribution of the number of independent events that happen. `[G + 1]`"""
    distribution = np.zeros(len(chances) + 1)
    distribution[0] = 1.0
    for chance in chances:
        distribution[1:] = distribution[1:] * (1.0 - chance) + distribution[:-1] * chance
        distribution[0] *= 1.0 - chance
    return distribution


def _power(
    models: Mapping[str, Calibration], earlier: TrafficLog, later: TrafficLog, whole: TrafficLog
) -> list[Figure]:
    """Log-likelihood of who heard each frame, at which power; per pair of a frame heard by somebody and a gateway."""
    values, pairs = dict.fromkeys(models, 0.0), 0
    pooled = _pooled(models["one per link"], earlier)
    values["one for all"] = 0.0
    for device, gateway in models["calibration"].links:
        for name, model in models.items():
            data = _data(model, later, device, gateway)
            link = model.links.get((device, gateway))
            if link is not None:
                values[name] += link.log_likelihood(data)
        data = _data(models["one per link"], later, device, gateway)
        values["one for all"] += pooled.log_likelihood(data)
        pairs += int(data.heard.sum() + data.missed.sum())
    figures = [
        Figure(
            "received power, log-likelihood per frame and gateway [nats]",
            {name: value / max(pairs, 1) for name, value in values.items()},
            higher_is_better=True,
        )
    ]
    return figures + _followed(models["calibration"], later, whole)


def _followed(model: Calibration, later: TrafficLog, whole: TrafficLog) -> list[Figure]:
    """The same where each frame is predicted from those before it, at the links whose slow changes were fitted."""
    if not model.slow:
        return []
    start_s = later.frames["time_s"].min()
    frames = whole.frames
    channel = np.minimum(np.searchsorted(model.channels_hz, frames["frequency_hz"]), len(model.channels_hz) - 1)
    known = (model.channels_hz[channel] == frames["frequency_hz"]) & np.isin(frames["sf"], model.cell_sf)
    static, following, pairs = 0.0, 0.0, 0
    for (device, gateway), slow in model.slow.items():
        link = model.links[device, gateway]
        static += link.log_likelihood(_data(model, later, device, gateway))
        chosen = known & (frames["device"] == device) & (frames["repeat"] == 0)
        series = link_series(whole, chosen, channel, gateway)
        values = log_likelihoods(link, slow, series)[series.time_s >= start_s]
        following, pairs = following + float(values.sum()), pairs + len(values)
    return [
        Figure(
            f"the same at {len(model.slow)} links, slow changes followed from frame to frame",
            {"calibration": following / max(pairs, 1), "not followed": static / max(pairs, 1)},
            higher_is_better=True,
        )
    ]


def _data(model: Calibration, log: TrafficLog, device: int, gateway: int) -> LinkData:
    """What a gateway heard and missed of a device in a log, in the cells of a calibration."""
    frames = log.frames
    channel = np.zeros(len(frames), np.int64)
    known = np.ones(len(frames), bool)
    if len(model.channels_hz) > 1:
        channel = np.minimum(np.searchsorted(model.channels_hz, frames["frequency_hz"]), len(model.channels_hz) - 1)
        known = model.channels_hz[channel] == frames["frequency_hz"]
    keys = model.cell_channel * 16 + model.cell_sf
    place = np.minimum(np.searchsorted(keys, channel * 16 + frames["sf"]), len(keys) - 1)
    known &= (keys[place] == channel * 16 + frames["sf"]) & (frames["device"] == device) & (frames["repeat"] == 0)
    mine = np.flatnonzero(known)
    return link_data(log, mine, place[mine], gateway, model.cell_channel, model.cell_sf)


def _pooled(model: Calibration, log: TrafficLog) -> Link:
    """One link for all pairs."""
    parts = [_data(model, log, device, gateway) for device, gateway in model.links]
    data = LinkData(
        power_dbm=np.concatenate([part.power_dbm for part in parts]),
        power_cell=np.concatenate([part.power_cell for part in parts]),
        heard=np.concatenate([part.heard for part in parts]),
        missed=np.sum([part.missed for part in parts], axis=0),
        cell_channel=model.cell_channel,
        cell_step_db=model.cell_step_db(),
    )
    return fit_link(data, -126.0)
