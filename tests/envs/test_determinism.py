from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from pettingzoo import ParallelEnv

from lora_marl.envs import coexistence_v0, energy_v0, uplink_v0

ROOT = Path(__file__).parents[2]

CODE = """
import hashlib, pickle, numpy as np
from lora_marl.core.presets import conference_network, mmalora_network
from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets.ccs import ccs_study
from lora_marl.envs import coexistence_v0, energy_v0, uplink_v0

SETTINGS = {
    uplink_v0: {"scenario": conference_network(5, 2000.0), "reward": {"dlora": 1.0}},
    energy_v0: {"scenario": mmalora_network(5, 2, channels=2)},
    coexistence_v0: {"coexistence": ccs_study([Deployment(nodes=6), Deployment(nodes=5)], moves_s=240.0)},
}

def make(module, turns=False):
    return (module.env if turns else module.parallel_env)(max_cycles=10, **SETTINGS[module])

def draw(rng, space):
    return rng.integers(0, space.nvec if hasattr(space, "nvec") else space.n)

def play(env, episodes, seed=None, through=lambda env: env):
    'Everything that a user sees of some episodes; `through` is applied to the environment in mid-episode.'
    rng, seen = np.random.default_rng(0), []
    for episode in range(episodes):
        observations, infos = env.reset(seed=seed if episode == 0 else None)
        seen.append((observations, infos))
        while env.agents:
            if len(seen) % 5 == 0:
                env = through(env)
            seen.append(env.step({agent: draw(rng, env.single_action_space) for agent in env.agents}))
            seen.append(env.state())
    return flat(seen)

def play_turns(env, episodes, seed=None, through=lambda env: env):
    rng, seen = np.random.default_rng(0), []
    for episode in range(episodes):
        env.reset(seed=seed if episode == 0 else None)
        while env.agents:
            if len(seen) % 5 == 0:
                env = through(env)
            agent, (observation, *rest) = env.agent_selection, env.last()
            seen.append((agent, observation, *rest))
            done = env.truncations[agent]
            env.step(None if done else draw(rng, env.action_space(agent)))
    return flat(seen)

def flat(value):
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, dict):
        return tuple((key, flat(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(flat, value))
    return repr(value)

def digest(seed):
    played = [(play(make(module), 3, seed), play_turns(make(module, True), 2, seed)) for module in SETTINGS]
    return hashlib.sha256(repr(played).encode()).hexdigest()
"""

SPACE: dict[str, Any] = {}
exec(CODE, SPACE)
play, play_turns, digest = (SPACE[name] for name in ("play", "play_turns", "digest"))

GAMES = pytest.mark.parametrize(
    "make",
    [partial(SPACE["make"], m, turns) for m in (uplink_v0, energy_v0, coexistence_v0) for turns in (False, True)],
    ids=["uplink", "uplink-turns", "energy", "energy-turns", "coexistence", "coexistence-turns"],
)


def played(env: Any, *args: Any, **kwargs: Any) -> Any:
    return (play if isinstance(env, ParallelEnv) else play_turns)(env, *args, **kwargs)


@GAMES
@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_determines_three_episodes(make: Callable[[], Any], seed: int) -> None:
    env = make()
    first = played(env, 3, seed)
    assert played(env, 3, seed) == first
    assert played(make(), 3, seed) == first


@GAMES
def test_seeds_and_episodes_differ(make: Callable[[], Any]) -> None:
    assert played(make(), 1, 0) != played(make(), 1, 1)
    env = make()
    assert played(env, 1, 0) != played(env, 1)
    assert played(make(), 1) != played(make(), 1)


@GAMES
@pytest.mark.parametrize("module", [pickle, cloudpickle])
def test_pickled_in_mid_episode(make: Callable[[], Any], module: Any) -> None:
    def through(env: Any) -> Any:
        return module.loads(module.dumps(env))

    assert played(make(), 3, 0, through) == played(make(), 3, 0)


def test_in_another_process() -> None:
    code = CODE + "\nprint(digest(0), digest(1))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [digest(0), digest(1)]


@GAMES
def test_global_random_state_is_untouched(make: Callable[[], Any]) -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    played(make(), 1, 0)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
