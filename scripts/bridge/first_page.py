"""The first page of a log: tables of devices, gateways and links, and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table

from lora_marl.core.units import DAY_S, HOUR_S
from lora_marl.logs.counting import Sent, Silence, sent, silences
from lora_marl.logs.esp import noise_dbm
from lora_marl.logs.tables import TrafficLog

_LISTED = 30
"""Rows of a table at most; the rest is counted."""

_LINKS_OF_TABLE = 8
"""Gateways of the table of links: those that hear most."""


def tables(log: TrafficLog) -> Iterator[Table | str]:
    """The page, part by part."""
    counts = sent(log)
    yield headline(log, counts)
    yield devices(log, counts)
    yield gateways(log, counts)
    yield links(log, counts)
    yield channels(log)
    gaps = silences(log)
    if gaps:
        yield gateway_gaps(log, gaps)
    yield report(log)


def headline(log: TrafficLog, counts: Sent) -> str:
    """Span, sizes and delivery, in two lines."""
    time_s = log.frames["time_s"]
    days = (time_s.max() - time_s.min()) / DAY_S
    pdr = counts.heard.sum() / counts.frames.sum()
    return (
        f"{_moment(time_s.min())} to {_moment(time_s.max())} ({days:.1f} days): {len(log.devices)} devices, "
        f"{int((log.heard.any(axis=0)).sum())} gateways\n"
        f"{len(log.frames):,} frames, {len(log.receptions):,} receptions, "
        f"{len(log.receptions) / len(log.frames):.2f} gateways per frame; "
        f"delivered {100 * pdr:.2f} % of {counts.frames.sum():,} frames sent (by frame counters)"
    )


def devices(log: TrafficLog, counts: Sent) -> Table:
    """A row for each device, the worst delivery first."""
    table = _table(
        "devices, worst delivery first; sent: by frame counters; period: between frames of neighbouring counters",
        *("device", "sent", "delivered [%]", "period [s]", "sessions", "frame [bytes]", "data rates"),
    )
    order = np.argsort(np.where(counts.frames > 0, counts.pdr, 2.0), kind="stable")
    for number in order[:_LISTED]:
        frames = log.frames[log.frames["device"] == number]
        if not len(frames):
            continue
        sizes = frames["payload_bytes"][frames["payload_bytes"] >= 0]
        table.add_row(
            log.devices[number], f"{counts.frames[number]:,}", f"{100 * counts.pdr[number]:.2f}",
            f"{counts.period_s[number]:.1f}", str(frames["session"].max() - frames["session"].min() + 1),
            f"{np.median(sizes):.0f}" if len(sizes) else "unknown", _shares(frames["sf"], "SF"),
        )  # fmt: skip
    return _rest(table, len(order))


def gateways(log: TrafficLog, counts: Sent) -> Table:
    """A row for each gateway that heard something."""
    table = _table("gateways: frames heard, as a share of those sent by the devices that it hears",
                   "gateway", "heard", "PRR [%]", "power [dBm]", "noise [dBm]", "position")  # fmt: skip
    power_dbm, noise = log.power_dbm, noise_dbm(log.receptions["rssi_dbm"], log.receptions["snr_db"])
    heard = counts.heard_by.sum(axis=0)
    for number in np.argsort(-heard, kind="stable")[:_LISTED]:
        if not heard[number]:
            continue
        of_gateway = log.receptions["gateway"] == number
        reached = counts.heard_by[:, number] > 0
        position = log.gateway_lat_lon[number]
        table.add_row(
            log.gateways[number], f"{heard[number]:,}", f"{100 * heard[number] / counts.frames[reached].sum():.2f}",
            f"{np.median(power_dbm[of_gateway]):.1f}", f"{np.median(noise[of_gateway]):.1f}",
            "unknown" if np.isnan(position).any() else f"{position[0]:.4f}, {position[1]:.4f}",
        )  # fmt: skip
    return _rest(table, int((heard > 0).sum()))


def links(log: TrafficLog, counts: Sent) -> Table:
    """PRR of devices at the gateways that hear most."""
    best = np.argsort(-counts.heard_by.sum(axis=0), kind="stable")[:_LINKS_OF_TABLE]
    table = _table("PRR by device and gateway [%]", "device", *short_names([log.gateways[number] for number in best]))
    order = np.argsort(-counts.frames, kind="stable")
    for number in order[:_LISTED]:
        table.add_row(log.devices[number], *(f"{100 * rate:.1f}" for rate in counts.prr[number, best]))
    return _rest(table, len(order))


def channels(log: TrafficLog) -> Table:
    """A row for each channel: frames heard by somebody, gateways per frame."""
    table = _table("channels", "frequency [MHz]", "frames", "share [%]", "gateways per frame", "data rates")
    each = np.bincount(log.receptions["frame"], minlength=len(log.frames))
    for frequency_hz, frames in zip(*np.unique(log.frames["frequency_hz"], return_counts=True), strict=True):
        chosen = log.frames["frequency_hz"] == frequency_hz
        rates = _shares(log.frames["sf"][chosen], "SF")
        table.add_row(
            f"{frequency_hz / 1e6:.3f}" if frequency_hz else "not stated", f"{frames:,}",
            f"{100 * frames / len(log.frames):.1f}", f"{each[chosen].mean():.2f}", rates,
        )  # fmt: skip
    return table


def gateway_gaps(log: TrafficLog, gaps: list[Silence]) -> Table:
    """Times in which gateways heard nothing, the longest first."""
    table = _table(
        "gateways off, or deaf: times without a frame that their links make all but impossible",
        *("gateway", "from", "until", "hours", "frames that others heard"),
    )
    ordered = sorted(gaps, key=lambda gap: gap.from_s - gap.until_s)
    for gap in ordered[:_LISTED]:
        hours = (gap.until_s - gap.from_s) / HOUR_S
        table.add_row(
            log.gateways[gap.gateway], _moment(gap.from_s), _moment(gap.until_s), f"{hours:.1f}", f"{gap.frames:,}"
        )
    return _rest(table, len(ordered))


def report(log: TrafficLog) -> str:
    """What reading counted, in lines."""
    counted = log.report
    lines = [f"{counted['files']} files, {counted['lines']:,} lines; events: {_pairs(counted['events'])}"]
    for title, key in (("formats", "formats"), ("mended", "mended"), ("skipped", "skipped")):
        present = {name: count for name, count in counted[key].items() if count}
        if present:
            lines.append(f"{title}: {_pairs(present)}")
    return "\n".join([*lines, *counted["problems"][:5]])


def draw(log: TrafficLog, path: Path) -> None:
    """Four pictures in one file: delivery by day, data rates by day, PRR by gateway and channel, received power."""
    counts = sent(log)
    figure = Figure(figsize=(14, 9), layout="constrained")
    by_day, rates, cells, powers = figure.subplots(2, 2).flat
    best = np.argsort(-counts.heard_by.sum(axis=0), kind="stable")[:_LINKS_OF_TABLE]
    _draw_days(by_day, log, best)
    _draw_rates(rates, log)
    _draw_channels(cells, figure, log, best)
    for number, name in zip(best, short_names([log.gateways[number] for number in best]), strict=True):
        of_gateway = log.receptions["gateway"] == number
        powers.hist(log.power_dbm[of_gateway], bins=np.arange(-150, -40, 1.0), histtype="step", label=name)
    shown = np.percentile(log.power_dbm, (0.1, 99.9))
    powers.set(xlabel="received power [dBm]", ylabel="receptions", xlim=(shown[0] - 3, shown[1] + 3))
    powers.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def _draw_days(axes: Axes, log: TrafficLog, best: NDArray[np.intp]) -> None:
    day = (log.frames["time_s"] // DAY_S).astype(np.int64)
    days = np.arange(day.min(), day.max() + 1)
    frames = np.bincount(day - days[0], minlength=len(days))
    moments = days.astype("datetime64[D]")
    for number, name in zip(best, short_names([log.gateways[number] for number in best]), strict=True):
        heard = np.bincount(day[log.heard[:, number]] - days[0], minlength=len(days))
        axes.plot(moments, np.where(frames, 100 * heard / np.maximum(frames, 1), np.nan), label=name)
    _dates(axes)
    axes.set(ylabel="heard, of frames that anybody heard [%]", ylim=(0, 102))
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)


def _draw_rates(axes: Axes, log: TrafficLog) -> None:
    day = (log.frames["time_s"] // DAY_S).astype(np.int64)
    days = np.arange(day.min(), day.max() + 1)
    values = np.unique(log.frames["sf"])
    stacks = [np.bincount(day[log.frames["sf"] == sf] - days[0], minlength=len(days)) for sf in values]
    moments = days.astype("datetime64[D]")
    axes.stackplot(moments, stacks, labels=[f"SF{sf}" if sf else "no LoRa" for sf in values], step="mid")
    _dates(axes)
    axes.set(ylabel="frames heard in a day")
    axes.legend(fontsize="small", loc="lower left")


def _draw_channels(axes: Axes, figure: Figure, log: TrafficLog, best: NDArray[np.intp]) -> None:
    frequencies, channel = np.unique(log.frames["frequency_hz"], return_inverse=True)
    heard = np.zeros((len(best), len(frequencies)))
    for row, number in enumerate(best):
        heard[row] = np.bincount(channel[log.heard[:, number]], minlength=len(frequencies))
    image = axes.imshow(100 * heard / np.bincount(channel), vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(frequencies)), [f"{hz / 1e6:.1f}" for hz in frequencies])
    axes.set_yticks(range(len(best)), short_names([log.gateways[number] for number in best]))
    axes.set(xlabel="channel [MHz]", title="heard, of frames that anybody heard [%]")
    figure.colorbar(image, ax=axes)


def short_names(names: Sequence[str]) -> list[str]:
    """The last eight characters of names, or more of them where that does not tell them apart; EUIs differ there."""
    length = 8
    while len({name[-length:] for name in names}) < len(set(names)):
        length += 4
    return [name if len(name) <= length else f"…{name[-length:]}" for name in names]


def _dates(axes: Axes) -> None:
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        left = number == 0 or name in ("position", "data rates")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    return table


def _rest(table: Table, rows: int) -> Table:
    if rows > _LISTED:
        table.caption = f"{rows - _LISTED} more"
    return table


def _shares(values: NDArray[np.int8], prefix: str) -> str:
    """The values and their shares, the commonest first."""
    each, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return ", ".join(f"{prefix}{each[i]} {100 * counts[i] / len(values):.0f} %" for i in order[:4])


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _moment(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M}"
