"""Ways of coordinating networks: none, the service and what it is compared with, and rules that know more than servers.

Shape letters: `B` replicas, `L` learning networks, `Q` groups of a network, `A` actions of a group, `D` features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.ccs.coordinator import Coordinator
from agents.ccs.kpis import kpis
from agents.ccs.moment import best_actions
from agents.ccs.records import Report
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.lns import partition
from agents.lns.network import Schema
from agents.lns.team import Team
from agents.maac.threads import threads
from lora_marl.config import ConfigError, TrainConfig
from lora_marl.config.errors import did_you_mean
from lora_marl.envs.coexistence_game import CoexistenceGame
from lora_marl.envs.coexistence_groups import OFFSETS
from scripts.cli import ROOT
from scripts.coexistence.ledger import Book
from scripts.coexistence.networks import coexistence_of, team_of

KPI_SUMS = ("attempts", "received", "energy_mj", "frames_delivered")
SHAPE = Schema().last_layer


class Way:
    """What decides for the learning networks of all replicas.

    Attributes:
        hops: Whether it gives weights of actions, from which every attempt draws, in place of actions.
        indicator: What its servers measure of others; None: what the run says.
    """

    hops = False
    indicator: str | None = None

    def begin(self, game: CoexistenceGame) -> None:
        """An episode begins."""
        self.game = game

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """Actions `[B, L, Q]`, or weights `[B, L, Q, A]`, for observations `[B, L, Q, D]`."""
        raise NotImplementedError

    def learn(
        self, observations: NDArray, actions: NDArray, rewards: NDArray, weights: NDArray, following: NDArray
    ) -> None:
        """An interval has been played; see `agents.lns.servers.Servers.update`."""

    def after(self, book: Book) -> None:
        """The same, for whoever looks at what came of it."""


class Independent(Way):
    """Servers that learn by themselves.

    Args:
        team: The servers.
        online: Whether they go on learning.
        indicator: See `Way`.
    """

    def __init__(self, team: Team, online: bool = True, indicator: str | None = None) -> None:
        self.team, self._online, self.indicator = team, online, indicator

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        with threads(1):
            return self.team.select(observations)

    def learn(
        self, observations: NDArray, actions: NDArray, rewards: NDArray, weights: NDArray, following: NDArray
    ) -> None:
        """See `Way`."""
        if self._online:
            with threads(1):
                self.team.update(observations, actions, rewards, weights, following)


class Serviced(Independent):
    """Servers that learn, and a coordination service that all of a replica report to.

    Args:
        team: The servers.
        service: File of a trained coordinator, from the project's root.
        seeds: One per replica, for codes.
        every: Intervals between two rounds, and those that a report is about.
        online: Whether servers go on learning.
        safeguards: Fields of `agents.ccs.safeguards.Safeguards` that differ from its defaults.
    """

    def __init__(
        self,
        team: Team,
        service: Path,
        seeds: Sequence[int],
        *,
        every: int = 5,
        online: bool = True,
        **safeguards: Any,
    ) -> None:
        super().__init__(team, online)
        careful: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in safeguards.items()
        }
        coordinator = Coordinator.load(service if service.is_absolute() else ROOT / service)
        self._services = [Service(coordinator, seed, Safeguards(**careful)) for seed in seeds]
        self._every, self._random = every, [np.random.default_rng(seed) for seed in seeds]

    def after(self, book: Book) -> None:
        """See `Way`."""
        if len(book) % self._every:
            return
        with threads(1):
            self._round(book)

    def _round(self, book: Book) -> None:
        now_s = len(book) * self.game.settings.interval_s
        last = book.last(self._every)
        summary = kpis(*(last[name][:, self.game.learning] for name in KPI_SUMS))
        deltas = {place: np.zeros((len(summary), *SHAPE), np.float32) for place in range(self.team.networks)}
        reported = list(self._reports(summary, len(book) // self._every, now_s))
        for replica, service in enumerate(self._services):
            found = service.round(reported[replica], now_s)
            for residual in found.residuals:
                deltas[int(residual.network)][replica] = self.changed(replica, residual.delta)
        for place, delta in deltas.items():
            self.team.add(place, delta)

    def changed(self, replica: int, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a server adds of a residual."""
        return delta

    def _reports(self, summary: NDArray[np.float32], number: int, now_s: float) -> Iterator[list[Report]]:
        """The reports of every replica."""
        parts = [(servers.schema, servers.parameters(), places) for servers, places in self.team.learners()]
        for replica, kpi in enumerate(summary):
            yield [
                Report(str(place), number, now_s, schema, parameters[replica, at], kpi[place])
                for schema, parameters, places in parts
                for at, place in enumerate(places)
            ]


class Random(Serviced):
    """The same rounds, whose residuals are replaced by random ones of the same norm."""

    def changed(self, replica: int, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Serviced`."""
        drawn = self._random[replica].standard_normal(delta.shape, np.float32)
        return drawn * (np.linalg.norm(delta) / np.linalg.norm(drawn))


class Averaging(Independent):
    """Federated consensus: networks of one kind take the mean of their parameters.

    Args:
        team, online: See `Independent`.
        every: Intervals between two rounds.
    """

    def __init__(self, team: Team, online: bool = True, every: int = 5) -> None:
        super().__init__(team, online)
        self._every = every

    def after(self, book: Book) -> None:
        """See `Way`."""
        if len(book) % self._every == 0:
            for servers, _ in self.team.learners():
                own = servers.parameters()
                servers.replace_parameters(np.broadcast_to(own.mean(axis=1, keepdims=True), own.shape))


class Optimum(Way):
    """The actions that a search on the model of the air finds with everything known, anew when anything changes."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._seeds = tuple(seeds)
        self._facts: Mapping[str, NDArray] = {}

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        facts = self.game.facts()
        if not self._same(facts):
            self._facts = facts
            with threads(1):
                self._chosen = best_actions(facts, self._seeds)[:, self.game.learning]
        return self._chosen

    def _same(self, facts: Mapping[str, NDArray]) -> bool:
        names = ("occupancy", "rate_hz")
        return bool(self._facts) and all(np.array_equal(facts[name], self._facts[name]) for name in names)


class Partition(Way):
    """Good channels shared out once, or anew whenever interference has moved; least SF and full power."""

    def __init__(self, again: bool) -> None:
        self._again = again

    def begin(self, game: CoexistenceGame) -> None:
        """See `Way`."""
        super().begin(game)
        self._share()

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        if self._again:
            self._share()
        return self._chosen

    def _share(self) -> None:
        game = self.game
        powers = len(game.actions.powers)
        channels = partition.partition(game.facts()["occupancy"], len(game.learning), game.settings.groups)
        self._chosen = channels * OFFSETS * powers + powers - 1


class Hopping(Way):
    """Every attempt on any channel, or on any of those that a partition of all channels gives its network."""

    hops = True

    def __init__(self, partitioned: bool) -> None:
        self._partitioned = partitioned

    def begin(self, game: CoexistenceGame) -> None:
        """See `Way`."""
        super().begin(game)
        occupancy, powers = game.facts()["occupancy"], len(game.actions.powers)
        sizes = (len(game.learning), game.settings.groups)
        if self._partitioned:
            self._weights = partition.hopping_partition(occupancy, *sizes, OFFSETS, powers)
        else:
            self._weights = partition.hopping(len(occupancy), *sizes, occupancy.shape[-1], OFFSETS, powers)

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        return self._weights


LEARNING: Mapping[str, type[Independent]] = {
    "independent": Independent, "ccs": Serviced, "random-residual": Random, "averaging": Averaging
}  # fmt: skip
RULES: Mapping[str, Callable[[], Way]] = {
    "static-partition": lambda: Partition(again=False),
    "ranked-partition": lambda: Partition(again=True),
    "hopping-partition": lambda: Hopping(partitioned=True),
    "hopping": lambda: Hopping(partitioned=False),
}


def way_of(config: TrainConfig, label: str) -> Way:
    """The way of a label.

    Raises:
        ConfigError: an unknown name or parameter.
    """
    spec, coexistence = config.learners[label], coexistence_of(config)
    if spec.name == "optimum" and any(network.learner == "adr" for network in coexistence.networks):
        raise ConfigError([f"learners.{label}: the model of the air knows no networks under adr"])
    known = (*LEARNING, "optimum", *RULES)
    if spec.name not in known:
        hint = did_you_mean(spec.name, known)
        raise ConfigError([f"learners.{label}: {spec.name!r} is no way of coordinating networks{hint}"])
    if spec.name in RULES or spec.name == "optimum":
        if spec.parameters:
            raise ConfigError([f"learners.{label}.parameters: rules take none"])
        return RULES[spec.name]() if spec.name in RULES else Optimum(config.seeds)
    parameters: dict[str, Any] = {"online": coexistence.online, **spec.parameters}
    team = team_of(coexistence, config.seeds)
    try:
        way = LEARNING[spec.name]
        if issubclass(way, Serviced):
            path = Path(parameters.pop("service", coexistence.vendors / "service.safetensors"))
            return way(team, path, config.seeds, **parameters)
        return way(team, **parameters)
    except (TypeError, ValueError) as error:
        raise ConfigError([f"learners.{label}: {error}"]) from None
