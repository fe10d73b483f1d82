"""The coordination service at work: servers report to it and take residuals, as far as they trust them.

Shape letters: `B` replicas, `L` learning networks, `H, A` of a last layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.ccs.attacks import attackers
from agents.ccs.baselines import random_residual
from agents.ccs.coordinator import Coordinator
from agents.ccs.dataset import Snapshots
from agents.ccs.participant import Acceptance, FairnessFloor, Held, participants
from agents.ccs.protocol import kpis
from agents.ccs.reporting import Reporter, Reporting, reporting
from agents.ccs.round import Moment
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.coexistence.ledger import Book
from agents.coexistence.strategy import Independent
from agents.lns.team import Team
from agents.torch_utils import threads
from lora_marl.core.presets.ccs import INTERVAL_S
from lora_marl.envs.coexistence.game import CoexistenceGame
from scripts.runs.cli import ROOT

OPTIONS = (*Reporting.model_fields, *(field.name for field in fields(Safeguards)))
"""That a config may state of the service."""

KPI_SUMS = ("attempts", "received", "energy_mj", "frames_delivered")


class Serviced(Independent):
    """Servers that learn, and a coordination service that all of a replica report to.

    Args:
        team: The servers.
        service: File of a trained coordinator, from the project's root.
        seeds: One per replica, for codes.
        every: Intervals between two rounds, and those that a report is about.
        online: Whether servers go on learning.
        accept: Whether servers take residuals on trial (`agents.ccs.participant.Acceptance`).
        floor: Whether networks that lose by the service are freed of it (`agents.ccs.participant.FairnessFloor`); None: yes,
            unless snapshots are private, since who is freed falls silent, and so tells how it fares.
        participation: Share of the networks of a replica that take part in a round.
        options: Fields of `agents.ccs.reporting.Reporting`, what is told in place of the truth, and of
            `agents.ccs.safeguards.Safeguards` that differ from their defaults.

    Attributes:
        held: What they hold of residuals.

    Raises:
        ValueError: an option outside its range, or an attack where nobody else learns.
    """

    def __init__(
        self,
        team: Team,
        service: Path,
        seeds: Sequence[int],
        *,
        every: int = 5,
        online: bool = True,
        accept: bool = False,
        floor: bool | None = None,
        participation: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(team, online)
        if not (isinstance(participation, int | float) and 0.0 < participation <= 1.0):
            raise ValueError(f"participation: {participation!r} is not above 0 and at most 1")
        self._reporting = reporting({name: options.pop(name) for name in Reporting.model_fields if name in options})
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in options.items()}
        careful, private = Safeguards(**given), self._reporting.privacy is not None
        if private and (floor or accept):
            raise ValueError("privacy: needs floor and accept to be false, by which servers tell how they fare")
        self._check(every, careful)
        coordinator = Coordinator.load(service if service.is_absolute() else ROOT / service)
        self._clip = math.inf if private else careful.clip  # which would tell of a layer's norm
        self._services, self._fade = [Service(coordinator, seed, careful) for seed in seeds], coordinator.design.fade
        self._every, self._seeds, self._random = every, tuple(seeds), [np.random.default_rng(seed) for seed in seeds]
        self._acceptance, self._floor, self._participation = (
            (Acceptance(min(every, 5)) if accept else None),
            not private if floor is None else floor,
            participation,
        )

    def begin(self, game: CoexistenceGame) -> None:
        """See `Way`."""
        super().begin(game)
        shape = (len(self._services), len(game.learning))
        self.held = Held(self.team, shape[0])
        self._fair = FairnessFloor(shape) if self._floor else None
        attack = self._reporting.attack
        found = None if attack is None else attackers(attack, self._seeds, self._services, self._now)
        riding = found is not None and not found[0].attack.applies
        self._takers = {str(place): place for place in range(int(riding), shape[1])}
        reports = max(1, game.settings.max_cycles // self._every)
        self._reporter = Reporter(self._reporting, self.team, self._seeds, reports, found)

    def after(self, book: Book) -> None:
        """See `Way`."""
        self._book = book
        with threads(1):
            self._watch(book)
            if len(book) % self._every == 0:
                self._round(book)

    def changed(self, replica: int, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a server adds of a residual."""
        return delta

    def _check(self, every: int, careful: Safeguards) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every: {every!r} is no whole number of intervals from 1")
        late_s = self._reporting.delay_rounds * every * INTERVAL_S
        if late_s > careful.max_age_s:
            allowed = f"older than max_age_s = {careful.max_age_s:g}, refused"
            raise ValueError(f"delay_rounds: {self._reporting.delay_rounds} make reports {late_s:g} s old; {allowed}")
        if self._reporting.attack is not None and self.team.networks < 2:
            raise ValueError(f"attack: {self._reporting.attack!r} needs a second network that learns")

    def _watch(self, book: Book) -> None:
        """What came of the last interval: residuals on trial are kept or taken back, all of a network that loses."""
        last = book.last(1)
        attempts, received = (last[name][:, self.game.learning] for name in ("attempts", "received"))
        undo = None if self._acceptance is None else self._acceptance.observe(attempts, received)
        if undo is not None:
            self.held.add(undo.numpy())
        if self._fair is not None:
            coordinated = self.held.total.any(axis=(-1, -2))
            self._fair.observe(attempts, received, coordinated)
            self.held.release(coordinated & ~self._fair.allowed)

    def _round(self, book: Book) -> None:
        now_s = len(book) * self.game.settings.interval_s
        last = book.last(self._every)
        summary = kpis(*(last[name][:, self.game.learning] for name in KPI_SUMS))
        self.held.fade(self._fade)
        delta = np.zeros_like(self.held.total)
        told = self._reporter(summary, self.held.total, len(book) // self._every, now_s)
        for replica, service in enumerate(self._services):
            silent = {str(place) for place in np.flatnonzero(~self._takes_part(replica))}
            found = service.round([each for each in told[replica] if each.network not in silent], now_s)
            for residual in found.residuals:
                if residual.network in self._takers:
                    delta[replica, self._takers[residual.network]] = self.changed(replica, residual.delta)
        taken = self.held.take(delta, self._clip)
        if self._acceptance is not None:
            self._acceptance.apply(taken)

    def _takes_part(self, replica: int) -> NDArray[np.bool_]:
        """Which networks report in this round. `[L]`"""
        networks = self.held.total.shape[1]
        drawn = np.ones(networks, np.bool_)
        if self._participation < 1.0:
            drawn = participants((1, networks), self._participation, self._random[replica])[0]
        if self._fair is None:
            return drawn
        lies = np.arange(networks) == 0 if self._reporting.attack is not None else False  # and minds no floor
        return drawn & (self._fair.allowed[replica] | lies)

    def _now(self) -> Snapshots:
        """What is true of the replicas, with what their networks would report."""
        moment = Moment.of(self.team, self.game.learning, self.seen, self._book.last(self._every))
        return moment.snapshots(self.game.facts())


class Random(Serviced):
    """The same rounds, whose residuals are replaced by random ones of the same norm."""

    def changed(self, replica: int, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Serviced`."""
        return random_residual(delta, self._random[replica])
