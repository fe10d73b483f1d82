"""Attention critics on the networks of a run: all channels of all networks are groups of one learner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.maac import MAAC, state
from agents.torch_utils import threads
from lora_marl.config import EnergyConfig
from lora_marl.envs import energy_v0
from scripts.runs.energy.stages import Network
from scripts.runs.metrics import Row

_GREEDY_STEPS = 3


class Seats:
    """Where the nodes of some networks sit in groups `[G, A]`: channel c of network s is group s C + c.

    Args:
        channels: Of the nodes of each network. `[N]` each
        count: C.
    """

    def __init__(self, channels: Sequence[NDArray[np.integer]], count: int) -> None:
        nodes = [[np.flatnonzero(channel == c) for c in range(count)] for channel in channels]
        self.groups = [members for network in nodes for members in network]
        self.count = count
        self.mask = np.zeros((len(self.groups), max(map(len, self.groups))), np.bool_)
        for group, members in enumerate(self.groups):
            self.mask[group, : len(members)] = True

    def seat(self, arrays: Sequence[NDArray]) -> NDArray:
        """Arrays of the networks `[..., N, *]` as one of seats `[..., G, A, *]`, the node axis being the second."""
        lead, rest = arrays[0].shape[:1], arrays[0].shape[2:]
        found = np.zeros((*lead, *self.mask.shape, *rest), arrays[0].dtype)
        for group, members in enumerate(self.groups):
            found[:, group, : len(members)] = arrays[group // self.count][:, members]
        return found

    def unseat(self, array: NDArray) -> list[NDArray]:
        """The reverse: `[B, G, A]` as arrays of the networks `[B, N]`."""
        networks = []
        for first in range(0, len(self.groups), self.count):
            own = self.groups[first : first + self.count]
            found = np.zeros((len(array), sum(map(len, own))), array.dtype)
            for group, members in enumerate(own, first):
                found[:, members] = array[:, group, : len(members)]
            networks.append(found)
        return networks


class Training:
    """MAAC on some networks, an episode at a time.

    Args:
        networks: One per seed.
        energy: How the game is set up.
        parameters: Of `MAAC`.

    Attributes:
        learner: Of all groups.
        episodes: Played so far.
    """

    def __init__(self, networks: Sequence[Network], energy: EnergyConfig, parameters: dict[str, Any]) -> None:
        self._networks, self._energy, self.episodes = networks, energy, 0
        self._envs = [self._env(network, energy.replicas) for network in networks]
        self._single = [self._env(network, 1) for network in networks]
        first = self._envs[0]
        self._seats = Seats([network.channel for network in networks], len(networks[0].closed_form.tables.meets))
        masks = self._seats.seat([env.mask_array()[:1] for env in self._envs])[0]
        seeds = [(network.seed, c) for network in networks for c in range(self._seats.count)]
        self.learner = MAAC(
            first.observation_space(first.possible_agents[0]).shape[0], masks.shape[-1], self._seats.mask,
            action_mask=masks, seeds=seeds, **parameters,
        )  # fmt: skip

    def play_episode(self) -> list[Row]:
        """Plays and learns from an episode of every network; a row of each: what was earned and learned.

        On one thread of torch: more gain little at these sizes, and numbers would depend on how many there are.
        """
        with threads(1):
            return self._play_episode()

    def _play_episode(self) -> list[Row]:
        seen = self._reset(self._envs, self._energy.replicas)
        earned: Any = 0.0
        told: dict[str, NDArray[np.floating]] = {}
        for _ in range(self._energy.steps):
            actions = self.learner.act(seen)
            results = [env.step_array(own) for env, own in zip(self._envs, self._seats.unseat(actions), strict=True)]
            following = self._seats.seat([result[0] for result in results])
            rewards = self._seats.seat([result[1] for result in results])
            self.learner.observe(seen, actions, rewards, following)
            told = self.learner.update() or told
            earned, seen = earned + rewards.sum(axis=-1).mean(axis=0), following
        self.episodes += 1
        return [
            {"reward": float(np.sum(own_reward))} | own
            for own_reward, own in zip(np.reshape(earned, (-1, self._seats.count)), self._said(told), strict=True)
        ]

    def greedy_points(self) -> list[NDArray[np.int16]]:
        """The allocation that the likeliest actions lead to in each network, after a few steps of it `[N, 4]`."""
        seen = self._reset(self._single, 1)
        for _ in range(_GREEDY_STEPS):
            played = self._seats.unseat(self.learner.greedy(seen))
            seen = self._seats.seat([env.step_array(own)[0] for env, own in zip(self._single, played, strict=True)])
        return [env.game.points[0].astype(np.int16) for env in self._single]

    def write(self, path: Path) -> None:
        """Writes the learner, buffer included, to a safetensors file."""
        state.write(path, self.learner)

    def read(self, path: Path, episodes: int) -> None:
        """Goes on from a file after some episodes.

        Raises:
            ValueError: it is damaged, or of another learner.
        """
        try:
            self.learner.load_state_dict(state.read(path)[1])
        except ValueError as error:
            raise state.damaged(path, error) from None
        self.episodes = episodes

    def _env(self, network: Network, replicas: int) -> Any:
        energy = self._energy
        return energy_v0.parallel_env(
            scenario=network.closed_form.scenario, channel=network.channel, least_delivery=energy.least_delivery,
            reward=energy.reward, masks=energy.masks, rate=energy.rate, replicas=replicas, max_cycles=energy.steps,
        )  # fmt: skip

    def _reset(self, envs: Sequence[Any], replicas: int) -> NDArray[np.float32]:
        """Every episode begins from random numbers of its own, so that a resumed run goes on as if never stopped."""
        return self._seats.seat(
            [
                env.reset_array(
                    [replicas * self.episodes + replica + 2**32 * network.seed for replica in range(replicas)]
                )
                for env, network in zip(envs, self._networks, strict=True)
            ]
        )

    def _said(self, told: dict[str, NDArray[np.floating]]) -> list[Row]:
        """Means over the groups of each network of what the last update said."""
        by_network = {name: values.reshape(len(self._networks), -1).mean(axis=1) for name, values in told.items()}
        names = ("critic_loss", "actor_loss", "entropy", "attention_entropy")
        return [
            {name: float(by_network[name][s]) if name in by_network else float("nan") for name in names}
            for s in range(len(self._networks))
        ]
