from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

CODE = """
import hashlib, pickle, numpy as np
from lora_marl.core.presets import conference_network
from lora_marl.envs import uplink_v0

def make(turns=False):
    build = uplink_v0.env if turns else uplink_v0.parallel_env
    return build(scenario=conference_network(5, 2000.0), max_cycles=10, reward={"dlora": 1.0})

def play(env, episodes, seed=None, through=lambda env: env):
    'Everything that a user sees of some episodes; `through` is applied to the environment in mid-episode.'
    rng, seen = np.random.default_rng(0), []
    for episode in range(episodes):
        observations, infos = env.reset(seed=seed if episode == 0 else None)
        seen.append((observations, infos))
        while env.agents:
            if len(seen) % 5 == 0:
                env = through(env)
            sizes = env.single_action_space.nvec
            seen.append(env.step({agent: rng.integers(0, sizes) for agent in env.agents}))
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
            env.step(None if done else rng.integers(0, env.action_space(agent).nvec))
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
    played = play(make(), 3, seed), play_turns(make(True), 2, seed)
    return hashlib.sha256(repr(played).encode()).hexdigest()
"""

SPACE: dict[str, Any] = {}
exec(CODE, SPACE)
make, play, play_turns, digest = (SPACE[name] for name in ("make", "play", "play_turns", "digest"))

GAMES = pytest.mark.parametrize("turns", [False, True], ids=["parallel", "turns"])


def played(turns: bool, env: Any, *args: Any, **kwargs: Any) -> Any:
    return (play_turns if turns else play)(env, *args, **kwargs)


@GAMES
@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_determines_three_episodes(turns: bool, seed: int) -> None:
    env = make(turns)
    first = played(turns, env, 3, seed)
    assert played(turns, env, 3, seed) == first
    assert played(turns, make(turns), 3, seed) == first


@GAMES
def test_seeds_and_episodes_differ(turns: bool) -> None:
    zero, one = played(turns, make(turns), 1, 0), played(turns, make(turns), 1, 1)
    assert zero != one
    env = make(turns)
    assert played(turns, env, 1, 0) != played(turns, env, 1)
    assert played(turns, make(turns), 1) != played(turns, make(turns), 1)


@GAMES
@pytest.mark.parametrize("module", [pickle, cloudpickle])
def test_pickled_in_mid_episode(turns: bool, module: Any) -> None:
    def through(env: Any) -> Any:
        return module.loads(module.dumps(env))

    assert played(turns, make(turns), 3, 0, through) == played(turns, make(turns), 3, 0)


def test_in_another_process() -> None:
    code = CODE + "\nprint(digest(0), digest(1))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [digest(0), digest(1)]


def test_global_random_state_is_untouched() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    play(make(), 1, 0)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
