"""Rules without learning: the references that belong in every table.

| name | spreading factor | bandwidth | channel | power |
|---|---|---|---|---|
| `random` | uniform per packet | uniform per packet | uniform per packet | uniform per packet |
| `static-sf7` | 7 | first | node number mod C | highest |
| `round-robin` | node number // C, mod S | uniform per packet | node number mod C | uniform per packet |
| `distance-quantile` | by quantile of distance to the nearest gateway | first | rank in distance mod C | highest |

Source: random choice and round robin are baselines of D-LoRa (IEEE GLOBECOM 2025 and its journal version, section V);
the other two are the trivial references that a learner has to beat.
Differences: none for random choice and round robin. The static rules are in neither paper.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch, `C` channels, `S` spreading factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.draws import learner_keys, uniform_indices
from agents.learner import Learner
from lora_marl.core.downlink import NEVER, Feedback
from lora_marl.core.region import CHANNEL, FACTORS, SF, TP
from lora_marl.core.topology import distances_m

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class Random(Learner):
    """Random choice: every factor of every packet uniformly at random (see `agents.draws`).

    Args:
        scenario, seeds, factors, fixed_point: As in `Learner`.
    """

    name: ClassVar[str] = "random"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        factors: Sequence[str] | None = None,
        fixed_point: ArrayLike | None = None,
    ) -> None:
        super().__init__(scenario, seeds, factors=factors, fixed_point=fixed_point)
        self.feedback = Feedback(answers=False)
        self._keys = learner_keys(seeds)
        self._decided = np.zeros((self.replicas, self.nodes), np.int64)

    @property
    def operations(self) -> int:
        """A draw per factor."""
        return len(self.factors)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The next draw of each decider. `[M, 4]`"""
        replica, node = decisions.replica, decisions.node
        self._decided[replica, node] += 1
        return self._draws(replica, node)

    def initial_points(self) -> NDArray[np.int16]:
        """The draws that come before those of the first decision. `[B, N, 4]`"""
        replica, node = np.indices((self.replicas, self.nodes))
        return self._draws(replica.ravel(), node.ravel()).reshape(self.replicas, self.nodes, len(FACTORS))

    def state_arrays(self) -> dict[str, NDArray]:
        """Decisions so far `[B, N]`."""
        return {"decided": self._decided}

    def _draws(self, replica: NDArray, node: NDArray) -> NDArray[np.int16]:
        drawn = self.fixed_points[replica, node]
        keys, counter = self._keys[replica], len(FACTORS) * self._decided[replica, node]
        for factor, (name, size) in enumerate(zip(FACTORS, self.region.factor_sizes, strict=True)):
            if name in self.factors:
                drawn[:, factor] = uniform_indices(keys, node, counter + factor, size)
        return drawn


class RoundRobin(Random):
    """Round robin: spreading factors and channels in turn by node number; bandwidth and power uniform per packet.

    Args:
        scenario, seeds: As in `Learner`.
    """

    name: ClassVar[str] = "round-robin"

    def __init__(self, scenario: Scenario, seeds: Sequence[int]) -> None:
        spreading_factors, _, channels, _ = scenario.region.factor_sizes
        turn = np.arange(scenario.nodes) % (spreading_factors * channels)
        point = np.zeros((scenario.nodes, len(FACTORS)), np.int16)
        point[:, SF], point[:, CHANNEL] = np.divmod(turn, channels)
        super().__init__(scenario, seeds, factors=("bw", "tp"), fixed_point=point)


class FixedRule(Learner):
    """The base of rules whose operating points never change.

    Args:
        scenario, seeds: As in `Learner`.
        sf_index: Index of each node's spreading factor; broadcasts to `[B, N]`.
        channel_order: Place of each node in the order in which channels are assigned in turn; broadcasts to `[B, N]`.
        tp_index: Index of each node's power; None: the highest. Broadcasts to `[B, N]`.
    """

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        sf_index: NDArray[np.integer],
        channel_order: NDArray[np.integer],
        tp_index: NDArray[np.integer] | None = None,
    ) -> None:
        super().__init__(scenario, seeds)
        self.feedback = Feedback(packets=NEVER, answers=False)
        self._points = super().initial_points()
        self._points[..., SF] = sf_index
        self._points[..., CHANNEL] = channel_order % len(self.region.channels_hz)
        if tp_index is not None:
            self._points[..., TP] = tp_index

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The fixed operating points of the deciders. `[M, 4]`"""
        return self._points[decisions.replica, decisions.node]

    def initial_points(self) -> NDArray[np.int16]:
        """The fixed operating points of all nodes. `[B, N, 4]`"""
        return self._points.copy()


class StaticSF7(FixedRule):
    """All nodes at SF7 and the highest power, on channels in turn.

    Args:
        scenario, seeds: As in `Learner`.
    """

    name: ClassVar[str] = "static-sf7"

    def __init__(self, scenario: Scenario, seeds: Sequence[int]) -> None:
        super().__init__(scenario, seeds, sf_index=_sf_indices(scenario, [7]), channel_order=np.arange(scenario.nodes))


class DistanceQuantile(FixedRule):
    """Spreading factors by quantile of the distance to the nearest gateway, at the highest power.

    Channels are assigned in turn in order of distance, so that every quantile is spread evenly over them.

    Args:
        scenario, seeds: As in `Learner`.
        spreading_factors: From the nearest to the farthest quantile; the groups are as equal as they can be.

    Raises:
        ValueError: a spreading factor that the region does not have.
    """

    name: ClassVar[str] = "distance-quantile"

    def __init__(
        self, scenario: Scenario, seeds: Sequence[int], *, spreading_factors: Sequence[int] = (7, 8, 9, 10)
    ) -> None:
        groups = _sf_indices(scenario, spreading_factors)
        rank = np.argsort(np.argsort(nearest_gateway_m(scenario), axis=-1, kind="stable"), axis=-1)
        sf_index = groups[rank * len(groups) // scenario.nodes]
        super().__init__(scenario, seeds, sf_index=sf_index, channel_order=rank)


def nearest_gateway_m(scenario: Scenario) -> NDArray[np.float64]:
    """Distance of each node to its nearest gateway. `[N]`, or `[B, N]` where positions differ by replica, m"""
    return distances_m(scenario.node_xy_m, scenario.gateway_xy_m).min(axis=-1)


def _sf_indices(scenario: Scenario, spreading_factors: Sequence[int]) -> NDArray[np.intp]:
    """Indices of spreading factors in the region's list."""
    in_region = scenario.region.spreading_factors
    for sf in spreading_factors:
        if sf not in in_region:
            raise ValueError(f"spreading_factors: {sf} is not one of the region's, {list(in_region)}")
    if len(spreading_factors) == 0:
        raise ValueError(f"spreading_factors = []: needs at least one of {list(in_region)}")
    return np.array([in_region.index(sf) for sf in spreading_factors])
