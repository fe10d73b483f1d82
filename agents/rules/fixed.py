"""Rules without learning: the references that belong in every table.

| name | spreading factor | bandwidth | channel | power |
|---|---|---|---|---|
| `random` | uniform per packet | uniform per packet | uniform per packet | uniform per packet |
| `static-sf7` | 7 | first | node number mod C | highest |
| `round-robin` | node number // C, mod S | uniform per packet | node number mod C | uniform per packet |
| `distance-quantile` | by quantile of distance to the nearest gateway | first | rank in distance mod C | highest |

Source: Random and round robin are baselines of D-LoRa (IEEE GLOBECOM 2025 and its journal version, section V); the
other two are the trivial references that a learner has to beat.
Differences: none for Random and round robin. The static rules are in neither paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from agents.learner import Learner
from lora_marl.core.downlink import NEVER, Feedback
from lora_marl.core.random import bits, stream_key
from lora_marl.core.region import FACTORS
from lora_marl.core.topology import distances_m

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class Random(Learner):
    """Every packet's factors uniformly at random: a pure function of seed, node and number of the decision."""

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
        self._keys = np.array([stream_key(seed, "learner") for seed in seeds], np.uint64)
        self._values = np.array(
            [size if name in self.factors else 0 for name, size in zip(FACTORS, self.region.factor_sizes, strict=True)],
            np.uint64,
        )
        self._decided = np.zeros((self.replicas, self.nodes), np.int64)

    @property
    def operations(self) -> int:
        """A draw per factor."""
        return int((self._values > 0).sum())

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The next draw of each decider `[M, 4]`."""
        replica, node = decisions.replica, decisions.node
        self._decided[replica, node] += 1
        return self._draws(replica, node)

    def initial_points(self) -> NDArray[np.int16]:
        """The draws that come before those of the first decision `[B, N, 4]`."""
        replica, node = np.indices((self.replicas, self.nodes))
        return self._draws(replica.ravel(), node.ravel()).reshape(self.replicas, self.nodes, len(FACTORS))

    def state_arrays(self) -> dict[str, NDArray]:
        """Decisions taken so far `[B, N]`."""
        return {"decided": self._decided}

    def _draws(self, replica: NDArray, node: NDArray) -> NDArray[np.int16]:
        drawn = self.fixed_points[replica, node]
        _draw(self._keys[replica], node, self._decided[replica, node], self._values, drawn)
        return drawn


class RoundRobin(Random):
    """Spreading factors and channels dealt out in turn by node number; bandwidth and power uniform per packet."""

    name: ClassVar[str] = "round-robin"

    def __init__(self, scenario: Scenario, seeds: Sequence[int]) -> None:
        factors, _, channels, _ = scenario.region.factor_sizes
        turn = np.arange(scenario.nodes) % (factors * channels)
        point = np.zeros((scenario.nodes, len(FACTORS)), np.int16)
        point[:, 0], point[:, 2] = np.divmod(turn, channels)
        super().__init__(scenario, seeds, factors=("bw", "tp"), fixed_point=point)


@njit(nogil=True)  # no disk cache: it would not notice an edited generator
def _draw(
    key: NDArray[np.uint64],
    node: NDArray[np.integer],
    decided: NDArray[np.int64],
    values: NDArray[np.uint64],
    drawn: NDArray[np.int16],
) -> None:
    for m in range(len(node)):
        for factor in range(len(values)):
            if values[factor] > 0:
                word = bits(key[m], node[m], decided[m] * len(values) + factor) >> np.uint64(32)
                drawn[m, factor] = (word * values[factor]) >> np.uint64(32)


class FixedRule(Learner):
    """Operating points that never change.

    Args:
        scenario: The network.
        seeds: One per replica.
        sf_index: Which spreading factor of the region each node uses; broadcasts to `[B, N]`.
        channel_order: In which order channels are dealt out to the nodes; broadcasts to `[B, N]`.
        tp_index: Which power of the region; None: the highest. Broadcasts to `[B, N]`.
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
        self._points[..., 0] = sf_index
        self._points[..., 2] = channel_order % len(self.region.channels_hz)
        if tp_index is not None:
            self._points[..., 3] = tp_index

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The same as ever `[M, 4]`."""
        return self._points[decisions.replica, decisions.node]

    def initial_points(self) -> NDArray[np.int16]:
        """The same as ever `[B, N, 4]`."""
        return self._points.copy()


class StaticSF7(FixedRule):
    """Everybody at SF7 and the highest power, channels dealt out in turn."""

    name: ClassVar[str] = "static-sf7"

    def __init__(self, scenario: Scenario, seeds: Sequence[int]) -> None:
        super().__init__(scenario, seeds, sf_index=_sf_indices(scenario, [7]), channel_order=np.arange(scenario.nodes))


class DistanceQuantile(FixedRule):
    """Spreading factors by quantile of the distance to the nearest gateway, at the highest power.

    Channels are dealt out in order of distance, so that every quantile is spread evenly over them.

    Args:
        scenario: The network.
        seeds: One per replica.
        spreading_factors: From the nearest to the farthest quantile; the groups are as equal as they can be.

    Raises:
        ValueError: a spreading factor that the region does not have.
    """

    name: ClassVar[str] = "distance-quantile"

    def __init__(
        self, scenario: Scenario, seeds: Sequence[int], *, spreading_factors: Sequence[int] = (7, 8, 9, 10)
    ) -> None:
        groups = _sf_indices(scenario, spreading_factors)
        nearest_m = distances_m(scenario.node_xy_m, scenario.gateway_xy_m).min(axis=-1)
        rank = np.argsort(np.argsort(nearest_m, axis=-1, kind="stable"), axis=-1)
        super().__init__(scenario, seeds, sf_index=groups[rank * len(groups) // scenario.nodes], channel_order=rank)


def _sf_indices(scenario: Scenario, spreading_factors: Sequence[int]) -> NDArray[np.intp]:
    known = scenario.region.spreading_factors
    for sf in spreading_factors:
        if sf not in known:
            raise ValueError(f"spreading_factors: {sf} is not one of the region's, {list(known)}")
    if len(spreading_factors) == 0:
        raise ValueError(f"spreading_factors = []: needs at least one of {list(known)}")
    return np.array([known.index(sf) for sf in spreading_factors])
