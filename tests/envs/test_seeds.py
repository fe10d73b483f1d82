"""Seeds of replicas, in every interface that takes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

import lora_marl
from lora_marl.envs import uplink_v0
from lora_marl.envs.game import seeds_of
from tests.envs.small import SETTINGS

SMALL = SETTINGS["uplink_v0"]


def test_a_list_is_taken_as_it_is() -> None:
    for seeds in ([7, 0, 7], range(3), np.array([1, 2, 3], np.uint8), (2**70, np.int64(1), 0)):
        assert seeds_of(seeds, 3) == [int(seed) for seed in seeds]


def test_one_seed_is_the_first_replicas_whatever_follows() -> None:
    for seed in (0, 1, np.int64(5), 2**70):
        many = seeds_of(seed, 32)
        assert many[0] == seed
        assert all(seeds_of(seed, replicas) == many[:replicas] for replicas in (1, 2, 31))
        assert all(type(following) is int and np.int64(following) >= 0 for following in many[1:])


def test_runs_of_other_seeds_share_no_replica() -> None:
    drawn = [replica_seed for seed in range(200) for replica_seed in seeds_of(seed, 50)]
    assert len(set(drawn)) == len(drawn)


def test_what_follows_is_what_it_was() -> None:
    assert seeds_of(0, 3) == [0, 8226343694796210948, 5029765256218323565]


BAD = [
    -1,
    0.0,
    True,
    "0",
    [],
    [0],
    [0, None],
    [0, -1],
    [0, 1.0],
    [0, True],
    "01",
    np.zeros(2),
    [[0, 1], [2, 3]],
    {0, 1},
]


def resets() -> dict[str, Callable[[Any], Any]]:
    """The interfaces that take seeds of two replicas."""
    envs = gymnasium.make_vec("lora/uplink-shared-v0", num_envs=10, **SMALL)
    arrays = lora_marl.make("uplink_v0", replicas=2, **SMALL)
    return {"arrays": arrays.reset_array, "vector": lambda seed: envs.reset(seed=seed)}


@pytest.mark.parametrize("interface", ["arrays", "vector"])
@pytest.mark.parametrize("seed", BAD, ids=repr)
def test_what_is_no_seed_is_named(interface: str, seed: Any) -> None:
    message = re.escape(f"seed: {seed!r}; allowed is a whole number of at least 0, or 2 of them, one per replica")
    with pytest.raises(ValueError, match=message):
        resets()[interface](seed)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0", [], [1, 2]], ids=repr)
def test_an_interface_of_one_replica_takes_one_seed(seed: Any) -> None:
    envs = uplink_v0.parallel_env(**SMALL), uplink_v0.env(**SMALL), gymnasium.make("lora/uplink-agent-v0", **SMALL)
    for env in (*envs, envs[-1].unwrapped):
        with pytest.raises(ValueError, match=re.escape(f"seed: {seed!r}; allowed is a whole number of at least 0")):
            env.reset(seed=seed)


def test_a_refused_seed_leaves_the_episode_as_it_is() -> None:
    envs, same = (gymnasium.make_vec("lora/uplink-central-v0", num_envs=2, **SMALL) for _ in range(2))
    actions = [np.zeros(vector.action_space.shape, np.int64) for vector in (envs, same)]
    for vector in (envs, same):
        vector.reset(seed=3)
    with pytest.raises(ValueError, match="seed: "):
        envs.reset(seed=[1])
    assert np.array_equal(envs.step(actions[0])[0], same.step(actions[1])[0])
