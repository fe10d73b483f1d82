"""Actions of servers, and the operating points that they and the rules of non-learning networks give to nodes.

Shape letters: `B` replicas, `N` nodes, `R` groups of learning networks, `A` actions of a group, `K` points of a
mixture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.coexistence import Coexistence
from lora_marl.core.mixture import Mixture
from lora_marl.core.region import Region
from lora_marl.envs.coexistence.groups import OFFSETS, Groups
from lora_marl.envs.coexistence.non_learning import DEFAULT_CHANNELS, AdaptiveDataRate


@dataclass(frozen=True)
class GroupActions:
    """The actions of a group, numbered with the power fastest: (channel * offsets + offset) * powers + power.

    An offset is the number of steps above each node's least spreading factor.

    Attributes:
        region: The region of all networks.
        powers: Indices of the powers that may be chosen.
    """

    region: Region
    powers: tuple[int, ...]

    @classmethod
    def of(cls, region: Region, tp_dbm: Sequence[float]) -> GroupActions:
        """The actions with these powers.

        Raises:
            ValueError: powers that do not ascend, none at all, or one that the region lacks.
        """
        powers = list(tp_dbm) if isinstance(tp_dbm, (Sequence, np.ndarray)) and not isinstance(tp_dbm, str) else []
        if not powers or any(higher <= lower for lower, higher in pairwise(powers)):
            raise ValueError(f"tp_dbm: {tp_dbm!r}; allowed are powers that ascend, at least one")
        for power in powers:
            if power not in region.tp_dbm:
                raise ValueError(f"tp_dbm: {power} is not one of the region's {', '.join(map(str, region.tp_dbm))}")
        return cls(region, tuple(region.tp_dbm.index(float(power)) for power in powers))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Number of channels, offsets and powers."""
        return len(self.region.channels_hz), OFFSETS, len(self.powers)

    @property
    def size(self) -> int:
        """A, the number of actions."""
        return math.prod(self.sizes)

    def parts(self, actions: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Channel, offset and the region's index of the power of each action. `[...]` each"""
        rest, power = np.divmod(np.asarray(actions, np.int64), len(self.powers))
        channel, offset = np.divmod(rest, OFFSETS)
        return channel, offset, np.array(self.powers)[power]

    def points(self, actions: NDArray[np.int64], least_sf: NDArray[np.int64]) -> NDArray[np.int16]:
        """Operating points `[..., 4]` of nodes, from their groups' actions and least spreading factors `[...]`."""
        channel, offset, tp = self.parts(actions)
        sf = np.minimum(least_sf + offset, len(self.region.spreading_factors) - 1)
        return np.stack(np.broadcast_arrays(sf, 0, channel, tp), axis=-1).astype(np.int16)


class Commands:
    """The operating points of all nodes: chosen by servers in learning networks, given by rules in the others.

    Args:
        coexistence: The networks.
        groups: The groups of their nodes.
        actions: The actions of a group.

    Attributes:
        points: Operating points that are in force, where a node does not draw from a mixture. `[B, N, 4]`
        adr: Adaptive data rate of the networks under the rule `adr`; None where there are none.
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
        """Put an action of each group of a learning network in force. `[B, R]`"""
        actions = np.take_along_axis(chosen, self._choice, axis=1)
        self.points[:, self._nodes] = self._actions.points(actions, self._groups.least_sf[:, self._nodes])

    def mixture(self, weights: NDArray[np.float64] | None = None) -> Mixture | None:
        """The operating points that nodes draw from for every attempt.

        Nodes of non-learning networks draw a channel, nodes of learning ones a point by their group's weights.

        Args:
            weights: Weight of each action `[B, R, A]`; None: nodes of learning networks use `points`.

        Returns:
            The mixture of all nodes; None where nobody draws.
        """
        channels = len(self._actions.region.channels_hz)
        if weights is None and np.all(self._rule == "learns"):
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
            by_node = np.take_along_axis(weights, self._choice[..., None], axis=1)
            cumulative[:, self._nodes] = np.cumsum(by_node, axis=-1) / by_node.sum(axis=-1, keepdims=True)
            least_sf = self._groups.least_sf[:, self._nodes, None]
            points[:, self._nodes] = self._actions.points(np.arange(options), least_sf)
        return Mixture(cumulative=cumulative, points=points)
