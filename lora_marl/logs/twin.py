"""A calibrated network as a scenario: a YAML file beside CSV files, which everything else in the suite runs.

What a scenario cannot hold is folded into what it can, so that each link keeps its PRR on every channel:

- One spread for all channels of a link. A link's path loss on a channel is set so that its margin over the limit, in
  spreads, is that of the channel's own fit.
- Slow changes keep their share of the spread; what is left is drawn anew for each frame.
- A limit of each link and channel: a part of the gateway and channel (`noise_db`) and a part of the link
  (`sensitivity_db`).

Transmit power is not in logs: path losses are relative to `TP_DBM`, and devices of less power have larger losses.

Shape letters: `N` devices, `G` gateways, `C` channels.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from lora_marl.core.checks import suggest
from lora_marl.core.files import write_atomically
from lora_marl.core.geodesy import project_m
from lora_marl.core.region import REGIONS
from lora_marl.core.tables import SENSITIVITY_DBM
from lora_marl.core.units import DAY_S
from lora_marl.logs.calibration import Calibration, Traffic, step_db
from lora_marl.logs.slow_fit import LEAST_HEARD

TP_DBM = 14.0
"""Transmit power that path losses are relative to. dBm"""

SENSITIVITY = "dlora_table_i"
"""Table of sensitivities by data rate, which the steps between data rates are from."""

UNKNOWN_PAYLOAD_BYTES = 25


def scenario_links(calibration: Calibration) -> dict[str, NDArray[np.float64]]:
    """The fields of `lora_marl.core.links.Links` that a calibration states.

    Returns:
        `path_loss_db [N, G, C]`, `noise_db [G, C]`, all others `[N, G]`.
    """
    shape = (len(calibration.devices), len(calibration.gateways), len(calibration.channels_hz))
    nominal_dbm = SENSITIVITY_DBM[SENSITIVITY][0, 0]
    limit_dbm = np.full(shape, np.nan)
    for (device, gateway), link in calibration.links.items():
        limit_dbm[device, gateway] = link.limit_dbm
    known = np.isfinite(limit_dbm)
    link_db = np.where(known, limit_dbm, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    excess_db = np.where(known, limit_dbm - link_db[..., None], 0.0)
    noise_db = excess_db.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    sensitivity_db = np.where(known.any(axis=-1), link_db - nominal_dbm, 0.0)
    path_loss_db, spread_db, missed_share = np.full(shape, np.inf), np.zeros(shape[:2]), np.zeros(shape[:2])
    slow_db, slow_s, channel_slow_db, channel_slow_s = (np.full(shape[:2], start) for start in (0.0, DAY_S, 0.0, DAY_S))
    for (device, gateway), link in calibration.links.items():
        common_db = float(np.sqrt(np.mean(link.total_spread_db**2)))
        margin = (link.mean_dbm - link.limit_dbm) / link.total_spread_db
        used_dbm = nominal_dbm + sensitivity_db[device, gateway] + noise_db[gateway]
        path_loss_db[device, gateway] = TP_DBM - (used_dbm + common_db * margin)
        missed_share[device, gateway] = link.loss
        slow = calibration.slow.get((device, gateway))
        if slow is not None:
            # The whole spread stays that of the link's own fit, which keeps its PRR.
            fast = slow.packet_db**2 + link.softness_db**2
            scale = common_db / math.sqrt(fast + slow.link_db**2 + slow.channel_db**2)
            slow_db[device, gateway], slow_s[device, gateway] = scale * slow.link_db, slow.link_s
            channel_slow_db[device, gateway], channel_slow_s[device, gateway] = scale * slow.channel_db, slow.channel_s
            spread_db[device, gateway] = scale * math.sqrt(fast)
        else:
            spread_db[device, gateway] = common_db
    return {
        "path_loss_db": path_loss_db,
        "spread_db": spread_db,
        "sensitivity_db": sensitivity_db,
        "noise_db": noise_db,
        "missed_share": missed_share,
        "slow_db": slow_db,
        "slow_s": slow_s,
        "channel_slow_db": channel_slow_db,
        "channel_slow_s": channel_slow_s,
    }


def not_identified(calibration: Calibration) -> list[str]:
    """What the log does not say, in sentences."""
    sentences = [
        f"Transmit powers: they are not in logs, so losses are relative to {TP_DBM:g} dBm.",
        "Repetitions of unconfirmed frames (NbTrans): network servers drop them; a PRR is that of all copies together.",
    ]
    unclear = [
        (device, gateway) for (device, gateway), link in calibration.links.items() if not link.identified_limits().any()
    ]
    if unclear:
        sentences.append(
            f"Limits of {len(unclear)} of {len(calibration.links)} links ({_pairs(calibration, unclear)}): nearly all "
            "of their frames were heard, so how much weaker they may become is a guess from the noise."
        )
    for sf in np.unique(calibration.cell_sf):
        steps = calibration.channel_share[:, calibration.cell_sf == sf].sum()
        total = calibration.channel_share.sum()
        if steps / total > 0.999:
            sentences.append(
                f"Other spreading factors than {sf}, which {100 * steps / total:.2f} % of frames used: steps to others "
                "are those of a table."
            )
    without = [pair for pair in calibration.links if pair not in calibration.slow]
    if without:
        sentences.append(
            f"Slow changes of {len(without)} of {len(calibration.links)} links: fewer than {LEAST_HEARD} frames were "
            "heard, so their whole spread is drawn anew for each frame."
        )
    span_s = calibration.end_s - calibration.start_s
    lasting = [pair for pair, slow in calibration.slow.items() if max(slow.link_s, slow.channel_s) > span_s / 4]
    if lasting:
        sentences.append(
            f"How long slow changes of {len(lasting)} links last ({_pairs(calibration, lasting)}): longer than a "
            "quarter of the log."
        )
    left = [name for number, name in enumerate(calibration.devices) if not _has_link(calibration, number)]
    if left:
        sentences.append(f"Devices without a link (too few frames), left out: {', '.join(left[:10])}.")
    unstated = [name for name, traffic in zip(calibration.devices, calibration.traffic) if traffic.payload_bytes < 0]
    if unstated:
        sentences.append(
            f"Payloads of {', '.join(unstated[:10])}: not stated, {UNKNOWN_PAYLOAD_BYTES} bytes are assumed."
        )
    return sentences


def write_scenario(
    calibration: Calibration, gateway_lat_lon: NDArray[np.float64], folder: Path, name: str, region: str
) -> Path:
    """Write `scenario.yaml` and the files that it reads, and `fit.csv`.

    `fit.csv` lists each link and channel with standard errors, which do not contain that of RSSI in whole dB (some
    0.15 dB where half of the frames are missed); the scenario does not read it.

    Args:
        calibration: The network.
        gateway_lat_lon: Positions; NaN: unknown, placed in the middle. `[G, 2]` degrees
        folder: It exists.
        name: Of the scenario.
        region: One of `lora_marl.core.region.REGIONS`, for downlinks and powers; a log does not say which.

    Returns:
        The path of the YAML file.

    Raises:
        ValueError: an unknown region, or one that has none of the log's channels.
    """
    if region not in REGIONS:
        raise ValueError(f"region: {region!r} is no region{suggest(region, REGIONS)}")
    if not np.isin(calibration.channels_hz, REGIONS[region].channels_hz).any():
        heard = ", ".join(f"{hz / 1e6:g}" for hz in calibration.channels_hz)
        raise ValueError(f"region: {region}; none of the log's channels, {heard} MHz, is one of its own")
    kept = [number for number in range(len(calibration.devices)) if _has_link(calibration, number)]
    links = scenario_links(calibration)
    places_m = _places_m(gateway_lat_lon)
    _write_csv(
        folder / "gateways.csv",
        ("id", "x_m", "y_m"),
        [(label, *np.round(place, 1)) for label, place in zip(calibration.gateways, places_m, strict=True)],
    )
    rows = []
    for number in kept:
        best = min(
            (g for g in range(len(calibration.gateways)) if (number, g) in calibration.links),
            key=lambda g, n=number: float(links["path_loss_db"][n, g].min()),  # type: ignore[misc]
        )
        traffic = calibration.traffic[number]
        rows.append(
            (calibration.devices[number], *np.round(places_m[best], 1), _payload(traffic),
             round(_period_s(calibration, traffic), 3))
        )  # fmt: skip
    _write_csv(folder / "nodes.csv", ("id", "x_m", "y_m", "payload_bytes", "interval_s"), rows)
    _write_csv(folder / "fit.csv", LINK_COLUMNS, link_rows(calibration))
    lost = np.average(calibration.lost_share[kept], weights=[calibration.traffic[n].frames for n in kept])
    _write_links(calibration, links, folder)
    off = [
        [
            calibration.gateways[gap.gateway],
            round(gap.from_s - calibration.start_s, 1),
            round(gap.until_s - calibration.start_s, 1),
        ]
        for gap in calibration.off
    ]
    document = {
        "name": name,
        "duration_h": round((calibration.end_s - calibration.start_s) / 3600.0, 1),
        "scenario": {
            "topology": {"kind": "csv", "nodes_csv": "nodes.csv", "gateways_csv": "gateways.csv"},
            "region": {"name": region, "channels_hz": [float(hz) for hz in calibration.channels_hz]},
            "propagation": {"shadowing_db": 0.0},
            "reception": {"sensitivity_dbm": SENSITIVITY, "inter_sf": "sir_pairwise", "sir_db": "goursaud"},
            "traffic": {"kind": "periodic", "jitter_s": round(_jitter_s(calibration, kept), 3), "duty_cycle": None},
            "links": {
                "path_loss_csv": "path_loss.csv",
                "links_csv": "links.csv",
                "noise_csv": "noise.csv",
                "lost_share": round(float(lost), 6),
                **({"off": off} if off else {}),
            },
        },
        "learners": {"adr-chirpstack": {}, "adr-tts": {}},
    }
    heading = (
        "# Calibrated from recorded traffic; fit.csv has every link with standard errors. What is not identified:\n"
        + "".join(f"# - {sentence}\n" for sentence in not_identified(calibration))
    )
    path = folder / "scenario.yaml"
    write_atomically(path, heading + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120))
    return path


LINK_COLUMNS = ("device", "gateway", "frequency_hz", "mean_dbm", "mean_error_db", "limit_dbm", "limit_error_db",
                "limit_identified", "spread_db", "softness_db", "loss", "prr_sf7", "prr_sf7_error")  # fmt: skip


def link_rows(calibration: Calibration) -> list[tuple[Any, ...]]:
    """A row of `LINK_COLUMNS` for each link and channel; errors are standard errors."""
    rows = []
    for (device, gateway), link in calibration.links.items():
        mean_error, limit_error = link.standard_errors()
        identified = link.identified_limits()
        for channel, frequency_hz in enumerate(calibration.channels_hz):
            rate = link.prr(np.array([channel]), step_db(np.array([7])))[0]
            rows.append(
                (calibration.devices[device], calibration.gateways[gateway], int(frequency_hz),
                 round(float(link.mean_dbm[channel]), 3), round(float(mean_error[channel]), 3),
                 round(float(link.limit_dbm[channel]), 3), round(float(limit_error[channel]), 3),
                 "yes" if identified[channel] else "no", round(float(link.spread_db[channel]), 3),
                 round(link.softness_db, 3), round(link.loss, 5), round(float(rate), 5),
                 round(link.prr_error(channel, 0.0), 5))
            )  # fmt: skip
    return rows


def _has_link(calibration: Calibration, device: int) -> bool:
    return any((device, gateway) in calibration.links for gateway in range(len(calibration.gateways)))


def _payload(traffic: Traffic) -> int:
    return traffic.payload_bytes if traffic.payload_bytes > 0 else UNKNOWN_PAYLOAD_BYTES


def _period_s(calibration: Calibration, traffic: Traffic) -> float:
    """Median time between frames, or, where no two neighbours were heard, the span of the log over its frames."""
    if np.isfinite(traffic.period_s) and traffic.period_s > 0:
        return traffic.period_s
    return (calibration.end_s - calibration.start_s) / max(traffic.frames, 1)


def _jitter_s(calibration: Calibration, kept: Sequence[int]) -> float:
    """Median jitter, at most the shortest period."""
    values = [calibration.traffic[n].jitter_s for n in kept if np.isfinite(calibration.traffic[n].jitter_s)]
    periods = [_period_s(calibration, calibration.traffic[n]) for n in kept]
    return min(float(np.median(values)) if values else 0.0, min(periods))


def _places_m(lat_lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions in metres around the middle of those that are known; the others are in the middle. `[G, 2]` m"""
    known = np.isfinite(lat_lon).all(axis=1)
    places_m = np.zeros_like(lat_lon)
    if known.any():
        middle = lat_lon[known].mean(axis=0)
        places_m[known] = project_m(lat_lon[known], (float(middle[0]), float(middle[1])))
    return places_m


def _write_links(calibration: Calibration, links: Mapping[str, NDArray[np.float64]], folder: Path) -> None:
    """The files of losses, of links and of noise; values of links are named as the fields of a scenario's links."""
    channels = range(len(calibration.channels_hz))
    of_links = [name for name in links if name not in ("path_loss_db", "noise_db")]
    losses, values = [], []
    for device, gateway in calibration.links:
        pair = (calibration.devices[device], calibration.gateways[gateway])
        losses += [
            (*pair, channel, round(float(links["path_loss_db"][device, gateway, channel]), 3)) for channel in channels
        ]
        values.append((*pair, *(round(float(links[name][device, gateway]), 5) for name in of_links)))
    noise = [
        (label, channel, round(float(links["noise_db"][gateway, channel]), 3))
        for gateway, label in enumerate(calibration.gateways)
        for channel in channels
    ]
    _write_csv(folder / "path_loss.csv", ("node", "gateway", "channel", "loss_db"), losses)
    _write_csv(folder / "links.csv", ("node", "gateway", *of_links), values)
    _write_csv(folder / "noise.csv", ("gateway", "channel", "noise_db"), noise)


def _pairs(calibration: Calibration, pairs: list[tuple[int, int]]) -> str:
    named = ", ".join(f"{calibration.devices[d]} at {calibration.gateways[g]}" for d, g in pairs[:4])
    return named + (", ..." if len(pairs) > 4 else "")


def _write_csv(path: Path, header: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(path, text.getvalue())
