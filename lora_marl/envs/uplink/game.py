"""The game of `uplink_v0` as arrays, behind both the parallel environment and the one by turns.

Shape letters: `B` replicas, `N` nodes, `F` chosen factors, `D` features, `K` entries of a mask.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.air import Air
from lora_marl.core.checks import check_count
from lora_marl.core.downlink import Feedback
from lora_marl.core.energy import battery_life_years
from lora_marl.core.outcome import Outcome
from lora_marl.core.presets import journal_network
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic
from lora_marl.envs.codec import ActionCodec, ActionFormat
from lora_marl.envs.game import EnvSettings, Redraw, check_redraw, check_scenario_type
from lora_marl.envs.rewards import Reward, Weights
from lora_marl.envs.uplink.observation import NodeFeatures
from lora_marl.envs.uplink.reward import TERMS, Scales
from lora_marl.render.map import MapFrame, packet_frame

_AIR_SEEDS = 2**63
"""Seeds of the air are drawn below this."""


@dataclass(frozen=True, kw_only=True)
class UplinkSettings(EnvSettings):
    """The arguments of the uplink environments; described on the page of `lora_marl.envs.uplink_v0`."""

    scenario: Scenario | None = None
    factors: Sequence[str] | None = None
    fixed_point: Sequence[int] | None = None
    nb_trans: int | None = None
    action_format: ActionFormat = "multidiscrete"
    min_margin_db: float | None = None
    window_s: float = 20.0
    reward: Weights = field(default_factory=lambda: {"delivery": 1.0})
    xi: float = 1.0
    zeta: float = 0.0
    eta: float = 1.8
    memory: float = 1.0
    redraw: Redraw | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("threads", self.threads)
        if self.scenario is not None:
            check_scenario_type(self.scenario)
        check_redraw(self.redraw, self.scenario)
        if self.nb_trans is not None and self.scenario is not None and self.scenario.traffic.confirmed:
            raise ValueError("nb_trans: the scenario's traffic is confirmed, which has traffic.max_attempts instead")
        if not 0.0 < self.window_s < np.inf:
            raise ValueError(f"window_s: {self.window_s} is not a number of seconds above 0")
        if self.min_margin_db is not None and not np.isfinite(self.min_margin_db):
            raise ValueError(f"min_margin_db: {self.min_margin_db} is not finite")


class UplinkGame:
    """Replicas of a network whose nodes choose their operating points; a `lora_marl.envs.game.Game`.

    Attributes:
        scenario: The network.
        codec: Translates actions to operating points.
        features: The observations' features.
        points: Operating points that are in force. `[B, N, 4]`
        nb_trans: How often each frame is sent, where actions choose it. `[B, N]`
        outcome: What came of the last step.
    """

    def __init__(self, settings: UplinkSettings) -> None:
        self.settings = settings
        traffic = Traffic.one_per_window(settings.window_s)
        self.scenario = settings.scenario or journal_network(traffic=traffic)
        self.scenario.check_replicas(settings.replicas)
        self.agents = tuple(f"node_{node}" for node in range(self.scenario.nodes))
        self.codec = ActionCodec(
            self.scenario.region,
            factors=settings.factors,
            action_format=settings.action_format,
            fixed_point=settings.fixed_point,
            nb_trans=settings.nb_trans,
        )
        self.nb_trans: NDArray[np.int8] | None = None
        self.features = NodeFeatures(self.scenario, self.codec.factors, settings.memory, nb_trans=settings.nb_trans)
        self._scales = Scales.of(
            self.scenario, self.codec.factors, xi=settings.xi, zeta=settings.zeta, eta=settings.eta
        )
        self.table, self.feature_names = self.features.table, self.features.names
        self._reward = Reward(settings.reward, TERMS)
        self._activity = _activity(self.scenario)
        self._masks: tuple[Scenario, NDArray[np.bool_]] | None = None
        self._air: Air | None = None
        self._shape = (settings.replicas, self.scenario.nodes)

    @property
    def air(self) -> Air:
        """The packet air of this episode. RuntimeError: before the first."""
        if self._air is None:
            raise RuntimeError("the first episode has not begun: call reset first")
        return self._air

    def begin(self, rngs: Sequence[np.random.Generator]) -> None:
        scenario = self._draw_scenario(rngs)
        seeds = [int(rng.integers(_AIR_SEEDS)) for rng in rngs]
        # Where nodes get new parameters by downlink, a window's choice is the server's command; else the node's own.
        feedback = Feedback(decides="server" if scenario.feedback == "downlink" else "node")
        self.points = np.tile(self.codec.fixed_point, (*self._shape, 1))
        self.nb_trans = None if self.codec.nb_trans is None else np.ones(self._shape, np.int8)
        self._air = Air(
            scenario, seeds, count_arms=True, threads=self.settings.threads, feedback=feedback, in_force=self.points
        )
        self._cycle = 0
        self.outcome = self._air.take_outcome()
        self._terms = self._reward.terms(self._shape, self.outcome, self._scales)
        self.features.begin(self.outcome)

    def advance(self, actions: ArrayLike) -> None:
        self.codec.write(actions, self.points, self.nb_trans)
        self._cycle += 1
        self._record(self.air.advance(self.points, self._cycle * self.settings.window_s, nb_trans=self.nb_trans))

    def run_to_decision(self, until_s: float) -> list[int]:
        """Run the air until nodes are due to choose.

        Returns:
            Those nodes of the first replica; none when it has reached `until_s`.
        """
        nodes = self.air.next_decisions(self.points, until_s, self.nb_trans).node.tolist()
        self._record(self.air.take_outcome())
        return nodes

    def choose(self, node: int, action: ArrayLike) -> None:
        """Write one node's choice in the first replica.

        Raises:
            ValueError: an action outside the space.
        """
        nb_trans = None if self.nb_trans is None else self.nb_trans[0, node, ...]
        self.codec.write(action, self.points[0, node], nb_trans)

    def observations(self) -> NDArray[np.float32]:
        return self.features.array(self.air, self.points, self.active(), self.nb_trans)

    def rewards(self) -> NDArray[np.float64]:
        return self._reward.total(self._terms)

    def infos(self) -> dict[str, NDArray]:
        return {
            "sent": self.outcome.sent,
            "delivered": self.outcome.delivered.copy(),
            "energy_mj": self.outcome.energy_mj.copy(),
            **self._battery_life(),
            **self._frames(),
        } | {f"reward_{name}": term.copy() for name, term in self._terms.items()}

    def _battery_life(self) -> dict[str, NDArray]:
        """Battery life at the mean power of the last step, where all states have energy; nan before the first. years"""
        if self.scenario.energy != "states":
            return {}
        return {"battery_life_years": battery_life_years(self.scenario, self.outcome.power_mw)}

    def _frames(self) -> dict[str, NDArray]:
        """Frames that ended in the last step, where nodes send some of them several times."""
        repeats = self.nb_trans is not None or self.scenario.repeats_frames
        names = ("frames_delivered", "frames_lost") if repeats else ()
        return {name: getattr(self.outcome, name).copy() for name in names}

    def masks(self) -> NDArray[np.bool_]:
        scenario = self.scenario if self._air is None else self._air.scenario
        if self._masks is None or self._masks[0] is not scenario:
            first = self._masks is None
            self._masks = scenario, self.codec.masks(scenario, self.settings.min_margin_db)
            if first and self.settings.min_margin_db is not None and self._masks[1].all():
                warnings.warn(
                    f"min_margin_db: {self.settings.min_margin_db:g} dB masks nothing on this network; ask for a larger"
                    " margin, or for action_format='discrete', which masks combinations of values",
                    stacklevel=3,
                )
        return np.broadcast_to(self._masks[1], (*self._shape, self.codec.mask_size)).copy()

    def active(self) -> NDArray[np.bool_]:
        now_s = self.air.now_s.min()
        active = next(active for at_s, active in reversed(self._activity) if at_s <= now_s)
        return np.broadcast_to(active, self._shape).copy()

    def first_actions(self) -> NDArray[np.int64]:
        return self.codec.encode(np.tile(self.codec.fixed_point, (*self._shape, 1)))

    def observation_box(self) -> Box:
        return self.features.box()

    def action_space(self) -> Discrete | MultiDiscrete:
        return self.codec.space()

    def frame(self) -> MapFrame:
        scenario = self.air.scenario
        return packet_frame(
            scenario,
            time_s=float(self.air.now_s[0]),
            node_xy_m=np.broadcast_to(scenario.node_xy_m, (*self._shape, 2))[0],
            points=self.points[0],
            fates=self.air.last_fate[0],
            active=self.active()[0],
            sent=int(self.outcome.sent[0].sum()),
            delivered=int(self.outcome.delivered[0].sum()),
        )

    def _draw_scenario(self, rngs: Sequence[np.random.Generator]) -> Scenario:
        """The scenario of an episode, with new positions where the settings ask for them."""
        if self.settings.redraw is None:
            return self.scenario
        node_xy_m = np.stack([self.settings.redraw(rng) for rng in rngs])
        if node_xy_m.shape != (*self._shape, 2):
            raise ValueError(f"redraw: positions of shape {node_xy_m.shape[1:]}; expected is {(self._shape[1], 2)}")
        return replace(self.scenario, node_xy_m=node_xy_m)

    def _record(self, outcome: Outcome) -> None:
        """Keep what came of a step, its reward terms, and what nodes observe of it."""
        self.outcome = outcome
        self._terms = self._reward.terms(self._shape, outcome, self._scales)
        self.features.update(outcome)


def _activity(scenario: Scenario) -> list[tuple[float, NDArray[np.bool_]]]:
    """Times in s from which a new set of nodes is active, and the mask of that set, `[N]` or `[B, N]`."""
    activity = [(0.0, np.isfinite(scenario.interval_s()))]
    for change in scenario.changes:
        scenario = scenario.with_values(change.values)
        activity.append((change.at_s, np.isfinite(scenario.interval_s())))
    return activity
