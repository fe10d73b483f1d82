"""Links, losses and traffic of a network, from a log.

Each link is fitted by itself (`lora_marl/logs/link_fit.py`). What ties links together:

- A frame that another gateway heard, and this one missed, has a known channel and data rate. One that nobody heard has
  none: it is shared out over channels and data rates in proportion to the chance that every gateway misses it there,
  which needs the links; so fits and shares take turns.
- Of frames that nobody heard, links explain the share P = sum_c pi_c prod_g (1 - PRR_gc); what is beyond that is lost
  whatever the links (`lost_share`).
- Frames sent while a gateway was off (`lora_marl/logs/counting.py`) do not count for its links.

Shape letters: `N` devices, `G` gateways, `C` channels, `K` cells (a channel and a data rate).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.tables import SENSITIVITY_DBM
from lora_marl.logs.counting import Silence, sent, silences
from lora_marl.logs.esp import noise_dbm
from lora_marl.logs.link_fit import Link, LinkData, fit_link
from lora_marl.logs.slow_fit import LEAST_HEARD as LEAST_HEARD_OF_SERIES
from lora_marl.logs.slow_fit import Series, Slow, fit_slow
from lora_marl.logs.tables import TrafficLog

FLOOR_DB = -9.0
"""SNR at which gateways hear SF7 half the time, as eleven gateways showed (`lora_marl/core/links.py`). dB"""

LEAST_HEARD = 20
"""Frames that a gateway must have heard of a device for a link."""

BLOCKS = 16
"""Parts of a log by time, between which standard errors see how much a link changes."""

_POWER_STEP_DB = 0.25
_TURNS = 4
_TABLE = SENSITIVITY_DBM["dlora_table_i"]


@dataclass(frozen=True)
class Traffic:
    """What a device sends.

    Attributes:
        period_s: Median time between frames. s
        jitter_s: Half the distance between the 5th and 95th percentile of that time. s
        payload_bytes: Median PHY payload; -1: not stated. bytes
        sf: The commonest spreading factor.
        frames: Sent, by counters.
    """

    period_s: float
    jitter_s: float
    payload_bytes: int
    sf: int
    frames: int


@dataclass(frozen=True)
class Calibration:
    """A network as a log shows it.

    Attributes:
        devices, gateways: Names. `[N]`, `[G]`
        channels_hz: Frequencies. `[C]` Hz
        links: By numbers of device and gateway; a pair without enough frames has none.
        slow: Slow changes of those links that have enough frames, by the same numbers.
        channel_share: Share of each device's frames on each cell. `[N, K]`
        cell_channel, cell_sf: Channel and spreading factor of each cell. `[K]`
        available: Share of time that each gateway was on. `[G]`
        off: Times in which gateways were off.
        lost_share: Share of each device's frames that is lost whatever the links. `[N]`
        traffic: By device. `[N]`
        start_s, end_s: The span of the log. s
    """

    devices: tuple[str, ...]
    gateways: tuple[str, ...]
    channels_hz: NDArray[np.int64]
    links: Mapping[tuple[int, int], Link]
    slow: Mapping[tuple[int, int], Slow]
    channel_share: NDArray[np.float64]
    cell_channel: NDArray[np.int64]
    cell_sf: NDArray[np.int64]
    available: NDArray[np.float64]
    off: tuple[Silence, ...]
    lost_share: NDArray[np.float64]
    traffic: tuple[Traffic, ...]
    start_s: float
    end_s: float

    def cell_step_db(self) -> NDArray[np.float64]:
        """Step from the limit of SF7 to that of each cell's spreading factor. `[K]` dB"""
        return step_db(self.cell_sf)

    def prr(self, device: int) -> NDArray[np.float64]:
        """Share of a device's frames that each gateway hears on each cell, while it is on. `[G, K]`"""
        steps = self.cell_step_db()
        rates = np.zeros((len(self.gateways), len(self.cell_channel)))
        for gateway in range(len(self.gateways)):
            link = self.links.get((device, gateway))
            if link is not None:
                rates[gateway] = link.prr(self.cell_channel, steps)
        return (1.0 - self.lost_share[device]) * rates


def step_db(sf: NDArray[np.int64]) -> NDArray[np.float64]:
    """Step from the sensitivity of SF7 to that of each spreading factor, at 125 kHz. [...] dB"""
    return _TABLE[np.asarray(sf) - 7, 0] - _TABLE[0, 0]


def calibrate(log: TrafficLog, *, by_channel: bool = True, slow: bool = True) -> Calibration:
    """The network that a log shows.

    Args:
        log: Of LoRa frames at 125 kHz; others are left out.
        by_channel: Whether each channel of a link has a mean and a limit of its own.
        slow: Whether slow changes are fitted.

    Raises:
        ValueError: no link with enough frames.
    """
    frames = log.frames
    used = (frames["sf"] >= 7) & (frames["sf"] <= 12) & (frames["repeat"] == 0)
    channels_hz = np.unique(frames["frequency_hz"][used]) if by_channel else np.zeros(1, np.int64)
    channel = np.searchsorted(channels_hz, frames["frequency_hz"]) if by_channel else np.zeros(len(frames), np.int64)
    channel = np.minimum(channel, len(channels_hz) - 1)
    cells, cell_of_frame = np.unique(channel[used] * 16 + frames["sf"][used], return_inverse=True)
    cell = np.full(len(frames), -1)
    cell[used] = cell_of_frame
    counts = sent(log)
    gaps = silences(log)
    off = _off_at(log, gaps)
    limits_dbm = _prior_limits_dbm(log)
    links: dict[tuple[int, int], Link] = {}
    share = np.zeros((len(log.devices), len(cells)))
    lost_share = np.zeros(len(log.devices))
    cell_channel, cell_sf = cells // 16, cells % 16
    for device in range(len(log.devices)):
        mine = np.flatnonzero(used & (frames["device"] == device))
        if not len(mine):
            continue
        lost = float(counts.frames[device] - len(mine))
        fitted, share[device], lost_share[device] = _fit_device(
            log, mine, cell[mine], off[mine], lost, cell_channel, cell_sf, limits_dbm
        )
        links |= {(device, gateway): link for gateway, link in fitted.items()}
    if not links:
        raise ValueError(f"no device has a gateway that heard {LEAST_HEARD} of its LoRa frames; a link needs as many")
    changes = {}
    for (device, gateway), link in links.items() if slow else ():
        chosen = used & (frames["device"] == device) & ~off[:, gateway]
        series = link_series(log, chosen, channel, gateway)
        if np.isfinite(series.power_dbm).sum() >= LEAST_HEARD_OF_SERIES:
            changes[device, gateway] = fit_slow(link, series)
    return Calibration(
        devices=log.devices, gateways=log.gateways, channels_hz=channels_hz, links=links, slow=changes,
        channel_share=share,
        cell_channel=cell_channel, cell_sf=cell_sf, available=1.0 - off.mean(axis=0), off=tuple(gaps),
        lost_share=lost_share,
        traffic=tuple(_traffic(log, device, counts.frames) for device in range(len(log.devices))),
        start_s=float(frames["time_s"].min()), end_s=float(frames["time_s"].max()),
    )  # fmt: skip


def link_data(
    log: TrafficLog, mine: NDArray[np.int64], cell: NDArray[np.int64], gateway: int, cell_channel: NDArray[np.int64],
    cell_sf: NDArray[np.int64], missed_beyond: NDArray[np.float64] | float = 0.0,
) -> LinkData:  # fmt: skip
    """What a gateway heard and missed of some frames.

    Args:
        log: The log.
        mine: The frames, ascending, and `cell` the cell of each.
        gateway: Its number.
        cell_channel, cell_sf: Of the cells. `[K]`
        missed_beyond: Frames of each cell that nobody heard. `[K]`
    """
    of_gateway = log.receptions["gateway"] == gateway
    frame, power_dbm = log.receptions["frame"][of_gateway], log.power_dbm[of_gateway]
    place = np.searchsorted(mine, frame)
    inside = (place < len(mine)) & (mine[np.minimum(place, len(mine) - 1)] == frame)
    heard_cell, level = cell[place[inside]], np.round(power_dbm[inside] / _POWER_STEP_DB).astype(np.int64)
    offset = level.min() if len(level) else 0
    distinct, count = np.unique(heard_cell * 4096 + (level - offset), return_counts=True)
    sent_by_cell = np.bincount(cell, minlength=len(cell_channel))
    heard_by_cell = np.bincount(heard_cell, minlength=len(cell_channel))
    return LinkData(
        power_dbm=(distinct % 4096 + offset) * _POWER_STEP_DB,
        power_cell=distinct // 4096,
        heard=count.astype(np.float64),
        missed=np.asarray(sent_by_cell - heard_by_cell + missed_beyond, np.float64),
        cell_channel=cell_channel,
        cell_step_db=step_db(cell_sf),
    )


def link_series(log: TrafficLog, chosen: NDArray[np.bool_], channel: NDArray[np.int64], gateway: int) -> Series:
    """The frames of a link in order of time.

    Args:
        log: The log.
        chosen: Frames of one device. `[F]`
        channel: Number of each frame's channel. `[F]`
        gateway: Its number.
    """
    power_dbm = np.full(len(log.frames), np.nan)
    of_gateway = log.receptions["gateway"] == gateway
    power_dbm[log.receptions["frame"][of_gateway]] = log.power_dbm[of_gateway]
    frames = log.frames[chosen]
    return Series(frames["time_s"].copy(), channel[chosen], power_dbm[chosen], step_db(frames["sf"].astype(np.int64)))


def _fit_device(
    log: TrafficLog, mine: NDArray[np.int64], cell: NDArray[np.int64], off: NDArray[np.bool_], lost: float,
    cell_channel: NDArray[np.int64], cell_sf: NDArray[np.int64], limits_dbm: NDArray[np.float64],
) -> tuple[dict[int, Link], NDArray[np.float64], float]:  # fmt: skip
    """Links of a device by gateway, the share of its frames on each cell, and the share lost whatever the links."""
    heard_by = log.heard[mine].sum(axis=0)
    gateways = np.flatnonzero(heard_by >= LEAST_HEARD)
    heard_cells = np.bincount(cell, minlength=len(cell_channel)).astype(np.float64)
    by_links = np.zeros(len(cell_channel))
    total = len(mine) + lost
    links: dict[int, Link] = {}
    beyond = 0.0
    turns = _TURNS if lost else 1
    for turn in range(turns):
        for g in gateways:
            on = ~off[:, g]
            data = link_data(log, mine[on], cell[on], int(g), cell_channel, cell_sf, by_links)
            blocks: list[LinkData] = []
            if turn == turns - 1:
                blocks = [
                    link_data(log, mine[part], cell[part], int(g), cell_channel, cell_sf, by_links / BLOCKS)
                    for part in np.array_split(np.flatnonzero(on), BLOCKS)
                    if len(part)
                ]
            links[int(g)] = fit_link(data, limits_dbm[g], blocks)
        share = (heard_cells + by_links + (lost - by_links.sum()) * heard_cells / len(mine)) / total
        silent = np.ones(len(cell_channel))
        for number, link in links.items():
            # A link's own loss is not tied to its power, as little as what all gateways miss together.
            silent *= 1.0 - (1.0 - off[:, number].mean()) * link.prr(cell_channel, step_db(cell_sf))
        explained = float(share @ silent)
        observed = lost / total
        beyond = max(0.0, (observed - explained) / (1.0 - explained)) if explained < 1.0 else 0.0
        weight = (1.0 - beyond) * share * silent
        by_links = lost * weight / (beyond + weight.sum()) if lost else by_links
    share = (heard_cells + by_links + (lost - by_links.sum()) * heard_cells / len(mine)) / total
    return links, share, beyond


def _off_at(log: TrafficLog, gaps: list[Silence]) -> NDArray[np.bool_]:
    """Whether each gateway was off when each frame was sent. `[F, G]`"""
    off = np.zeros((len(log.frames), len(log.gateways)), bool)
    for gap in gaps:
        off[:, gap.gateway] |= (log.frames["time_s"] > gap.from_s) & (log.frames["time_s"] < gap.until_s)
    return off


def _prior_limits_dbm(log: TrafficLog) -> NDArray[np.float64]:
    """Median noise of each gateway and the floor of SF7. `[G]` dBm"""
    noise = noise_dbm(log.receptions["rssi_dbm"], log.receptions["snr_db"])
    return np.array(
        [
            np.median(noise[log.receptions["gateway"] == g]) + FLOOR_DB
            if (log.receptions["gateway"] == g).any()
            else -126.0
            for g in range(len(log.gateways))
        ]
    )


def _traffic(log: TrafficLog, device: int, sent_frames: NDArray[np.int64]) -> Traffic:
    frames = log.frames[(log.frames["device"] == device) & (log.frames["repeat"] == 0)]
    near = (np.diff(frames["counter"]) == 1) & (np.diff(frames["session"]) == 0)
    steps_s = np.diff(frames["time_s"])[near]
    sizes = frames["payload_bytes"][frames["payload_bytes"] >= 0]
    low_s, middle_s, high_s = np.percentile(steps_s, (5, 50, 95)) if len(steps_s) else (np.nan,) * 3
    factors, uses = np.unique(frames["sf"], return_counts=True)
    return Traffic(
        period_s=float(middle_s),
        jitter_s=float(high_s - low_s) / 2,
        payload_bytes=int(np.median(sizes)) if len(sizes) else -1,
        sf=int(factors[uses.argmax()]) if len(factors) else 0,
        frames=int(sent_frames[device]),
    )
