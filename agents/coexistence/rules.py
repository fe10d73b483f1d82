"""Ways of coordinating networks: none, the service and what it is compared with, and rules that know more than servers.

Shape letters: `B` replicas, `L` learning networks, `Q` groups of a network, `A` actions of a group, `D` features.

Rules that share channels out among networks: what an operator could agree on without learning.

Shape letters: `B` replicas, `S` networks, `Q` groups of a network, `C` channels, `A` actions of a group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.ccs.proxy import Constants, Proxy
from agents.ccs.round import best_actions
from agents.coexistence.coordinated import OPTIONS, Random, Serviced
from agents.coexistence.direct import Direct
from agents.coexistence.ledger import Book
from agents.coexistence.strategy import Independent, Way
from agents.lns.team import Team
from agents.torch_utils import threads
from lora_marl.config import ConfigError, TrainConfig
from lora_marl.core.checks import suggest
from lora_marl.envs.coexistence.game import CoexistenceGame
from lora_marl.envs.coexistence.groups import OFFSETS
from scripts.runs.cli import ROOT
from scripts.runs.coexistence.exported import Chance, exported
from scripts.runs.coexistence.play import coexistence_of, team_of


def good_channels(occupancy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Channels that are less busy than the middle between the least and the most busy one. `[..., C]` -> `[..., C]`"""
    middle = (occupancy.min(axis=-1, keepdims=True) + occupancy.max(axis=-1, keepdims=True)) / 2
    return occupancy <= middle


def partition(occupancy: NDArray[np.float64], networks: int, groups: int) -> NDArray[np.int64]:
    """One channel for each group: good ones dealt out in turn, best first, and each network's to its groups in turn.

    More networks than good channels begin again with the best one.

    Args:
        occupancy: Share of time that others keep each channel busy. `[B, C]`
        networks: S.
        groups: Q.

    Returns:
        Channels. `[B, S, Q]`
    """
    order, good = np.argsort(occupancy, axis=-1, kind="stable"), good_channels(occupancy).sum(axis=-1)
    chosen = np.empty((len(occupancy), networks, groups), np.int64)
    for b, ranked in enumerate(order):
        dealt = [[ranked[i] for i in range(s % good[b], good[b], networks)] for s in range(networks)]
        for s, own in enumerate(dealt):
            chosen[b, s] = [own[q % len(own)] for q in range(groups)]
    return chosen


def hopping_partition(occupancy: NDArray[np.float64], networks: int, groups: int, offsets: int, powers: int) -> NDArray:
    """Weights of a partition of all channels over which every attempt hops, at least SF and the highest power.

    All channels are dealt out in turn, best first, bad ones as well.

    Returns:
        `[B, S, Q, A]`
    """
    order = np.argsort(occupancy, axis=-1, kind="stable")
    channels = order.shape[-1]
    weights = np.zeros((len(order), networks, groups, channels, offsets, powers))
    for b, ranked in enumerate(order):
        for s in range(networks):
            weights[b, s, :, ranked[s % channels :: networks], 0, powers - 1] = 1.0
    return weights.reshape(*weights.shape[:3], -1)


def hopping(replicas: int, networks: int, groups: int, channels: int, offsets: int, powers: int) -> NDArray[np.float64]:
    """Weights of all channels alike, at least SF and the highest power. `[B, S, Q, A]`"""
    weights = np.zeros((replicas, networks, groups, channels, offsets, powers))
    weights[..., 0, powers - 1] = 1.0
    return weights.reshape(replicas, networks, groups, -1)


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
    """The actions that a search on the model of the air finds with everything known, anew when anything changes.

    Args:
        seeds: One per replica, for starts of the search.
        proxy: File of the model's constants, as `fit_proxy.py` writes them; None: those by hand.
    """

    def __init__(self, seeds: Sequence[int], proxy: str | None = None) -> None:
        self._seeds = tuple(seeds)
        self._proxy = Proxy() if proxy is None else Proxy(Constants.load(ROOT / proxy))
        self._facts: Mapping[str, NDArray] = {}

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        facts = self.game.facts()
        if not self._same(facts):
            self._facts = facts
            with threads(1):
                self._chosen = best_actions(facts, self._seeds, self._proxy)[:, self.game.learning]
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
        channels = partition(game.facts()["occupancy"], len(game.learning), game.settings.groups)
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
            self._weights = hopping_partition(occupancy, *sizes, OFFSETS, powers)
        else:
            self._weights = hopping(len(occupancy), *sizes, occupancy.shape[-1], OFFSETS, powers)

    def choose(self, observations: NDArray[np.float32]) -> NDArray:
        """See `Way`."""
        return self._weights


LEARNING: Mapping[str, type[Independent]] = {
    "independent": Independent, "ccs": Serviced, "random-residual": Random, "averaging": Averaging,
    "direct": Direct,
}  # fmt: skip
FROM_RUN = ("team", "seeds", "coexistence")
"""What a way is made with that is not its label's to state."""

RULES: Mapping[str, Callable[[], Way]] = {
    "random": Chance,
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
    known = (*LEARNING, "optimum", "policy", *RULES)
    if spec.name not in known:
        hint = suggest(spec.name, known)
        raise ConfigError([f"learners.{label}: {spec.name!r} is no way of coordinating networks{hint}"])
    if spec.name in RULES:
        if spec.parameters:
            raise ConfigError([f"learners.{label}.parameters: rules take none"])
        return RULES[spec.name]()
    _check_names(label, spec.name, spec.parameters)
    parameters: dict[str, Any] = {"online": coexistence.online, **spec.parameters}
    try:
        if spec.name == "optimum":
            return Optimum(config.seeds, **spec.parameters)
        if spec.name == "policy":
            return exported(coexistence, config.seeds, **spec.parameters)
        team = team_of(coexistence, config.seeds)
        way = LEARNING[spec.name]
        if issubclass(way, Serviced):
            path = Path(parameters.pop("service", coexistence.vendors / "service.safetensors"))
            return way(team, path, config.seeds, **parameters)
        if issubclass(way, Direct):
            return way(team, coexistence, **parameters)
        return way(team, **parameters)
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError([f"learners.{label}: {error}"]) from None


def _check_names(label: str, name: str, given: Mapping[str, Any]) -> None:
    """ConfigError: a parameter that a way does not take, naming the nearest one, or one that it needs."""
    ways: Mapping[str, Callable[..., Way]] = {**LEARNING, "optimum": Optimum, "policy": exported}
    way = ways[name]
    stated = [each for each in signature(way).parameters.values() if each.name not in FROM_RUN]
    known = [each.name for each in stated if each.kind is not Parameter.VAR_KEYWORD]
    if isinstance(way, type) and issubclass(way, Serviced):
        known += ["service", *OPTIONS]
    needed = [each.name for each in stated if each.default is each.empty and each.name in known]
    place = f"learners.{label}.parameters"
    wrong = [f"{place}.{key}: unknown key{suggest(key, known)}" for key in given if key not in known]
    wrong += [f"{place}.{key}: is required" for key in needed if key not in given and key != "service"]
    if wrong:
        raise ConfigError(wrong)
