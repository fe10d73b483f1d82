"""Gymnasium views of the environments: one decider, or many as rows of arrays.

    import gymnasium
    import lora_marl

    env = gymnasium.make("lora/uplink-agent-v0", agent="node_3")
    envs = gymnasium.make_vec("lora/uplink-central-v0", num_envs=32)
    rows = gymnasium.make_vec("lora/uplink-shared-v0", num_envs=3200)

Every environment of `lora_marl.ENVS` has three ids, whether its agents are nodes or network servers:

| id | who decides | observation | reward |
|---|---|---|---|
| `lora/<name>-agent-v<n>` | one agent among others | its observation `[D]` | its reward |
| `lora/<name>-central-v<n>` | one decider for all agents | the global state `[N D]` | the mean reward |
| `lora/<name>-shared-v<n>` | each agent for itself, by one policy; `make_vec` only | its observation | its reward |

`agent` and `others` are arguments of `OneAgent`, `autoreset_mode` is one of vectors; all others are the environment's.
The first two ids record videos with Gymnasium's own wrapper (extra `video`, tested by `make recipe-video`):

    env = gymnasium.make("lora/uplink-agent-v0", render_mode="rgb_array", max_cycles=40)
    env = gymnasium.wrappers.RecordVideo(env, "videos", episode_trigger=lambda episode: episode % 10 == 0)

(Its vector wrapper wants a picture of every row; ours shows the first replica.)

`action_masks()` returns which actions may be taken, in the form that sb3-contrib's MaskablePPO takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

import lora_marl
from lora_marl.core.checks import check_count
from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.views.controllers import Central, Controller, OneAgent, Others, Shared
from lora_marl.views.environments import ControllerEnv, ControllerVectorEnv

__all__ = [
    "Central", "Controller", "ControllerEnv", "ControllerVectorEnv", "OneAgent", "Others", "Shared",
    "agent_env", "agent_vector", "central_env", "central_vector", "shared_env", "shared_vector",
]  # fmt: skip


def agent_env(
    name: str, *, agent: str | None = None, others: ArrayLike | Others | None = None, **settings: Any
) -> ControllerEnv:
    """One agent among the others of an environment of `lora_marl.ENVS`; arguments as of `OneAgent`."""
    return ControllerEnv(OneAgent(lora_marl.make(name, **settings), agent, others))


def agent_vector(
    name: str,
    num_envs: int = 1,
    *,
    agent: str | None = None,
    others: ArrayLike | Others | None = None,
    autoreset_mode: Any = "NextStep",
    **settings: Any,
) -> ControllerVectorEnv:
    """`agent_env` as a vector of so many replicas."""
    return ControllerVectorEnv(OneAgent(_make(name, num_envs, settings), agent, others), autoreset_mode)


def central_env(name: str, **settings: Any) -> ControllerEnv:
    """One decider for all agents of an environment of `lora_marl.ENVS`, a `Central` controller."""
    return ControllerEnv(Central(lora_marl.make(name, **settings)))


def central_vector(
    name: str, num_envs: int = 1, *, autoreset_mode: Any = "NextStep", **settings: Any
) -> ControllerVectorEnv:
    """`central_env` as a vector of so many replicas."""
    return ControllerVectorEnv(Central(_make(name, num_envs, settings)), autoreset_mode)


def shared_env(name: str, **settings: Any) -> ControllerEnv:
    """Raise ValueError, which says to use `make_vec`: a single environment cannot have all agents as rows."""
    raise ValueError(f"every agent of {name} is a row of its own: gymnasium.make_vec(..., num_envs=rows), not make")


def shared_vector(
    name: str, num_envs: int, *, autoreset_mode: Any = "NextStep", **settings: Any
) -> ControllerVectorEnv:
    """Every agent of every replica as a sub-environment, a `Shared` controller.

    Raises:
        ValueError: `num_envs` is not a multiple of the number of agents.
    """
    agents = len(_make(name, 1, settings).possible_agents)
    check_count("num_envs", num_envs)
    if num_envs % agents:
        raise ValueError(f"num_envs: {num_envs} is not a multiple of {agents}, the number of agents")
    return ControllerVectorEnv(Shared(_make(name, num_envs // agents, settings)), autoreset_mode)


def _make(name: str, num_envs: int, settings: Mapping[str, Any]) -> ArrayParallelEnv:
    """The environment with so many replicas."""
    check_count("num_envs", num_envs)
    if "replicas" in settings:
        raise ValueError(f"replicas: {settings['replicas']!r}; num_envs says how many there are, leave replicas out")
    return lora_marl.make(name, replicas=num_envs, **settings)
