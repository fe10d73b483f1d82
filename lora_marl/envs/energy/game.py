"""MMALoRa's game as arrays: nodes choose spreading factor and power, and the closed form gives the expected outcome.

Shape letters: `B` replicas, `N` agents, `G` gateways, `D` features, `K` entries of a mask, `A` flat actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.expect.physics import Rate
from lora_marl.core.expect.rayleigh import Rayleigh, Variant
from lora_marl.core.phy import EnergyMode
from lora_marl.core.presets import mmalora_network
from lora_marl.core.scenario import Scenario
from lora_marl.envs import features
from lora_marl.envs.codec import ActionCodec, ActionFormat
from lora_marl.envs.energy.network import (
    allowed_actions,
    check_scenario,
    check_separate,
    draw_actions,
    node_channels,
    playing_nodes,
    subnetwork,
    with_positions,
)
from lora_marl.envs.energy.observation import feature_table, observation_array, scaled_distances
from lora_marl.envs.energy.reward import reward_of
from lora_marl.envs.game import EnvSettings, Redraw, check_redraw
from lora_marl.envs.rewards import Weights
from lora_marl.render.map import MapFrame


@dataclass(frozen=True, kw_only=True)
class EnergySettings(EnvSettings):
    """The arguments of the energy environments; described on the page of `lora_marl.envs.energy_v0`."""

    max_cycles: int = 30
    scenario: Scenario | None = None
    channel: Sequence[int] | None = None
    only_channel: int | None = None
    action_format: ActionFormat = "discrete"
    masks: bool = True
    least_delivery: float = 0.7
    reward: str | Weights = "marginal"
    energy: EnergyMode | None = None
    variant: Variant = "expect"
    rate: Rate = "linear_clipped"
    redraw: Redraw | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        reward_of(self.reward)
        if not 0.0 <= self.least_delivery <= 1.0:
            raise ValueError(f"least_delivery: {self.least_delivery} is not from 0 to 1")
        check_redraw(self.redraw, self.scenario)


class EnergyGame:
    """Replicas of one network whose nodes choose spreading factor and power; a `lora_marl.envs.game.Game`.

    Attributes:
        scenario: Of all nodes.
        channel: Of each agent. `[N]`
        channel_nodes: N_c, number of nodes on it. `[N]`
        model: The closed form of the agents' network.
        points: The operating points of the last step. `[B, N, 4]`
        expected: Their expected outcome, and what the others' would be without each node.
    """

    def __init__(self, settings: EnergySettings) -> None:
        self.settings, self._reward = settings, reward_of(settings.reward)
        scenario = mmalora_network() if settings.scenario is None else settings.scenario
        check_scenario(scenario)
        self.scenario = scenario if settings.energy is None else replace(scenario, energy=settings.energy)
        channel = node_channels(scenario, settings.channel)
        self._nodes = playing_nodes(channel, settings.only_channel)
        self.channel = channel[self._nodes]
        self.channel_nodes = np.bincount(channel)[self.channel]
        self.agents = tuple(f"node_{node}" for node in self._nodes)
        self.codec = ActionCodec(scenario.region, factors=("sf", "tp"), action_format=settings.action_format)
        self._set_network(self.scenario)
        self.model.product_number()
        if settings.only_channel is not None:
            check_separate(self.model)
        self.table = feature_table(self.model)
        self.feature_names = features.names(self.table)
        self.points = np.tile(self.codec.fixed_point, (settings.replicas, len(self.agents), 1))
        self.points[..., 2] = self.channel

    def begin(self, rngs: Sequence[np.random.Generator]) -> None:
        if self.settings.redraw is not None:
            self._set_network(with_positions(self.scenario, self.settings.redraw(rngs[0])))
        actions = np.stack([draw_actions(rng, self._allowed) for rng in rngs])
        self.points[..., 0], self.points[..., 3] = np.divmod(actions, self.codec.sizes[1])
        self._cycle = 0
        self._evaluate()

    def advance(self, actions: ArrayLike) -> None:
        self.codec.write(actions, self.points)
        self._cycle += 1
        self._evaluate()

    def observations(self) -> NDArray[np.float32]:
        return observation_array(self.expected, self._distances)

    def rewards(self) -> NDArray[np.float64]:
        return self._reward.total(self._terms)

    def infos(self) -> dict[str, NDArray]:
        return {
            "delivery": self.expected.delivery.copy(),
            "ee_bits_per_mj": self.expected.ee.copy(),
            "channel_ee_bits_per_mj": self.expected.ee_sum.copy(),
            "violation": (~self._feasible).astype(np.int64),
        } | {f"reward_{name}": term.copy() for name, term in self._terms.items()}

    def masks(self) -> NDArray[np.bool_]:
        mask = self.codec.mask_of(self._allowed)
        return np.broadcast_to(mask, (len(self.points), *mask.shape)).copy()

    def active(self) -> NDArray[np.bool_]:
        return np.ones(self.points.shape[:2], np.bool_)

    def first_actions(self) -> NDArray[np.int64]:
        return self.codec.encode(self.points)

    def observation_box(self) -> Box:
        return features.box(self.table)

    def action_space(self) -> Discrete | MultiDiscrete:
        return self.codec.space()

    def frame(self) -> MapFrame:
        feasible, least, ee = self._feasible[0], self.settings.least_delivery, float(self.expected.ee[0].sum())
        result = f"{ee:.4g} bits/mJ, {int((~feasible).sum())} violations"
        return MapFrame(
            scenario=self.model.scenario,
            when=f"after step {self._cycle}",
            node_xy_m=self.model.scenario.node_xy_m,
            points=self.points[0],
            active=self.active()[0],
            result=result,
            lines=(f"last step: {result}, mean delivery {self.expected.delivery[0].mean():.1%}",),
            links=((f"at least {least:g}", "#2ca02c", feasible), (f"below {least:g}", "#d62728", ~feasible)),
        )

    def _set_network(self, scenario: Scenario) -> None:
        """Play the next episodes on the positions of a scenario: closed form, masks and distances follow from them."""
        settings = self.settings
        network = subnetwork(scenario, self._nodes)
        self.model = Rayleigh(network, variant=settings.variant, rate=settings.rate)
        self._allowed = allowed_actions(self.model, self.channel, settings.least_delivery)
        if not settings.masks:
            self._allowed[...] = True
        self._distances = scaled_distances(network)

    def _evaluate(self) -> None:
        """Expected outcome and reward terms of the operating points that are in force."""
        self.expected = self.model.counterfactuals(self.points)
        self._feasible = self.expected.delivery >= self.settings.least_delivery
        terms = self._reward.terms(self.points.shape[:2], self.expected, self.channel_nodes)
        self._terms = {name: np.where(self._feasible, term, 0.0) for name, term in terms.items()}
