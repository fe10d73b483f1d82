"""Attention critics on the networks of a run: all channels of all networks are groups of one learner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.maac import MAAC
from agents.torch_utils import threads
from lora_marl.config import EnergyConfig
from lora_marl.envs import energy_v0
from scripts.runs.energy.experiment import Network
from scripts.runs.metrics import Row

_GREEDY_STEPS = 3


class GroupLayout:
    """The place of every node in groups of equal length `[G, A]`: channel c of network s is group s C + c.

    Shape letters: `B` replicas, `N` nodes of a network, `G` groups, `A` places of a group, `C` channels.

    Args:
        channels: Of the nodes of each network. `[N]` each
        count: C.

    Attributes:
        groups: The nodes of every group, ascending.
        mask: Which places hold a node. `[G, A]`
    """

    def __init__(self, channels: Sequence[NDArray[np.integer]], count: int) -> None:
        by_network = [[np.flatnonzero(channel == c) for c in range(count)] for channel in channels]
        self.groups = [nodes for groups in by_network for nodes in groups]
        self.count = count
        self.mask = np.zeros((len(self.groups), max(map(len, self.groups))), np.bool_)
        for group, nodes in enumerate(self.groups):
            self.mask[group, : len(nodes)] = True

    def gather(self, arrays: Sequence[NDArray]) -> NDArray:
        """Arrays of the networks `[B, N, ...]` as one of groups `[B, G, A, ...]`; empty places are zero."""
        grouped = np.zeros((len(arrays[0]), *self.mask.shape, *arrays[0].shape[2:]), arrays[0].dtype)
        for group, nodes in enumerate(self.groups):
            grouped[:, group, : len(nodes)] = arrays[group // self.count][:, nodes]
        return grouped

    def scatter(self, grouped: NDArray) -> list[NDArray]:
        """The reverse: `[B, G, A]` as arrays of the networks `[B, N]`."""
        arrays = []
        for first in range(0, len(self.groups), self.count):
            groups = self.groups[first : first + self.count]
            array = np.zeros((len(grouped), sum(map(len, groups))), grouped.dtype)
            for group, nodes in enumerate(groups, first):
                array[:, nodes] = grouped[:, group, : len(nodes)]
            arrays.append(array)
        return arrays


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
        self._envs = [self._build_env(network, energy.replicas) for network in networks]
        self._greedy_envs = [self._build_env(network, 1) for network in networks]
        first = self._envs[0]
        self._layout = GroupLayout([network.channel for network in networks], len(networks[0].closed_form.tables.meets))
        action_mask = self._layout.gather([env.mask_array()[:1] for env in self._envs])[0]
        seeds = [(network.seed, c) for network in networks for c in range(self._layout.count)]
        self.learner = MAAC(
            first.observation_space(first.possible_agents[0]).shape[0], action_mask.shape[-1], self._layout.mask,
            action_mask=action_mask, seeds=seeds, **parameters,
        )  # fmt: skip

    def run_episode(self) -> list[Row]:
        """Runs and learns from an episode of every network; a row of each: what was earned and learned.

        On one thread of torch: more gain little at these sizes, and numbers would depend on how many there are.
        """
        with threads(1):
            return self._run_episode()

    def _run_episode(self) -> list[Row]:
        observations = self._reset(self._envs, self._energy.replicas)
        returns: Any = 0.0
        report: dict[str, NDArray[np.floating]] = {}
        for _ in range(self._energy.steps):
            actions = self.learner.act(observations)
            by_network = self._layout.scatter(actions)
            results = [env.step_array(action) for env, action in zip(self._envs, by_network, strict=True)]
            following = self._layout.gather([result[0] for result in results])
            rewards = self._layout.gather([result[1] for result in results])
            self.learner.observe(observations, actions, rewards, following)
            report = self.learner.update() or report
            returns, observations = returns + rewards.sum(axis=-1).mean(axis=0), following
        self.episodes += 1
        return [
            {"reward": float(np.sum(group_returns))} | row
            for group_returns, row in zip(
                np.reshape(returns, (-1, self._layout.count)), self._by_network(report), strict=True
            )
        ]

    def greedy_points(self) -> list[NDArray[np.int16]]:
        """The allocation that the likeliest actions lead to in each network, after a few steps of it `[N, 4]`."""
        observations = self._reset(self._greedy_envs, 1)
        for _ in range(_GREEDY_STEPS):
            by_network = self._layout.scatter(self.learner.greedy(observations))
            results = [env.step_array(action) for env, action in zip(self._greedy_envs, by_network, strict=True)]
            observations = self._layout.gather([result[0] for result in results])
        return [env.game.points[0].astype(np.int16) for env in self._greedy_envs]

    def load(self, arrays: Mapping[str, NDArray], episodes: int) -> None:
        """Continues from the learner's state after some episodes.

        Raises:
            ValueError: it is of another learner.
        """
        self.learner.load_state_dict(arrays)
        self.episodes = episodes

    def _build_env(self, network: Network, replicas: int) -> Any:
        energy = self._energy
        return energy_v0.parallel_env(
            scenario=network.closed_form.scenario, channel=network.channel, least_delivery=energy.least_delivery,
            reward=energy.reward, masks=energy.masks, rate=energy.rate, replicas=replicas, max_cycles=energy.steps,
        )  # fmt: skip

    def _reset(self, envs: Sequence[Any], replicas: int) -> NDArray[np.float32]:
        """Every episode begins from random numbers of its own, so that a resumed run continues as if never stopped."""
        return self._layout.gather(
            [
                env.reset_array(
                    [replicas * self.episodes + replica + 2**32 * network.seed for replica in range(replicas)]
                )
                for env, network in zip(envs, self._networks, strict=True)
            ]
        )

    def _by_network(self, report: dict[str, NDArray[np.floating]]) -> list[Row]:
        """Means over the groups of each network of what the last update reported; nan before the first update."""
        means = {name: values.reshape(len(self._networks), -1).mean(axis=1) for name, values in report.items()}
        names = ("critic_loss", "actor_loss", "entropy", "attention_entropy")
        return [
            {name: float(means[name][s]) if name in means else float("nan") for name in names}
            for s in range(len(self._networks))
        ]
