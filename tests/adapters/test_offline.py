from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("safetensors", reason="needs the extra scripts")

import lora_marl
from lora_marl.adapters.offline import Recording, record
from tests.envs.small import SETTINGS

LENGTH = 6


@pytest.fixture(params=sorted(lora_marl.ENVS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=("multidiscrete", "discrete"))
def env(request: pytest.FixtureRequest, name: str) -> Any:
    return lora_marl.make(name, **SETTINGS[name], replicas=3, max_cycles=LENGTH, action_format=request.param)


def test_what_was_recorded_happens_again(env: Any, name: str) -> None:
    played = record(env, name, [4, 5, 6])
    observations = env.reset_array(played.seeds.tolist())
    for step in range(LENGTH):
        assert np.array_equal(observations, played.observations[:, step])
        assert np.array_equal(env.mask_array(), played.masks[:, step])
        observations, rewards, *_ = env.step_array(played.actions[:, step])
        assert np.array_equal(rewards, played.rewards[:, step])
    assert np.array_equal(observations, played.observations[:, -1])
    assert played.observations.shape[:3] == (3, LENGTH + 1, len(env.possible_agents))


def test_the_file_holds_all_of_it(env: Any, name: str, tmp_path: Path) -> None:
    played = record(env, name, [0, 1, 2])
    played.write(tmp_path / "played.npz")
    read = Recording.read(tmp_path / "played.npz")
    assert read.spaces.feature_names == tuple(env.feature_names)
    assert (read.spaces.environment, read.spaces.algorithm) == (name, "random")
    for key in ("seeds", "observations", "masks", "actions", "rewards"):
        assert np.array_equal(getattr(read, key), getattr(played, key))
        assert getattr(read, key).dtype == getattr(played, key).dtype


def test_transitions_are_those_of_agents(env: Any, name: str) -> None:
    played = record(env, name, [0, 1, 2])
    observations, actions, rewards, following, ended = played.transitions()
    agents = len(env.possible_agents)
    episode, step, agent = np.unravel_index(np.arange(len(rewards)), (3, LENGTH, agents))
    assert np.array_equal(observations, played.observations[episode, step, agent])
    assert np.array_equal(following, played.observations[episode, step + 1, agent])
    assert np.array_equal(actions, played.actions[episode, step, agent])
    assert np.array_equal(rewards, played.rewards[episode, step, agent])
    assert np.array_equal(ended, step == LENGTH - 1)


def test_who_plays_sees_observations_and_masks(env: Any, name: str) -> None:
    seen = []

    def choose(observations: np.ndarray, masks: np.ndarray) -> np.ndarray:
        seen.append((observations, masks))
        return env.game.first_actions()

    played = record(env, name, [0, 1, 2], choose, played_by="nobody")
    assert np.array_equal(np.stack([observations for observations, _ in seen], axis=1), played.observations[:, :-1])
    assert np.array_equal(np.stack([masks for _, masks in seen], axis=1), played.masks[:, :-1])
    assert played.spaces.algorithm == "nobody"


def test_a_policy_can_be_learned_from_it(env: Any, name: str) -> None:
    """Rewards of the step, averaged by action, name a better action than the mean one."""
    played = record(env, name, [0, 1, 2])
    _, actions, rewards, *_ = played.transitions()
    flat = actions if actions.ndim == 1 else actions[:, 0]
    worth = {value: rewards[flat == value].mean() for value in np.unique(flat)}
    assert max(worth.values()) > rewards.mean() > min(worth.values())


def test_what_cannot_be_read_is_named(env: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / "played.npz"
    with pytest.raises(ValueError, match="holds no recording"):
        Recording.read(path)
    path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="holds no recording"):
        Recording.read(path)
    np.savez(path, about=np.array('{"format": "other"}'))
    with pytest.raises(ValueError, match="format 'other' is not"):
        Recording.read(path)
    np.savez(path, about=np.array("5"))
    with pytest.raises(ValueError, match="holds no recording"):
        Recording.read(path)
    record(env, name, range(env.settings.replicas)).write(path)
    with np.load(path) as file:
        whole = dict(file)
    np.savez(path, **{key: array for key, array in whole.items() if key != "masks"})
    with pytest.raises(ValueError, match="holds no recording"):
        Recording.read(path)
    np.savez(path, **whole | {"actions": whole["actions"][:1]})
    with pytest.raises(ValueError, match="holds no recording that can be read .actions: "):
        Recording.read(path)


@pytest.mark.external
@pytest.mark.filterwarnings("ignore")
def test_minari_has_an_episode_for_each_agent(
    env: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minari = pytest.importorskip("minari", reason="needs the extra offline")
    from lora_marl.adapters.minari import create

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    played = record(env, name, [0, 1, 2])
    played = replace(played, spaces=replace(played.spaces, algorithm="chance"))
    create(played, "lora/test-v0")
    read = minari.load_dataset("lora/test-v0")
    assert read.total_episodes == 3 * len(env.possible_agents)
    assert read.total_steps == played.rewards.size
    for number, episode in enumerate(read.iterate_episodes()):
        which, agent = divmod(number, len(env.possible_agents))
        assert np.array_equal(episode.observations, played.observations[which, :, agent])
        assert np.array_equal(episode.actions, played.actions[which, :, agent])
        np.testing.assert_allclose(episode.rewards, played.rewards[which, :, agent])
        assert episode.truncations[-1] and not episode.terminations.any()
    assert read.spec.action_space == env.single_action_space
