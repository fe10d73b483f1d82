"""The observation of a network server: statistics of its own network, and how busy others keep the channels.

All averages are exponential over intervals; the newest has a weight of 0.5.

Shape letters: `B` replicas, `S` networks, `Q` groups of a network, `C` channels, `O` offsets, `D` features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.envs.coexistence.groups import OFFSETS
from lora_marl.envs.coexistence.totals import IntervalTotals
from lora_marl.envs.features import Feature

NEWEST, NEWEST_OF_TREND = 0.5, 0.1
"""Weight of the newest interval in the averages, and in the slow average behind `trend`."""

TRUSTED_ATTEMPTS = 4
"""Attempts from which on an interval's ratio has its full weight."""

UNKNOWN_RATIO, DRIFT = 0.7, 0.02
"""The ratio that averages start from; those of unused channels return to it, by this share of the way an interval."""

BUSY_LEVELS = (0.03, 0.075, 0.125, 0.25, 0.4)
"""Busy shares of time at which the level of a channel rises by one."""

LEVEL_SCALE, BUSY_NOISE = 2.5, 0.015
"""The level that counts as 1, and the standard deviation of a measured share of time."""

MOST_ATTEMPTS, MOST_ENERGY = 4.0, 16.0
"""Upper bounds of attempts per delivered frame and of the energy ratio."""


def network_table(channels: int, queue_frames: int) -> tuple[Feature, ...]:
    """The features of a network, the same for all its groups."""
    by_channel, by_offset = tuple(f"_{c}" for c in range(channels)), tuple(f"_{o}" for o in range(OFFSETS))
    busy = "how busy others keep the channel, levels 0 to 5"
    return (
        Feature("received_channel", "2 x - 1", -1, 1, "received share by channel", by_channel),
        Feature("share_channel", "2 x", 0, 2, "share of own attempts by channel", by_channel),
        Feature("busy_channel", f"level / {LEVEL_SCALE:g}", 0, 2, busy, by_channel),
        Feature("received_offset", "2 x - 1", -1, 1, "received share by steps above least SF", by_offset),
        Feature("share_offset", "share", 0, 1, "share of own attempts by steps above it", by_offset),
        Feature("prr", "2 x - 1", -1, 1, "received share of all attempts"),
        Feature("trend", "4 x", -4, 4, "the same minus its slow average (weight 0.1)"),
        Feature("queue", "2 frames", 0, queue_frames / 2, "frames that wait at the end of the interval, mean per node"),
        Feature("repeats", "attempts", 0, MOST_ATTEMPTS - 1, "attempts per delivered frame (at most 4) minus 1"),
    )


def group_table(groups: int, prefix: str) -> tuple[Feature, ...]:
    """The features of a group; in an observation of all groups, `prefix` tells their names apart."""
    by_group = tuple(f"_{q}" for q in range(groups))
    energy = "its energy per attempt over that at least SF, 14 dBm"
    return (
        Feature(f"{prefix}is", "flag", 0, 1, "which group it is, from the best links to the worst", by_group),
        Feature(f"{prefix}received", "2 x - 1", -1, 1, "received share of the group's attempts"),
        Feature(f"{prefix}energy", "ratio - 1", -1, MOST_ENERGY, energy),
    )


class ServerFeatures:
    """The averages behind the observations of all networks.

    Args:
        shape: `(B, S, Q, C)`.
        reference_mj: Energy of an attempt at least spreading factor and 14 dBm, the group's mean. `[B, S, Q]` mJ
        rngs: Random streams of the noise of the interference indicator. `[B]`
    """

    def __init__(
        self, shape: tuple[int, int, int, int], reference_mj: NDArray[np.float64], rngs: list[np.random.Generator]
    ) -> None:
        replicas, networks, groups, channels = shape
        self._rngs, self.reference_mj = rngs, reference_mj
        per_channel = (replicas, networks, channels)
        self._channel = np.full(per_channel, UNKNOWN_RATIO)
        self._channel_share, self._level = np.zeros(per_channel), np.zeros(per_channel)
        self._offset = np.full((replicas, networks, OFFSETS), UNKNOWN_RATIO)
        self._offset_share = np.zeros((replicas, networks, OFFSETS))
        self._prr, self._slow = (np.full((replicas, networks), UNKNOWN_RATIO) for _ in range(2))
        self._queued, self._repeats = np.zeros((replicas, networks)), np.zeros((replicas, networks))
        self._group = np.full((replicas, networks, groups), UNKNOWN_RATIO)
        self._energy = np.ones((replicas, networks, groups))

    def update(self, totals: IntervalTotals, busy: NDArray[np.float64] | None) -> None:
        """Add an interval to the averages.

        Args:
            totals: The totals of the interval.
            busy: Share of time that others kept each channel busy `[B, S, C]`; None: there is no indicator.
        """
        used = totals.channel_attempts > 0
        drifted = self._channel + DRIFT * (UNKNOWN_RATIO - self._channel)
        moved = _towards(self._channel, totals.channel_received, totals.channel_attempts)
        self._channel = np.where(used, moved, drifted)
        self._offset = _towards(self._offset, totals.offset_received, totals.offset_attempts)
        attempts, received = totals.attempts.sum(-1), totals.received.sum(-1)
        self._channel_share = _shares(self._channel_share, totals.channel_attempts, attempts)
        self._offset_share = _shares(self._offset_share, totals.offset_attempts, attempts)
        self._prr = _mean(self._prr, received, attempts, NEWEST)
        self._slow = _mean(self._slow, received, attempts, NEWEST_OF_TREND)
        self._queued = totals.queued
        delivered = totals.frames_delivered.sum(-1)
        per_frame = np.where(delivered > 0, attempts / np.maximum(delivered, 1), MOST_ATTEMPTS)
        self._repeats = np.where(attempts > 0, np.clip(per_frame, 1.0, MOST_ATTEMPTS) - 1.0, 0.0)
        self._group = _mean(self._group, totals.received, totals.attempts, NEWEST)
        self._energy = _mean(self._energy, totals.energy_mj / self.reference_mj, totals.attempts, NEWEST)
        if busy is not None:
            noise = np.stack([rng.normal(0.0, BUSY_NOISE, busy.shape[1:]) for rng in self._rngs])
            level = np.digitize(busy + noise, BUSY_LEVELS) / LEVEL_SCALE
            self._level += NEWEST * (level - self._level)

    def state_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The averages and their reference by the names that files have for them (not copies)."""
        return {
            "reference_mj": self.reference_mj,
            "channel": self._channel,
            "channel_share": self._channel_share,
            "level": self._level,
            "offset": self._offset,
            "offset_share": self._offset_share,
            "prr": self._prr,
            "slow": self._slow,
            "queued": self._queued,
            "repeats": self._repeats,
            "group": self._group,
            "energy": self._energy,
        }

    def network_array(self) -> NDArray[np.float32]:
        """Values of `network_table`. `[B, S, D]`"""
        single = [2 * self._prr - 1, 4 * (self._prr - self._slow), self._queued / 2, self._repeats]
        parts = [2 * self._channel - 1, 2 * self._channel_share, self._level, 2 * self._offset - 1, self._offset_share]
        return np.concatenate([*parts, np.stack(single, axis=-1)], axis=-1).astype(np.float32)

    def group_array(self) -> NDArray[np.float32]:
        """Values of `group_table`. `[B, S, Q, D]`"""
        one_hot = np.broadcast_to(np.eye(self._group.shape[-1]), (*self._group.shape, self._group.shape[-1]))
        ratios = np.stack([2 * self._group - 1, np.minimum(self._energy - 1, MOST_ENERGY)], axis=-1)
        return np.concatenate([one_hot, ratios], axis=-1).astype(np.float32)


def _towards(mean: NDArray[np.float64], received: NDArray, attempts: NDArray) -> NDArray[np.float64]:
    """The average of a ratio after an interval, which has less weight the fewer attempts it had."""
    weight = NEWEST * np.minimum(1.0, attempts / TRUSTED_ATTEMPTS)
    return mean + weight * (received / np.maximum(attempts, 1) - mean)


def _mean(mean: NDArray[np.float64], sums: NDArray, attempts: NDArray, weight: float) -> NDArray[np.float64]:
    """The average of a mean per attempt after an interval; without attempts it stays."""
    return np.where(attempts > 0, mean + weight * (sums / np.maximum(attempts, 1) - mean), mean)


def _shares(mean: NDArray[np.float64], part: NDArray, attempts: NDArray) -> NDArray[np.float64]:
    """The average shares of a network's attempts after an interval; without attempts they stay."""
    return _mean(mean, part, attempts[..., None], NEWEST)
