"""From what servers choose to what nodes send with.

Shape letters: `B` replicas, `N` nodes, `R` groups of learning networks, `A` actions of a group, `K` points of a
mixture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.coexistence import Coexistence
from lora_marl.core.mixture import Mixture
from lora_marl.core.region import Region
from lora_marl.envs.coexistence.groups import OFFSETS, Groups
from lora_marl.envs.coexistence.non_learning import DEFAULT_CHANNELS, AdaptiveDataRate


@dataclass(frozen=True)
class GroupActions:
    """A group's actions: channel, steps above each node's least spreading factor, power, in this order, last fastest.

    Attributes:
        region: Of all networks.
        powers: Indices of the powers that may be chosen.
    """

    region: Region
    powers: tuple[int, ...]

    @classmethod
    def of(cls, region: Region, tp_dbm: Sequence[float]) -> GroupActions:
        """With powers in dBm. ValueError: one that the region lacks."""
        listed = list(tp_dbm) if isinstance(tp_dbm, (Sequence, np.ndarray)) and not isinstance(tp_dbm, str) else []
        if not listed or any(next_dbm <= each for each, next_dbm in zip(listed, listed[1:], strict=False)):
            raise ValueError(f"tp_dbm: {tp_dbm!r}; allowed are powers that ascend, at least one")
        for each in tp_dbm:
            if each not in region.tp_dbm:
                raise ValueError(f"tp_dbm: {each} is not one of the region's {', '.join(map(str, region.tp_dbm))}")
        return cls(region, tuple(region.tp_dbm.index(float(each)) for each in tp_dbm))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Channels, offsets and powers."""
        return len(self.region.channels_hz), OFFSETS, len(self.powers)

    @property
    def size(self) -> int:
        """`A`"""
        return math.prod(self.sizes)

    def parts(self, actions: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Channel, offset and index of the power of actions `[...]`."""
        rest, power = np.divmod(np.asarray(actions, np.int64), len(self.powers))
        channel, offset = np.divmod(rest, OFFSETS)
        return channel, offset, np.array(self.powers)[power]

    def points(self, actions: NDArray[np.int64], least_sf: NDArray[np.int64]) -> NDArray[np.int16]:
        """Operating points of nodes whose actions `[...]` and least spreading factors `[...]` are given. `[..., 4]`"""
        channel, offset, tp = self.parts(actions)
        sf = np.minimum(least_sf + offset, len(self.region.spreading_factors) - 1)
        return np.stack(np.broadcast_arrays(sf, 0, channel, tp), axis=-1).astype(np.int16)


class Commands:
    """What is in force in all networks: the choices of those that learn, and the rules of those that do not.

    Args:
        coexistence: The networks.
        groups: As drawn.
        actions: What a group may choose.

    Attributes:
        points: `[B, N, 4]`
        adr: Of networks under adaptive data rate, or None.
    """

    def __init__(self, coexistence: Coexistence, groups: Groups, actions: GroupActions) -> None:
        rules = np.array([deployment.rule for deployment in coexistence.deployments])
        self._groups, self._actions = groups, actions
        self._rule = rules[groups.network]
        learns = np.flatnonzero(rules == "learns")
        number = np.full(len(rules), -1)
        number[learns] = np.arange(len(learns))
        self._nodes = np.flatnonzero(self._rule == "learns")
        self._choice = (number[groups.network] * groups.groups + groups.group)[:, self._nodes]
        shape = groups.group.shape
        full = len(actions.region.tp_dbm) - 1
        self.points = np.zeros((*shape, 4), np.int16)
        self.points[..., 0], self.points[..., 3] = groups.least_sf, full
        self.adr: AdaptiveDataRate | None = None

    def choose(self, chosen: NDArray[np.int64]) -> None:
        """One point for each group of a learning network. `[B, R]`"""
        actions = np.take_along_axis(chosen, self._choice, axis=1)
        self.points[:, self._nodes] = self._actions.points(actions, self._groups.least_sf[:, self._nodes])

    def mixture(self, weights: NDArray[np.float64] | None = None) -> Mixture | None:
        """What nodes draw from for every attempt: legacy over channels, learning networks by `weights [B, R, A]`.

        None: nobody draws.
        """
        channels = len(self._actions.region.channels_hz)
        legacy = self._rule != "learns"
        if weights is None and not legacy.any():
            return None
        options = max(channels, 0 if weights is None else weights.shape[-1])
        points = np.repeat(self.points[:, :, None], options, axis=2)
        cumulative = np.ones((*self.points.shape[:2], options))
        if self.adr is not None:
            adapted = np.flatnonzero(self._rule == "adr")
            points[..., 0][:, adapted] = self.adr.sf[:, adapted, None]
            points[..., 3][:, adapted] = self.adr.tp[:, adapted, None]
        for rule, count in (("uniform", channels), ("adr", min(DEFAULT_CHANNELS, channels))):
            nodes = np.flatnonzero(self._rule == rule)
            points[..., :channels, 2][:, nodes] = np.arange(channels)
            cumulative[..., :count][:, nodes] = np.arange(1, count + 1) / count
        if weights is not None:
            own = np.take_along_axis(weights, self._choice[..., None], axis=1)
            cumulative[:, self._nodes] = np.cumsum(own, axis=-1) / own.sum(axis=-1, keepdims=True)
            every = np.arange(options)
            least = self._groups.least_sf[:, self._nodes, None]
            points[:, self._nodes] = self._actions.points(every, least)
        return Mixture(cumulative=cumulative, points=points)
