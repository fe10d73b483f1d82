"""The game of `coexistence_v0` as arrays: network servers choose for their groups of nodes, interval by interval.

Shape letters: `B` replicas, `N` nodes, `S` networks, `L` those that learn, `Q` groups of a network, `C` channels, `A`
actions of a group, `D` features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.air import Air
from lora_marl.core.coexistence import Episode
from lora_marl.core.downlink import Feedback
from lora_marl.core.generators import pack_generators, restore_generators
from lora_marl.core.outcome import Outcome
from lora_marl.core.region import FACTORS
from lora_marl.core.scenario import Scenario
from lora_marl.envs import features
from lora_marl.envs.coexistence.actions import Commands, GroupActions
from lora_marl.envs.coexistence.groups import OFFSETS, Groups, facts
from lora_marl.envs.coexistence.non_learning import AdaptiveDataRate
from lora_marl.envs.coexistence.observation import ServerFeatures, group_table, network_table
from lora_marl.envs.coexistence.reward import Interval, NetworkRewards
from lora_marl.envs.coexistence.settings import CoexistenceSettings
from lora_marl.envs.coexistence.totals import IntervalTotals
from lora_marl.render.channels import ChannelFrame

_AIR_SEEDS = 2**63
"""Seeds of the air and of noise are drawn below this."""

_DUE_EARLY = 1e-9
"""A change counts as due this share of an interval before its time, since times are rounded."""

_COUNTS = ("attempts", "received", "frames_delivered", "frames_lost")
_SUMS = ("energy_mj", "delay_s")


class CoexistenceGame:
    """Replicas of coexisting networks; a `lora_marl.envs.game.Game`.

    Attributes:
        coexistence: The networks.
        learning: Indices of the networks that learn. `[L]`
        groups: The groups of this episode's nodes.
        totals: The totals of the last interval.
    """

    def __init__(self, settings: CoexistenceSettings) -> None:
        self.settings = settings
        self.coexistence = settings.networks
        radio, deployments = self.coexistence.radio, self.coexistence.deployments
        rules = [deployment.rule for deployment in deployments]
        self.learning = np.array([s for s, rule in enumerate(rules) if rule == "learns"], np.int64)
        if not len(self.learning):
            raise ValueError("coexistence.deployments: none has the rule 'learns', so nobody plays")
        self.actions = GroupActions.of(radio.region, settings.tp_dbm)
        self._replicas, self._networks = settings.replicas, len(deployments)
        self._channels = len(radio.region.channels_hz)
        self._by_server = settings.decider == "server"
        if self._by_server:
            self.agents = tuple(f"server_{s}" for s in self.learning)
            prefixes = [f"group_{q}_" for q in range(settings.groups)]
        else:
            self.agents = tuple(f"group_{row}" for row in range(len(self.learning) * settings.groups))
            prefixes = [""]
        self.table = (
            *network_table(self._channels, radio.traffic.queue_frames),
            *(feature for prefix in prefixes for feature in group_table(settings.groups, prefix)),
        )
        self.feature_names = features.names(self.table)
        self._reward = NetworkRewards(settings.reward, len(self.learning))
        first = sum(radio.region.factor_sizes[: FACTORS.index("channel")])
        self._channel_arms = slice(first, first + self._channels)
        self._air: Air | None = None

    @property
    def air(self) -> Air:
        """The packet air of this episode. RuntimeError: before the first."""
        if self._air is None:
            raise RuntimeError("the first episode has not begun: call reset first")
        return self._air

    @property
    def episode(self) -> Episode:
        """The record of this episode that strategies take."""
        return Episode(
            seeds=tuple(self.air.seeds),
            learning=self.learning,
            gateways=np.bincount(self.coexistence.gateway_network),
            groups=self.settings.groups,
            channels=self._channels,
            offsets=OFFSETS,
            powers=tuple(self.actions.powers),
            interval_s=self.settings.interval_s,
            intervals=self.settings.max_cycles,
            facts=self.facts,
        )

    @property
    def reference_mj(self) -> NDArray[np.float64]:
        """Energy of an attempt at least spreading factor and 14 dBm, the group's mean. `[B, S, Q]` mJ"""
        return self._features.reference_mj

    def begin(self, rngs: Sequence[np.random.Generator]) -> None:
        settings = self.settings
        scenario = self.coexistence.draw(rngs, settings.max_cycles * settings.interval_s)
        seeds = [int(rng.integers(_AIR_SEEDS)) for rng in rngs]
        self._noise = [np.random.default_rng(int(rng.integers(_AIR_SEEDS))) for rng in rngs]
        self._changes = scenario.changes
        self._air = Air(scenario, seeds, count_arms=True, threads=settings.threads, feedback=Feedback())
        self.groups = Groups.of(scenario, self._air.link_gain_db, settings.groups)
        sizes = (self._replicas, self._networks, settings.groups, self._channels)
        self._features = ServerFeatures(sizes, self.groups.reference_mj(scenario), self._noise)
        self._commands = Commands(self.coexistence, self.groups, self.actions)
        if any(deployment.rule == "adr" for deployment in self.coexistence.deployments):
            self._commands.adr = AdaptiveDataRate(scenario, self.groups.group.shape)
        self._cycle = 0
        self._usage: list[NDArray[np.float64]] = []
        self._record(self._air.take_outcome())

    def advance(self, actions: ArrayLike) -> None:
        weights = self._distributions(actions) if self.settings.operating_points == "per_packet" else None
        if weights is None:
            self._commands.choose(self._checked(actions))
        self._cycle += 1
        until_s = self._cycle * self.settings.interval_s
        outcome = self.air.advance(self._commands.points, until_s, mixture=self._commands.mixture(weights))
        self._record(outcome)
        self._features.update(self.totals, self._busy(outcome))
        self._usage.append(self.totals.channel_airtime_s[0])
        if self._commands.adr is not None:
            self._commands.adr.update(self.air, outcome.delivered > 0)

    def observations(self) -> NDArray[np.float32]:
        network = self._features.network_array()[:, self.learning]
        group = self._features.group_array()[:, self.learning]
        replicas, servers, groups = group.shape[:3]
        if self._by_server:
            return np.concatenate([network, group.reshape(replicas, servers, -1)], axis=-1)
        shared = np.broadcast_to(network[:, :, None], (*group.shape[:3], network.shape[-1]))
        return np.concatenate([shared, group], axis=-1).reshape(replicas, servers * groups, -1)

    def rewards(self) -> NDArray[np.float64]:
        return np.sum(list(self._agent_terms().values()), axis=0)

    def infos(self) -> dict[str, NDArray]:
        sums = {name: self._sums_by_agent(getattr(self.totals, name)[:, self.learning]) for name in (*_COUNTS, *_SUMS)}
        sums |= {name: sums[name].astype(np.int64) for name in _COUNTS}
        return sums | {f"reward_{name}": term for name, term in self._agent_terms().items()}

    def masks(self) -> NDArray[np.bool_]:
        space = self.action_space()
        size = self.actions.size if isinstance(space, (Discrete, Box)) else int(space.nvec.sum())
        return np.ones((self._replicas, len(self.agents), size), np.bool_)

    def active(self) -> NDArray[np.bool_]:
        return np.ones((self._replicas, len(self.agents)), np.bool_)

    def first_actions(self) -> NDArray:
        space = self.action_space()
        return np.zeros((self._replicas, len(self.agents), *(space.shape or ())), space.dtype)

    def observation_box(self) -> Box:
        return features.box(self.table)

    def action_space(self) -> Any:
        """Indices of actions, or a distribution over them where every packet draws its own."""
        if self.settings.operating_points == "per_packet":
            return Box(0.0, 1.0, (self.actions.size,), np.float32)
        if self.settings.action_format == "discrete":
            return Discrete(self.actions.size)
        sizes = [self.actions.size] * self.settings.groups if self._by_server else list(self.actions.sizes)
        return MultiDiscrete(sizes)

    def facts(self) -> dict[str, NDArray]:
        """The true state of the networks now, by name: see `lora_marl.envs.coexistence.groups.facts`."""
        return facts(self.coexistence, self._scenario_now(), self.groups, self.actions.powers)

    @property
    def cycle(self) -> int:
        """Intervals of this episode played so far."""
        return self._cycle

    def state_dict(self) -> dict[str, NDArray]:
        """Return everything that changes within an episode, as plain arrays by name.

        What is drawn when an episode begins is not part of it: `begin` draws it again.
        """
        state = {"cycle": np.array(self._cycle), "noise": pack_generators(self._noise), "usage": np.array(self._usage)}
        air = {f"air.{name}": array for name, array in self.air.state_dict().items()}
        return state | {name: array.copy() for name, array in (air | self._changing_arrays()).items()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continue from what `state_dict` returned, bit for bit; an episode with the same seeds must have begun.

        Raises:
            ValueError: an array is missing or has another shape or type, or the state is of other seeds or networks.
        """
        arrays = self._changing_arrays()
        for name in ("cycle", "noise", "usage", *arrays):
            if name not in state:
                raise ValueError(f"state of coexisting networks: {name} is missing")
        cycle = int(state["cycle"])
        usage = np.zeros((cycle, self._networks, self._channels)) if cycle else np.zeros(0)
        for name, expected in (arrays | {"usage": usage}).items():
            stored = state[name]
            if stored.shape != expected.shape or stored.dtype != expected.dtype:
                raise ValueError(
                    f"state of coexisting networks: {name} is {stored.dtype} {stored.shape}; "
                    f"expected is {expected.dtype} {expected.shape}"
                )
        air = {name.removeprefix("air."): array for name, array in state.items() if name.startswith("air.")}
        self.air.load_state_dict(air)
        for name, array in arrays.items():
            array[...] = state[name]
        restore_generators(self._noise, state["noise"])
        self._cycle, self._usage = cycle, list(np.array(state["usage"]))
        self._compute_terms()

    def _changing_arrays(self) -> dict[str, NDArray]:
        """The arrays, without the air's, that change within an episode (not copies), by `part.name`."""
        parts = {"features": self._features, "adr": self._commands.adr, "totals": self.totals}
        arrays = {
            f"{prefix}.{name}": array
            for prefix, part in parts.items()
            if part is not None
            for name, array in part.state_arrays().items()
        }
        return arrays | {"commands.points": self._commands.points}

    def _scenario_now(self) -> Scenario:
        """The air's scenario, with the changes that are due now: the air makes them when it goes on."""
        now_s, scenario = self._cycle * self.settings.interval_s, self.air.scenario
        for change in self._changes:
            if change.at_s <= now_s + _DUE_EARLY * self.settings.interval_s:
                scenario = scenario.with_values(change.values)
        return scenario

    def frame(self) -> ChannelFrame:
        usage = np.array(self._usage).reshape(-1, self._networks, self._channels) / self.settings.interval_s
        occupancy, interference = np.zeros(self._channels), self._scenario_now().interference
        if interference is not None:
            occupancy = np.broadcast_to(interference.occupancy, (self._replicas, self._channels))[0]
        rules = [deployment.rule for deployment in self.coexistence.deployments]
        return ChannelFrame(
            title=f"{self.coexistence.name} at {self._cycle * self.settings.interval_s:g} s",
            networks=tuple(f"network {s} ({rule})" for s, rule in enumerate(rules)),
            erlangs=usage,
            occupancy=occupancy,
            received=self.totals.received[0].sum(-1),
            attempts=self.totals.attempts[0].sum(-1),
        )

    def _checked(self, actions: ArrayLike) -> NDArray[np.int64]:
        """The actions of agents as flat actions of the groups of learning networks. `[B, L * Q]`"""
        chosen, space = np.asarray(actions), self.action_space()
        shape = (self._replicas, len(self.agents), *(space.shape or ()))
        if chosen.dtype.kind not in "iu" or chosen.shape != shape:
            raise ValueError(f"actions: {chosen.dtype} {chosen.shape}; allowed are integers {shape}")
        limits = np.broadcast_to(space.n if isinstance(space, Discrete) else space.nvec, shape)  # type: ignore[union-attr]
        wrong = (chosen < 0) | (chosen >= limits)
        if wrong.any():
            raise ValueError(f"actions: {chosen[wrong][0]} is not from 0 to {limits[wrong][0] - 1}")
        if isinstance(space, MultiDiscrete) and not self._by_server:
            chosen = np.ravel_multi_index(tuple(np.moveaxis(chosen, -1, 0)), self.actions.sizes)
        return chosen.reshape(self._replicas, -1)

    def _distributions(self, actions: ArrayLike) -> NDArray[np.float64]:
        """The actions of groups as weights of their flat actions, at least one above 0. `[B, L * Q, A]`"""
        weights = np.asarray(actions, np.float64)
        shape = (self._replicas, len(self.agents), self.actions.size)
        if weights.shape != shape:
            raise ValueError(f"actions: {weights.shape}; allowed are weights {shape}")
        if not (np.isfinite(weights).all() and np.all(weights >= 0.0) and np.all(weights.sum(axis=-1) > 0.0)):
            raise ValueError("actions: weights must be finite and at least 0, with one above 0 for each agent")
        return weights

    def _record(self, outcome: Outcome) -> None:
        """Keep the totals of an interval and its reward terms."""
        free = self.coexistence.radio.feedback == "free"
        self.totals = IntervalTotals.of(outcome, self.groups, self._channel_arms, free=free)
        self._compute_terms()

    def _compute_terms(self) -> None:
        """Compute the reward terms of the last interval from its totals."""
        successes = self.totals.acknowledged if self.settings.success == "acknowledged" else self.totals.received
        interval = Interval(self.totals, successes, self.reference_mj, self.settings.interval_s)
        self._terms = self._reward.terms(interval, self.learning)

    def _busy(self, outcome: Outcome) -> NDArray[np.float64] | None:
        """The share of time that others kept each channel busy, as the indicator measures it. `[B, S, C]`

        Packets of other networks are taken for a Poisson process, which leaves a share exp(-airtime / time) free. None:
        there is no indicator.
        """
        if self.settings.interference_indicator == "none":
            return None
        external_s = outcome.external_busy_s[:, None, :]
        busy_s = np.repeat(external_s, self._networks, axis=1)
        if self.settings.interference_indicator == "all":
            foreign_s = np.maximum.reduceat(outcome.foreign_busy_s, self.groups.first_gateway, axis=1)
            foreign = foreign_s / self.settings.interval_s
            return 1.0 - (1.0 - busy_s / self.settings.interval_s) * np.exp(-foreign)
        return busy_s / self.settings.interval_s

    def _sums_by_agent(self, values: NDArray) -> NDArray:
        """Values of groups `[B, L, Q]` by agent: a server's sum over its groups, or a group's own. `[B, agents]`"""
        return values.sum(-1) if self._by_server else values.reshape(len(values), -1)

    def _agent_terms(self) -> dict[str, NDArray[np.float64]]:
        """Reward terms by agent: a group's own, or a server's mean over its groups' attempts. `[B, agents]` each"""
        if not self._by_server:
            return {name: term.reshape(len(term), -1) for name, term in self._terms.items()}
        attempts = self.totals.attempts[:, self.learning]
        share = attempts / np.maximum(attempts.sum(-1, keepdims=True), 1)
        return {name: (term * share).sum(-1) for name, term in self._terms.items()}
