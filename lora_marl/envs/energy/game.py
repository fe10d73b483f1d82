"""MMALoRa's game as arrays: nodes choose spreading factor and power, and the closed form says what comes of it.

Shape letters: `B` replicas, `N` agents, `G` gateways, `D` features, `K` entries of a mask, `A` flat actions.

Who plays MMALoRa's game, on which channel, and with which actions.

Shape letters: `N` nodes, `G` gateways, `C` channels, `A` flat actions (spreading factor by power).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.expect.physics import Rate
from lora_marl.core.expect.rayleigh import Rayleigh, Variant
from lora_marl.core.phy import EnergyMode
from lora_marl.core.presets import mmalora_network
from lora_marl.core.presets.mmalora import POWER_LEVELS
from lora_marl.core.scenario import Scenario
from lora_marl.core.topology import distances_m
from lora_marl.envs import features
from lora_marl.envs.codec import ActionCodec, ActionFormat
from lora_marl.envs.energy.reward import reward_of
from lora_marl.envs.features import Feature
from lora_marl.envs.game import EnvSettings, Redraw
from lora_marl.render.map import MapFrame


def check_scenario(scenario: Any) -> None:
    """Raise ValueError, naming the field, for what the game does not have; `Rayleigh` checks the physics."""
    if not isinstance(scenario, Scenario):
        hint = "of a file: lora_marl.config.load(path).scenario.build()"
        raise ValueError(f"scenario: {scenario!r} is not a lora_marl.core.scenario.Scenario ({hint}), or None")
    levels_dbm = scenario.region.tp_dbm
    if len(levels_dbm) not in POWER_LEVELS or not np.allclose(np.diff(levels_dbm, 2), 0.0):
        allowed = ", ".join(map(str, POWER_LEVELS))
        raise ValueError(f"scenario.region.tp_dbm: J = {len(levels_dbm)}, {levels_dbm}; J is {allowed}, in equal steps")
    if scenario.placements > 1:
        raise ValueError(f"scenario: has {scenario.placements} placements; all replicas share one")
    if scenario.changes or scenario.feedback != "free":
        raise ValueError("scenario: has changes or downlinks, which its expectations leave out")
    if not np.isfinite(scenario.interval_s()).all():
        raise ValueError("scenario.active: has nodes that are off; all nodes of this game send")


def channels(scenario: Scenario, channel: Sequence[int] | None) -> NDArray[np.int16]:
    """The channel of each node `[N]`; None: as many on each as on the next, or one more.

    Raises:
        ValueError: another shape, or a channel that the region lacks.
    """
    count = len(scenario.region.channels_hz)
    given = np.arange(scenario.nodes) % count if channel is None else np.asarray(channel)
    if given.shape != (scenario.nodes,) or given.dtype.kind not in "iu":
        raise ValueError(f"channel: {given.dtype} {given.shape}; expected are integers {(scenario.nodes,)}")
    if given.min() < 0 or given.max() >= count:
        raise ValueError(f"channel: {given.min()} to {given.max()}; the region has 0 to {count - 1}")
    return given.astype(np.int16)


def players(channel: NDArray[np.int16], only: int | None) -> NDArray[np.intp]:
    """The nodes that play: all, or those of one channel. ValueError: a channel without nodes."""
    nodes = np.arange(len(channel)) if only is None else np.flatnonzero(channel == only)
    if not len(nodes):
        used = ", ".join(map(str, np.unique(channel)))
        raise ValueError(f"only_channel: {only!r} has no nodes; channels with nodes are {used}")
    return nodes


def part_of(scenario: Scenario, nodes: NDArray[np.intp]) -> Scenario:
    """The network of some of the nodes, `[N']` of them."""
    whole = scenario.replica(0)

    def own(value: Any) -> Any:
        return np.asarray(value)[nodes] if np.ndim(value) > 0 else value

    traffic = whole.traffic
    return replace(
        whole,
        node_xy_m=own(whole.node_xy_m),
        path_loss_db=own(whole.path_loss_db),
        active=own(whole.active),
        traffic=replace(traffic, interval_s=own(traffic.interval_s), payload_bytes=own(traffic.payload_bytes)),
    )


def check_separate(model: Rayleigh) -> None:
    """Raise ValueError where nodes of other channels would be missed, were they left out."""
    if (model.tables.meets.sum(axis=1) > 1).any():
        raise ValueError("only_channel: the region's channels overlap, so the nodes of one are no game of their own")


def allowed_actions(model: Rayleigh, channel: NDArray[np.int16], least_delivery: float) -> NDArray[np.bool_]:
    """Which actions are delivered often enough if nobody else sends; the best one where none is. `[N, A]`"""
    delivery = model.undisturbed_delivery(channel)
    allowed = delivery.reshape(len(delivery), -1) >= least_delivery
    # What is needed over what is sent: the less, the higher the delivery, wherever a node is.
    best = (model.tables.sensitivity_mw[:, None] / model.tables.tp_mw).argmin()
    allowed[:, best] |= ~allowed.any(axis=1)
    return allowed


def drawn(rng: np.random.Generator, allowed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """One of each node's allowed actions, uniformly `[N]`."""
    rank = np.floor(rng.random(len(allowed)) * allowed.sum(axis=1))
    return np.asarray((allowed.cumsum(axis=1) > rank[:, None]).argmax(axis=1))


def redrawn(scenario: Scenario, node_xy_m: ArrayLike) -> Scenario:
    """The network with other positions. ValueError: their shape."""
    if np.shape(node_xy_m) != (scenario.nodes, 2):
        raise ValueError(f"redraw: positions of shape {np.shape(node_xy_m)}; expected is {(scenario.nodes, 2)}")
    return scenario.with_values({"node_xy_m": np.asarray(node_xy_m)})


EE_SCALE_BITS_PER_MJ = 10.0
DISTANCE_SCALE_M, FARTHEST = 12_000.0, 4.0


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
    reward: str | Mapping[str, float] = "marginal"
    energy: EnergyMode | None = None
    variant: Variant = "expect"
    rate: Rate = "linear_clipped"
    redraw: Redraw | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        reward_of(self.reward)
        if not 0.0 <= self.least_delivery <= 1.0:
            raise ValueError(f"least_delivery: {self.least_delivery} is not from 0 to 1")
        if self.redraw is not None and self.scenario is not None and self.scenario.path_loss_db is not None:
            raise ValueError("redraw: draws positions, but the scenario has a measured path loss that replaces them")


class EnergyGame:
    """Replicas of one network whose nodes choose spreading factor and power; a `lora_marl.envs.game.Game`.

    Attributes:
        scenario: Of all nodes.
        channel: Of each agent. `[N]`
        members: Number of nodes on it, N_c. `[N]`
        model: The closed form of the agents' network.
        points: The operating points played last. `[B, N, 4]`
        found: What came of them.
    """

    def __init__(self, settings: EnergySettings) -> None:
        self.settings, self._reward = settings, reward_of(settings.reward)
        scenario = mmalora_network() if settings.scenario is None else settings.scenario
        check_scenario(scenario)
        self.scenario = scenario if settings.energy is None else replace(scenario, energy=settings.energy)
        channel = channels(scenario, settings.channel)
        self._players = players(channel, settings.only_channel)
        self.channel, self.members = channel[self._players], np.bincount(channel)[channel[self._players]]
        self.agents = tuple(f"node_{node}" for node in self._players)
        self.codec = ActionCodec(scenario.region, factors=("sf", "tp"), action_format=settings.action_format)
        self._settle(self.scenario)
        self.model.product_number()
        if settings.only_channel is not None:
            check_separate(self.model)
        self.table = _table(self.model)
        self.feature_names = features.names(self.table)
        self.points = np.tile(self.codec.fixed_point, (settings.replicas, len(self.agents), 1))
        self.points[..., 2] = self.channel

    def begin(self, rngs: Sequence[np.random.Generator]) -> None:
        if self.settings.redraw is not None:
            self._settle(redrawn(self.scenario, self.settings.redraw(rngs[0])))
        actions = np.stack([drawn(rng, self._allowed) for rng in rngs])
        self.points[..., 0], self.points[..., 3] = np.divmod(actions, self.codec.sizes[1])
        self._cycle = 0
        self._play()

    def advance(self, actions: ArrayLike) -> None:
        self.codec.write(actions, self.points)
        self._cycle += 1
        self._play()

    def observations(self) -> NDArray[np.float32]:
        values = np.empty((*self.points.shape[:2], len(self.feature_names)), np.float32)
        values[..., 0] = self.found.delivery
        values[..., 1] = self.found.ee / EE_SCALE_BITS_PER_MJ
        values[..., 2:] = self._distances
        return values

    def rewards(self) -> NDArray[np.float64]:
        return self._reward.total(self._terms)

    def infos(self) -> dict[str, NDArray]:
        return {
            "delivery": self.found.delivery.copy(),
            "ee_bits_per_mj": self.found.ee.copy(),
            "channel_ee_bits_per_mj": self.found.ee_sum.copy(),
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
        feasible, least, ee = self._feasible[0], self.settings.least_delivery, float(self.found.ee[0].sum())
        result = f"{ee:.4g} bits/mJ, {int((~feasible).sum())} violations"
        return MapFrame(
            scenario=self.model.scenario,
            when=f"after step {self._cycle}",
            node_xy_m=self.model.scenario.node_xy_m,
            points=self.points[0],
            active=self.active()[0],
            result=result,
            lines=(f"last step: {result}, mean delivery {self.found.delivery[0].mean():.1%}",),
            links=((f"at least {least:g}", "#2ca02c", feasible), (f"below {least:g}", "#d62728", ~feasible)),
        )

    def _settle(self, scenario: Scenario) -> None:
        """Take positions for what the next episodes are played on."""
        settings = self.settings
        part = part_of(scenario, self._players)
        self.model = Rayleigh(part, variant=settings.variant, rate=settings.rate)
        self._allowed = allowed_actions(self.model, self.channel, settings.least_delivery)
        if not settings.masks:
            self._allowed[...] = True
        distances = distances_m(part.node_xy_m, part.gateway_xy_m) / DISTANCE_SCALE_M
        self._distances = np.minimum(distances, FARTHEST)

    def _play(self) -> None:
        self.found = self.model.counterfactuals(self.points)
        self._feasible = self.found.delivery >= self.settings.least_delivery
        terms = self._reward.terms(self.points.shape[:2], self.found, self.members)
        self._terms = {name: np.where(self._feasible, term, 0.0) for name, term in terms.items()}


def _table(model: Rayleigh) -> tuple[Feature, ...]:
    """The observation of Eq. (20), scaled by constants."""
    best = math.ceil(model.tables.bits_per_mj.max() / EE_SCALE_BITS_PER_MJ)
    gateways = tuple(map(str, range(model.scenario.gateways)))
    km = f"{DISTANCE_SCALE_M / 1000:g} km"
    return (
        Feature("delivery", "probability", 0, 1, "D_i of the last step"),
        Feature("ee", f"{EE_SCALE_BITS_PER_MJ:g} bits/mJ", 0, best, "EE_i of the last step"),
        Feature("distance_", km, 0, FARTHEST, "to each gateway, at most the maximum", gateways),
    )
