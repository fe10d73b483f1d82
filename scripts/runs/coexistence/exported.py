"""Exported policies as the servers of a run, whatever library trained them.

    learners: {sb3: {name: policy, parameters: {path: configs/policies/coexistence_v0}}}

Shape letters: `B` replicas, `L` learning networks, `Q` groups of a network, `D` features, `F` factors of an action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.coexistence.independent import IndependentServers
from agents.draws import Draws
from agents.lns.servers import Servers
from agents.lns.team import Team, TeamMember
from lora_marl.adapters.policy import Policy
from lora_marl.config import CoexistenceConfig
from lora_marl.envs.coexistence_v0 import Coexisting
from scripts.runs.cli import ROOT
from scripts.runs.coexistence.networks import build_environment

SETTINGS = ("groups", "tp_dbm", "interval_s", "operating_points")
"""Settings on which the meaning of observations and actions depends."""


class ExportedServers(Servers):
    """Servers that all follow one policy, which stays as it is; each draws from a stream of its own.

    Args:
        policy: Decides for groups.
        seeds: One per replica. `[B]`
        servers: `L`
        groups: `Q`
    """

    def __init__(self, policy: Policy, seeds: Sequence[int], servers: int, groups: int) -> None:
        super().__init__(len(seeds), servers, groups, len(policy.spaces.feature_names))
        self.policy, self._draws = policy, Draws(seeds, range(servers), "exported")

    def select(self, observations: ArrayLike, explore: bool = True) -> NDArray[np.int64]:
        """Returns the policy's actions, the most likely ones without `explore`; see `Servers.select`. `[B, L, Q]`"""
        checked = self.checked("observations", observations, self.features).astype(np.float32)
        rows, sizes = checked.reshape(-1, self.features), self.policy.spaces.sizes
        draws = np.empty((len(rows), len(sizes)))
        if explore:
            draws = self._draws.uniform(self.shape[2], len(sizes)).reshape(draws.shape)
        factors = self.policy.choose(rows, draws, greedy=None if explore else True)
        return np.ravel_multi_index(tuple(factors.T), sizes).reshape(self.shape)

    def state_dict(self) -> dict[str, NDArray]:
        """Returns how many numbers were drawn so far."""
        return {"drawn": self._draws.drawn.copy()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues the streams of random numbers; see `Servers.load_state_dict`."""
        super().load_state_dict(state)
        self._draws.drawn[...] = state["drawn"]


def exported_servers(coexistence: CoexistenceConfig, seeds: Sequence[int], *, path: str) -> IndependentServers:
    """Returns servers that all follow an exported policy, with the indicator that it was trained with.

    Args:
        coexistence: The run's section.
        seeds: One per replica.
        path: The policy's folder; a relative one counts from the project's root.

    Raises:
        ValueError: no policy that can be read, or one that observes or chooses something else than these servers.
    """
    policy, env = Policy.read(ROOT / path), build_environment(coexistence, 1)
    check_policy(policy, env, path)
    servers = len(env.game.learning)
    member = TeamMember(ExportedServers(policy, seeds, servers, env.game.settings.groups), tuple(range(servers)))
    indicator = policy.spaces.settings["interference_indicator"]
    return IndependentServers(Team([member]), online=False, indicator=indicator)


def check_policy(policy: Policy, env: Coexisting, path: str) -> None:
    """Raises ValueError for a policy that was not trained for groups of this environment."""
    spaces = policy.spaces
    if spaces.environment != "coexistence_v0":
        raise ValueError(f"path: {path} was trained on {spaces.environment}; servers are those of coexistence_v0")
    ours = len(env.feature_names), env.game.actions.size
    theirs = len(spaces.feature_names), int(np.prod(spaces.sizes))
    if spaces.feature_names != tuple(env.feature_names) or ours != theirs:
        raise ValueError(
            f"path: {path} observes {theirs[0]} features and chooses of {theirs[1]} actions; "
            f"allowed are a group's {ours[0]} and {ours[1]}; train it with decider=group"
        )
    for name in SETTINGS:
        trained, here = (np.array(settings.get(name)).tolist() for settings in (spaces.settings, vars(env.settings)))
        if trained != here:
            raise ValueError(f"path: {path} was trained with {name} {trained}; servers here have {here}")
