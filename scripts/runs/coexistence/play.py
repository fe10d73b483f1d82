"""Plays a run: servers choose and learn, a way of coordination has its say, everything is booked.

The environment and the servers of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from agents.lns.dqn import DqnServers
from agents.lns.hyperparameters import DqnHyperparameters, PolicyGradientHyperparameters
from agents.lns.learning import LearningServers
from agents.lns.policy_gradient import PolicyGradientServers
from agents.lns.team import Member, Team
from agents.lns.vendor import Vendor, load_vendor
from lora_marl.config import CoexistenceConfig, ConfigError, TrainConfig
from lora_marl.envs.coexistence.reward import DEFAULT
from lora_marl.envs.coexistence_v0 import Coexisting, parallel_env
from scripts.runs.cli import ROOT
import numpy as np
from numpy.typing import NDArray
from lora_marl.core.metrics import channel_overlap
from lora_marl.envs.coexistence_v0 import Coexisting
from agents.coexistence.strategy import Way
from agents.coexistence.ledger import Book, Ledger, jain, kpis
from scripts.runs.metrics import Row


KINDS: dict[str, type[LearningServers]] = {"dqn": DqnServers, "pg": PolicyGradientServers}


def coexistence_of(config: TrainConfig) -> CoexistenceConfig:
    """The section that makes a run one of these."""
    assert config.coexistence is not None
    return config.coexistence


def environment(
    coexistence: CoexistenceConfig, replicas: int, *, per_packet: bool = False, indicator: str | None = None
) -> Coexisting:
    """The environment of a run, whose agents are groups.

    Args:
        coexistence: Of the run.
        replicas: One per seed.
        per_packet: Whether groups give distributions in place of actions.
        indicator: What servers measure of others; None: what the run says.

    Raises:
        ConfigError: networks that cannot be built.
    """
    try:
        settings = settings_of(coexistence) | ({} if indicator is None else {"interference_indicator": indicator})
        points = "per_packet" if per_packet else "per_interval"
        return parallel_env(**settings, replicas=replicas, operating_points=points)
    except ValueError as error:
        raise ConfigError([f"coexistence: {error}"]) from None


def settings_of(coexistence: CoexistenceConfig) -> dict[str, Any]:
    """Settings of the environment of a run. ValueError: networks that cannot be built."""
    rewards = [dict(DEFAULT) if each is None else each for each in coexistence.rewards]
    return {
        "coexistence": coexistence.build(),
        "decider": "group",
        "max_cycles": coexistence.intervals,
        "interference_indicator": coexistence.indicator,
        "reward": rewards,
    }


def vendor_path(folder: Path, kind: str, vendor: int) -> Path:
    """Where a vendor's trained policy is."""
    return (folder if folder.is_absolute() else ROOT / folder) / f"{kind}-{vendor}.safetensors"


def team_of(
    coexistence: CoexistenceConfig,
    seeds: Sequence[int],
    hyper: dict[str, DqnHyperparameters | PolicyGradientHyperparameters] | None = None,
) -> Team:
    """The servers of a run, from their vendors' policies.

    Args:
        coexistence: Of the run.
        seeds: One per replica.
        hyper: Hyperparameters by kind; by default those of learning online.

    Raises:
        ConfigError: a vendor's file is missing or damaged.
    """
    learning = [network for network in coexistence.networks if network.learner in KINDS]
    members = []
    for kind, servers in KINDS.items():
        places = tuple(place for place, network in enumerate(learning) if network.learner == kind)
        if not places:
            continue
        vendors = [_vendor(coexistence, kind, learning[place].vendor) for place in places]
        chosen = {"hyper": hyper[kind]} if hyper and kind in hyper else {}
        members.append(Member(servers(vendors, seeds, places, **chosen), places))  # type: ignore[arg-type]
    return Team(members)


def _vendor(coexistence: CoexistenceConfig, kind: str, own: int | None) -> Vendor:
    path = vendor_path(coexistence.vendors, kind, coexistence.vendor if own is None else own)
    if not path.exists():
        known = sorted(int(each.stem.rpartition("-")[2]) for each in path.parent.glob(f"{kind}-*.safetensors"))
        there = f"of {kind} there are {', '.join(map(str, known))}" if known else f"no vendor of {kind} is there"
        raise ConfigError([f"coexistence.vendor: {path} is not there; {there}; scripts/train_ccs.py makes them"])
    try:
        return load_vendor(path)
    except ValueError as error:
        raise ConfigError([f"coexistence.vendor: {error}; scripts/train_ccs.py makes them"]) from None


_OF_EACH = ("prr", "epn_mj", "atp", "pdr", "delay_s", "return")


class Play:
    """One way of coordination on all replicas of an environment, interval by interval.

    Args:
        env: Whose agents are groups.
        way: What decides.
        seeds: One per replica.

    Attributes:
        env, way: As given.
        book: What came of the intervals so far.
    """

    def __init__(self, env: Coexisting, way: Way, seeds: Sequence[int]) -> None:
        self.env, self.way, self.book = env, way, Book()
        self._observations = self._by_network(env.reset_array(seeds))
        way.begin(env.game)

    @property
    def done(self) -> int:
        """Intervals played so far."""
        return len(self.book)

    @property
    def finished(self) -> bool:
        """Whether all have been played."""
        return self.done == self.env.max_cycles

    def play_next(self) -> None:
        """Plays an interval."""
        chosen = self.way.choose(self._observations)
        flat = chosen.reshape(len(chosen), -1, *chosen.shape[3:])
        observations, rewards, _, _, infos = self.env.step_array(flat)
        seen, earned = self._by_network(observations), self._by_network(rewards)
        self.book.add(self.env.game, earned)
        weights = self._by_network(infos["attempts"]).astype(np.float64)
        self.way.learn(self._observations, chosen, earned, weights, seen)
        self.way.after(self.book)
        self._observations = seen

    def rows(self) -> list[Row]:
        """What came of the last interval, of all networks together and of each, a row for every replica."""
        sums, airtime_s = self.book.latest()
        each = kpis(sums)
        columns = {**kpis(sums, (1,)), "overlap": channel_overlap(airtime_s), "jain": jain(each["prr"])}
        columns |= {f"{name}_{s}": each[name][:, s] for s in range(sums.shape[1]) for name in _OF_EACH}
        values = np.stack(list(columns.values()), axis=-1).tolist()
        return [{"interval": float(self.done), **dict(zip(columns, row, strict=True))} for row in values]

    def _by_network(self, values: NDArray) -> NDArray:
        """Of groups `[B, L * Q, ...]` to `[B, L, Q, ...]`."""
        game = self.env.game
        return values.reshape(len(values), len(game.learning), game.settings.groups, *values.shape[2:])


def played(env: Coexisting, way: Way, seeds: Sequence[int]) -> list[Ledger]:
    """A whole episode; a ledger of each replica."""
    play = Play(env, way, seeds)
    while not play.finished:
        play.play_next()
    return play.book.ledgers()


def sums_of(ledgers: Sequence[Ledger]) -> dict[str, NDArray[np.float64]]:
    """What is kept of replicas, by name. `[B, T, S, ...]` each"""
    return {"sums": np.stack([each.sums for each in ledgers]), "airtime_s": np.stack([e.airtime_s for e in ledgers])}
