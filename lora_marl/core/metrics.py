"""Metrics: one definition each, over arrays that broadcast. A zero denominator gives nan, without a warning.

Ratios of sums, not means of ratios: sum an outcome over nodes (or time, or replicas) first, then take the metric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lora_marl.core.units import HOUR_S

HOURS_PER_YEAR = 365.25 * 24.0


def pdr(sent: ArrayLike, delivered: ArrayLike) -> Any:
    """Packet delivery ratio: delivered / sent.

    Args:
        sent: Packets that ended. [...]
        delivered: Those of them that were delivered. [...]

    Returns:
        0 to 1; nan where nothing was sent. [...]

    Raises:
        ValueError: more delivered than sent.

    Source: D-LoRa Eq. (11).
    """
    if np.any(np.asarray(delivered) > np.asarray(sent)):
        raise ValueError("delivered exceeds sent: the arguments are pdr(sent, delivered)")
    return ratio(delivered, sent)


def frame_pdr(frames_delivered: ArrayLike, frames_lost: ArrayLike) -> Any:
    """Delivery ratio of frames that are sent up to several times, as packets: delivered / (delivered + lost).

    A frame is delivered if one of its packets is; `pdr` is the same of packets.

    Args:
        frames_delivered, frames_lost: As in `lora_marl.core.outcome.Outcome`. [...]

    Returns:
        0 to 1; nan where no frame ended. [...]
    """
    delivered = np.asarray(frames_delivered)
    return ratio(delivered, delivered + np.asarray(frames_lost))


def ee_bits_per_mj(delivered_bits: ArrayLike, energy_mj: ArrayLike) -> Any:
    """Energy efficiency: payload bits delivered per energy spent on all packets.

    Args:
        delivered_bits: 8 times the payload bytes of delivered packets. [...] bits
        energy_mj: Of all packets, lost ones too. [...] mJ

    Returns:
        [...] bits/mJ

    Source: D-LoRa Eq. (12).
    """
    return ratio(delivered_bits, energy_mj)


def ee_sum_bits_per_mj(node_ee_bits_per_mj: ArrayLike, axis: int = -1) -> Any:
    """Energy efficiency of a network as MMALoRa has it: the sum of its nodes', not the ratio of the sums.

    Nodes near a gateway make up most of it, so it compares allocations on one placement alone.

    Args:
        node_ee_bits_per_mj: `ee_bits_per_mj` of each node; nan (a node that sends nothing) counts as 0. [..., N, ...]
        axis: The axis of the nodes.

    Returns:
        [...] bits/mJ

    Source: MMALoRa Eq. (14).
    """
    return np.nansum(np.asarray(node_ee_bits_per_mj, dtype=np.float64), axis=axis)


def goodput_bps(delivered_bits: ArrayLike, duration_s: ArrayLike) -> Any:
    """Payload bits delivered per second of simulated time: [...] bits, [...] s -> [...] bit/s."""
    return ratio(delivered_bits, duration_s)


def bits_per_airtime_s(delivered_bits: ArrayLike, airtime_s: ArrayLike) -> Any:
    """Payload bits delivered per second of airtime, lost packets' included: the throughput TH of the D-LoRa papers.

    Args:
        delivered_bits: [...] bits
        airtime_s: Of all packets. [...] s

    Returns:
        [...] bit/s of airtime; for bits per second of simulated time see `goodput_bps`.

    Source: the D-LoRa code and its result files.
    """
    return ratio(delivered_bits, airtime_s)


def energy_per_delivered_mj(energy_mj: ArrayLike, delivered: ArrayLike) -> Any:
    """Energy spent on all packets per packet delivered (EPN): [...] mJ, [...] packets -> [...] mJ."""
    return ratio(energy_mj, delivered)


def battery_life_years(current_ma: ArrayLike, *, capacity_mah: float, self_discharge_per_year: float) -> Any:
    """How long a primary battery lasts: C / (8,766 h I + s C), the self-discharge s linear in time.

    Args:
        current_ma: Mean current of the device I, all of its states counted. [...] mA
        capacity_mah: Charge of the new battery C. mAh
        self_discharge_per_year: Share of C that is lost in a year by itself.

    Returns:
        [...] years; nan where nothing discharges the battery.
    """
    yearly_mah = np.asarray(current_ma, dtype=np.float64) * HOURS_PER_YEAR + self_discharge_per_year * capacity_mah
    return ratio(capacity_mah, yearly_mah)


def attempts_per_delivered(attempts: ArrayLike, delivered: ArrayLike) -> Any:
    """Attempts per frame delivered (ATP): [...] attempts, [...] frames -> [...].

    Where nearly all frames get through it is the inverse of the received share of attempts, so both say the same.

    Source: the CCS paper, KPIs.
    """
    return ratio(attempts, delivered)


def channel_overlap(airtime_s: ArrayLike) -> Any:
    """How far networks use the same channels: the cosine of their airtimes by channel, mean over pairs of networks.

    Args:
        airtime_s: [..., S, C] s

    Returns:
        1: all in the same shares; 0: no channel is used by two. nan where fewer than two networks sent. [...]
    """
    used = np.asarray(airtime_s, dtype=np.float64)
    length = np.sqrt((used**2).sum(axis=-1, keepdims=True))
    unit = ratio(used, length, empty=0.0)
    cosines = unit @ np.swapaxes(unit, -1, -2)
    senders = (length[..., 0] > 0.0).sum(axis=-1)
    both = cosines.sum(axis=(-1, -2)) - senders
    return ratio(both, senders * (senders - 1))


def utility(
    pdr: ArrayLike,
    ee_bits_per_mj: ArrayLike,
    bits_per_airtime_s: ArrayLike,
    *,
    weights: Sequence[float],
    scales: Sequence[float] = (1.0, 1.0, 1.0),
) -> Any:
    """The utility that the D-LoRa papers maximise: U = theta PDR + phi EE + psi TH.

    | journal | conference | name |
    |---|---|---|
    | alpha_1, alpha_2 | theta, phi | `weights[0]`, `weights[1]` |
    | (no throughput) | psi | `weights[2]`, 0 in the journal |

    Args:
        pdr: 0 to 1. [...]
        ee_bits_per_mj: [...] bits/mJ
        bits_per_airtime_s: [...] bit/s of airtime
        weights: Of the three, not negative, with sum 1. A metric of weight 0 is left out, even where it is nan.
        scales: What each metric is divided by first, above 0.

    Returns:
        [...]

    Raises:
        ValueError: weights or scales that are not three, or outside their range.

    Source: D-LoRa journal Eq. (13), conference Eq. (14).
    Differences: as printed, with scales of 1. Neither paper gives a weight, a scale or a unit, and neither reports U:
    in the units of this module (PDR below 1, EE about 70, TH about 600) equal weights leave throughput alone to decide,
    so give scales (the largest values that are compared, say) wherever the number is to mean something.
    """
    valid = math.isclose(sum(weights), 1.0, abs_tol=1e-9) and min(weights) >= 0.0
    _check_three("weights", weights, valid, "three numbers of at least 0 with sum 1")
    _check_three("scales", scales, min(scales, default=0.0) > 0.0, "three numbers above 0")
    total: Any = 0.0
    for value, weight, scale in zip((pdr, ee_bits_per_mj, bits_per_airtime_s), weights, scales, strict=True):
        share = np.asarray(value, dtype=np.float64) * (weight / scale)
        total = total + (share if weight else np.zeros_like(share))
    return total[()]


def jain_fairness(x: ArrayLike, axis: int = -1) -> Any:
    """Jain's index, (sum x)^2 / (n sum x^2): 1 when all have the same, 1/n when one has it all; nan for all zeros.

    Args:
        x: Shares, not negative, e.g. the PDR of each node. [..., n, ...]
        axis: The axis of length n.

    Source: Jain, Chiu and Hawe 1984.
    """
    shares = np.asarray(x, dtype=np.float64)
    return ratio(shares.sum(axis=axis) ** 2, shares.shape[axis] * (shares**2).sum(axis=axis))


def convergence_time_s(
    times_s: ArrayLike, values: ArrayLike, *, share: float = 0.9, first_s: float = HOUR_S, last_s: float = 100 * HOUR_S
) -> float:
    """When a learning curve has made a share of its change from the beginning to the end.

    The beginning is the mean of the samples of the first hour (at least one sample), the end that of the last 100 hours
    (of the whole curve where it is shorter). The curve may rise or fall. Samples that are nan are left out.

    Args:
        times_s: End of each sample's window, ascending from the start of the run at 0. [T] s
        values: [T]
        share: Of the change, 0 to 1.
        first_s: Length of the beginning. s
        last_s: Length of the end. s

    Returns:
        The first time at or beyond the share of the change; nan where no sample gets there. s

    Raises:
        ValueError: arrays that are not of one length, times that do not ascend.
    """
    times, curve = np.asarray(times_s, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if times.ndim != 1 or times.shape != curve.shape:
        raise ValueError(f"times_s and values have shapes {times.shape} and {curve.shape}: both must be [T]")
    if not (np.diff(times) > 0.0).all():
        raise ValueError("times_s must ascend")
    times, curve = times[np.isfinite(curve)], curve[np.isfinite(curve)]
    if not len(curve):
        return float("nan")
    began = curve[times <= max(first_s, times[0])].mean()
    ended = curve[times > times[-1] - last_s].mean()
    change = ended - began
    reached = np.flatnonzero((curve - began) * np.sign(change) >= share * abs(change))
    return float(times[reached[0]]) if len(reached) else float("nan")


def ratio(numerator: ArrayLike, denominator: ArrayLike, *, empty: float = math.nan) -> Any:
    """Element-wise quotient, and `empty` where the denominator is 0.

    Args:
        numerator: [...]
        denominator: Broadcasts with the numerator. [...]
        empty: Value where the denominator is 0.

    Returns:
        [...]
    """
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    out = np.full(np.broadcast_shapes(top.shape, bottom.shape), empty)
    return np.divide(top, bottom, out=out, where=bottom != 0.0)[()]


def _check_three(name: str, values: Sequence[float], valid: bool, allowed: str) -> None:
    if len(values) != 3 or not valid or not all(map(math.isfinite, values)):
        raise ValueError(f"{name} = {list(values)}: must be {allowed}, for PDR, EE and TH")
