"""Servers under the coordination service: they report to it and take its residuals, as far as they trust them.

Shape letters: `B` replicas, `L` learning networks, `H, A` of a last layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.ccs.attacks import attackers
from agents.ccs.baselines import random_residual
from agents.ccs.dataset import FleetSnapshot, Snapshots
from agents.ccs.model import Coordinator
from agents.ccs.protocol import KPI_SUMS, kpis
from agents.ccs.reporting import Reporter, Reporting
from agents.ccs.residuals import Acceptance, FairnessFloor, ResidualState, participants
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.coexistence.independent import IndependentServers
from agents.lns.team import Team
from lora_marl.core.coexistence import Episode
from lora_marl.core.generators import pack_generators, restore_generators
from lora_marl.core.presets.ccs import INTERVAL_S
from lora_marl.core.states import part_of, with_prefix

TRIAL = 5
"""Intervals of a trial of a residual, or those between two rounds if these are fewer."""


class CoordinatedServers(IndependentServers):
    """Servers that learn, and one coordination service for each replica that all of its servers report to.

    Args:
        team: The servers.
        coordinator: The trained and frozen part of the service.
        seeds: One per replica, for the latent codes and for everything that is drawn here. `[B]`
        every: Intervals between two rounds, and those that a report summarises.
        online: Whether servers keep learning.
        accept: Whether servers take residuals on trial (`agents.ccs.residuals.Acceptance`).
        floor: Whether networks that lose under the service leave it for a time (`residuals.FairnessFloor`).
            None: yes, unless snapshots are private: a network that leaves stops reporting, and that reveals how it
            fares.
        participation: Share of the networks of a replica that report in a round.
        reporting: How reports differ from the truth; None: they do not.
        safeguards: What the service checks; None: the defaults.

    Attributes:
        residuals: The residuals in force.

    Raises:
        ValueError: an option outside its range, or an attack where no second network learns.
    """

    def __init__(
        self,
        team: Team,
        coordinator: Coordinator,
        seeds: Sequence[int],
        *,
        every: int = 5,
        online: bool = True,
        accept: bool = False,
        floor: bool | None = None,
        participation: float = 1.0,
        reporting: Reporting | None = None,
        safeguards: Safeguards | None = None,
    ) -> None:
        super().__init__(team, online)
        if not (isinstance(participation, int | float) and 0.0 < participation <= 1.0):
            raise ValueError(f"participation: {participation!r} is not above 0 and at most 1")
        self._reporting, safeguards = reporting or Reporting(), safeguards or Safeguards()
        private = self._reporting.privacy is not None
        if private and (floor or accept):
            raise ValueError("privacy: needs floor: false and accept: false, since both reveal how a server fares")
        self._check(every, safeguards)
        # A private server must not clip by the norm of its own layer: what it adds would reveal that norm.
        self._clip = math.inf if private else safeguards.clip
        self._services, self._fade = [Service(coordinator, seed, safeguards) for seed in seeds], coordinator.design.fade
        self.every, self._seeds, self._random = every, tuple(seeds), [np.random.default_rng(seed) for seed in seeds]
        self._acceptance = Acceptance(min(every, TRIAL)) if accept else None
        self._has_floor = not private if floor is None else floor
        self._participation = participation

    def begin(self, episode: Episode) -> None:
        """Prepares for an episode, in which no server has a residual yet."""
        super().begin(episode)
        shape = (len(self._services), len(episode.learning))
        self.residuals = ResidualState(self.team, shape[0])
        self._floor = FairnessFloor(shape) if self._has_floor else None
        attack = self._reporting.attack
        by_replica = None if attack is None else attackers(attack, self._seeds, self._services, self._snapshots)
        free_rider = by_replica is not None and not by_replica[0].attack.applies
        # Places of the networks that add residuals, by name.
        self._place_of = {str(place): place for place in range(int(free_rider), shape[1])}
        reports = max(1, episode.intervals // self.every)
        self._reporter = Reporter(self._reporting, self.team, self._seeds, reports, by_replica)

    def after(
        self, done: int, last: Mapping[str, NDArray[np.float64]], recent: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Judges the residuals in force, and plays a round of the service when it is time."""
        self._judge(last)
        if done % self.every == 0:
            self._recent = recent
            self._round(done // self.every, done * self.episode.interval_s)

    def applied(self, replica: int, residual: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns what a server of a replica adds for a residual of the service. `[H, A]`"""
        return residual

    def state_dict(self) -> dict[str, NDArray]:
        """Returns the states of servers, services, reports, safeguards and random generators, by part."""
        state = super().state_dict() | {"random": pack_generators(self._random)}
        for prefix, part in self._parts().items():
            state |= with_prefix(prefix, part.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned; see `Strategy`."""
        if "random" not in state:
            raise ValueError("state of coordinated servers: random is missing")
        super().load_state_dict(state)
        restore_generators(self._random, state["random"])
        for prefix, part in self._parts().items():
            part.load_state_dict(part_of(state, prefix))

    def _parts(self) -> dict[str, Any]:
        """Everything beside the servers that changes within an episode, by prefix of its arrays' names."""
        parts: dict[str, Any] = {"residuals": self.residuals, "reporter": self._reporter}
        parts |= {f"service_{replica}": service for replica, service in enumerate(self._services)}
        parts |= {} if self._floor is None else {"floor": self._floor}
        return parts if self._acceptance is None else parts | {"acceptance": self._acceptance}

    def _check(self, every: int, safeguards: Safeguards) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every: {every!r} is no whole number of intervals from 1")
        late_s = self._reporting.delay_rounds * every * INTERVAL_S
        if late_s > safeguards.max_age_s:
            allowed = f"older than max_age_s = {safeguards.max_age_s:g}, refused"
            raise ValueError(f"delay_rounds: {self._reporting.delay_rounds} make reports {late_s:g} s old; {allowed}")
        if self._reporting.attack is not None and self.team.networks < 2:
            raise ValueError(f"attack: {self._reporting.attack!r} needs a second network that learns")

    def _judge(self, last: Mapping[str, NDArray[np.float64]]) -> None:
        """Takes back residuals whose trial failed, and all residuals of networks that lose under the service."""
        attempts, received = (last[name][:, self.episode.learning] for name in ("attempts", "received"))
        undo = None if self._acceptance is None else self._acceptance.observe(attempts, received)
        if undo is not None:
            self.residuals.add(undo.numpy())
        if self._floor is not None:
            coordinated = self.residuals.total.any(axis=(-1, -2))
            self._floor.observe(attempts, received, coordinated)
            self.residuals.release(coordinated & ~self._floor.allowed)

    def _round(self, number: int, now_s: float) -> None:
        """Reports to the services of all replicas, and adds the residuals that they answer with."""
        summary = kpis(*(self._recent[name][:, self.episode.learning] for name in KPI_SUMS))
        self.residuals.fade(self._fade)
        delta = np.zeros_like(self.residuals.total)
        reports = self._reporter(summary, self.residuals.total, number, now_s)
        for replica, service in enumerate(self._services):
            absent = {str(place) for place in np.flatnonzero(~self._participating(replica))}
            answer = service.round([report for report in reports[replica] if report.network not in absent], now_s)
            for residual in answer.residuals:
                if residual.network in self._place_of:
                    delta[replica, self._place_of[residual.network]] = self.applied(replica, residual.delta)
        added = self.residuals.take(delta, self._clip)
        if self._acceptance is not None:
            self._acceptance.apply(added)

    def _participating(self, replica: int) -> NDArray[np.bool_]:
        """Which networks report in this round. `[L]`"""
        networks = self.residuals.total.shape[1]
        drawn = np.ones(networks, np.bool_)
        if self._participation < 1.0:
            drawn = participants((1, networks), self._participation, self._random[replica])[0]
        if self._floor is None:
            return drawn
        # An attacker, always the first network, keeps reporting whatever its own floor says.
        attacks = np.arange(networks) == 0 if self._reporting.attack is not None else False
        return drawn & (self._floor.allowed[replica] | attacks)

    def _snapshots(self) -> Snapshots:
        """Everything that is true of the replicas now, for an attacker that knows it all."""
        snapshot = FleetSnapshot.of(self.team, self.episode.learning, self.observations, self._recent)
        return snapshot.snapshots(self.episode.facts())


class RandomResiduals(CoordinatedServers):
    """The same rounds, in which every residual is replaced by one of random direction and the same norm."""

    def applied(self, replica: int, residual: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns a random residual of the same norm. `[H, A]`"""
        return random_residual(residual, self._random[replica])
