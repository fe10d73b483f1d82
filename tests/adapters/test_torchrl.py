from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torchrl", reason="needs the extra torchrl")

import torch
from torchrl.envs.utils import check_env_specs

import lora_marl
from lora_marl.adapters.torchrl import ReplicaEnv
from lora_marl.envs.game import seeds_of
from tests.envs.small import SETTINGS, random_actions

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]

LENGTH = 7


@pytest.fixture(params=sorted(lora_marl.ENVS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=("multidiscrete", "discrete"))
def settings(request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    return {**SETTINGS[name], "max_cycles": LENGTH, "replicas": 3, "action_format": request.param}


def test_its_checker_accepts_it(name: str, settings: dict[str, Any]) -> None:
    check_env_specs(ReplicaEnv(name, **settings))


def test_it_shows_what_the_arrays_say(name: str, settings: dict[str, Any]) -> None:
    env, arrays = ReplicaEnv(name, **settings), lora_marl.make(name, **settings)
    env.set_seed(4)
    seen, expected = env.reset(), arrays.reset_array(seeds_of(4, 3))
    rng = np.random.default_rng(0)
    for step in range(LENGTH):
        assert np.array_equal(seen[env.group, "observation"], expected)
        assert np.array_equal(seen[env.group, "action_mask"], arrays.mask_array())
        assert np.array_equal(seen["state"], arrays.state_array())
        actions = random_actions(arrays, rng)
        after = env.step(seen.set((env.group, "action"), torch.as_tensor(actions)))["next"]
        expected, rewards, _, truncations, _ = arrays.step_array(actions)
        np.testing.assert_allclose(after[env.group, "reward"][..., 0], rewards, rtol=1e-6)
        assert after["done"].all() == after["truncated"].all() == truncations.all() == (step + 1 == LENGTH)
        assert not after["terminated"].any()
        seen = after


def test_rollouts_begin_anew_and_repeat_by_seed(name: str, settings: dict[str, Any]) -> None:
    def played(seed: int) -> Any:
        env = ReplicaEnv(name, **settings)
        env.set_seed(seed)
        torch.manual_seed(0)
        return env.rollout(3 * LENGTH, break_when_any_done=False)

    steps = played(0)
    assert steps.shape == (3, 3 * LENGTH)
    assert steps["next", "done"].sum() == 3 * 3
    assert torch.equal(steps["state"], played(0)["state"])
    assert not torch.equal(steps["state"][:, :LENGTH], steps["state"][:, LENGTH : 2 * LENGTH])
    assert not torch.equal(steps["state"], played(1)["state"])


def test_bad_calls_are_named(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="remove_dead: True; arrays keep all agents"):
        ReplicaEnv(name, remove_dead=True, **settings)
    env = ReplicaEnv(name, **settings)
    some = env.reset().set("_reset", torch.tensor([[True], [False], [True]]))
    with pytest.raises(ValueError, match="_reset: leaves out replicas"):
        env._reset(some)
    for seed in (-1, 1.5, True, "0", [], [1, 2], [0, None, 1]):
        with pytest.raises(ValueError, match="seed: .*allowed is a whole number of at least 0, or 3 of them"):
            env.set_seed(seed)


def test_runs_of_neighbouring_seeds_share_no_replica(name: str, settings: dict[str, Any]) -> None:
    env = ReplicaEnv(name, **settings)
    starts = []
    for seed in (0, 1):
        env.set_seed(seed)
        starts.append(env.rollout(LENGTH)["next", "state"][:, -1])
    assert not any(torch.equal(a, b) for a in starts[0] for b in starts[1])
