"""Many servers as one: independent of each other, resumed exactly, with residuals that can be taken back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from agents.lns.dqn import DqnServers
from agents.lns.servers import ExternalServers
from agents.torch_utils import threads
from tests.agents.lns.conftest import GROUPS, noise

KINDS = pytest.mark.parametrize("kind", ["dqn", "pg"])
SHAPE = (2, 3, 17, 6)


def same(first, second) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


def residual(seed: int = 0, scale: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, scale, SHAPE).astype(np.float32)


@KINDS
@pytest.mark.parametrize("sizes", [(5, 16, 16, 6), (40, 128, 128, 48)])
def test_neither_replicas_nor_other_servers_change_a_server(servers_of, play, kind, sizes) -> None:
    together = servers_of(kind, sizes=sizes)
    history = play(together, 10)
    for servers, places in (((2,), [1]), ((7, 0), [2, 0])):
        fewer = servers_of(kind, (5,), servers, sizes=sizes)
        of_them = play(fewer, 10, seeds=(5,), servers=servers)
        assert np.array_equal(fewer.parameters()[0], together.parameters()[1, places])
        for step, fewer_step in zip(history, of_them):
            assert np.array_equal(fewer_step["actions"][0], step["actions"][1, places])


@KINDS
def test_neither_threads_nor_places_in_memory_change_a_server(servers_of, play, kind) -> None:
    one, other = (servers_of(kind, sizes=(40, 128, 128, 48)) for _ in range(2))
    play(one, 8)
    with threads(2):
        for interval in range(8):
            room = np.empty(2 * 3 * GROUPS * 40 + 1, np.float32)
            seen, following = (noise((3, 5), (0, 2, 7), interval + k, 40) for k in (0, 1))
            odd = room[1:].reshape(seen.shape)
            odd[...] = seen
            actions = other.select(odd)
            rewards, weights = np.sin(2.0 * actions + seen[..., 0]), (seen[..., 1] > -1.0).astype(float)
            other.update(odd, actions, rewards, weights, following)
    assert same(one.state_dict(), other.state_dict())


@KINDS
def test_servers_of_the_same_vendor_draw_and_learn_apart(servers_of, play, kind) -> None:
    learning = servers_of(kind)
    start = learning.parameters()
    assert (start == start[0, 0]).all()
    actions = learning.select(np.ones((2, 3, GROUPS, 5)))
    play(learning, 10)
    parameters = learning.parameters().reshape(6, -1)
    assert len(np.unique(parameters, axis=0)) == 6
    if kind == "pg":
        assert len(np.unique(actions.reshape(6, -1), axis=0)) > 1


@KINDS
def test_a_resumed_run_gives_the_same_numbers_bit_by_bit(servers_of, play, kind) -> None:
    whole, part, resumed = (servers_of(kind) for _ in range(3))
    for learning in (whole, part):
        play(learning, 6)
        learning.add_to_last_layer(residual())
        play(learning, 5, first=6)
    resumed.load_state_dict(load(save(part.state_dict())))
    for learning in (whole, resumed):
        play(learning, 9, first=11)
    assert same(whole.state_dict(), resumed.state_dict())


@KINDS
def test_a_state_is_a_copy(servers_of, play, kind) -> None:
    learning = servers_of(kind)
    play(learning, 9)
    state, parameters = learning.state_dict(), learning.parameters()
    first_state, first_parameters = {name: array.copy() for name, array in state.items()}, parameters.copy()
    play(learning, 9, first=9)
    assert same(state, first_state)
    assert np.array_equal(parameters, first_parameters)
    assert not same(learning.state_dict(), first_state)


def test_states_of_others_are_refused(servers_of, play) -> None:
    learning = servers_of("dqn")
    play(learning, 3)
    before = learning.state_dict()
    with pytest.raises(ValueError, match=r"policy.learned is float32 \[6, 288\]; expected float32 \[6, "):
        learning.load_state_dict(servers_of("dqn", sizes=(5, 16, 8, 6)).state_dict())
    with pytest.raises(ValueError, match=r"\[1, "):
        learning.load_state_dict(servers_of("dqn", (3,), (0,)).state_dict())
    with pytest.raises(ValueError, match=r"critic.exp_avg is unknown"):
        learning.load_state_dict(servers_of("pg").state_dict())
    with pytest.raises(ValueError, match=r"steps is missing"):
        learning.load_state_dict({name: array for name, array in before.items() if name != "steps"})
    with pytest.raises(ValueError, match=r"replay.observation is float32 \[6, 60, 5\]; expected float32 \[6, 30, "):
        longer = {
            name: np.repeat(array, 60 // 9 + 1, axis=1)[:, :60] if name.startswith("replay.") else array
            for name, array in before.items()
        }
        learning.load_state_dict(longer | {"replay": np.array([0, 60])})
    assert same(learning.state_dict(), before)


@KINDS
def test_a_residual_moves_the_last_layer_alone(servers_of, kind) -> None:
    learning, delta = servers_of(kind), residual()
    before = learning.parameters()
    learning.add_to_last_layer(delta)
    change = learning.parameters() - before
    np.testing.assert_allclose(change[..., -17 * 6 :].reshape(SHAPE), delta, atol=1e-7)
    assert (change[..., : -17 * 6] == 0.0).all()


@KINDS
@pytest.mark.parametrize("scale", [1e-9, 0.3, 100.0])
def test_a_residual_taken_back_leaves_everything_bit_by_bit(servers_of, play, kind, scale) -> None:
    learning = servers_of(kind)
    play(learning, 9)
    learning.add_to_last_layer(residual(1, 0.37))  # accepted earlier
    before, parameters = learning.state_dict(), learning.parameters()
    deltas = [residual(seed, scale) for seed in (2, 3)]
    for delta in deltas:
        learning.add_to_last_layer(delta)
    assert not same(learning.state_dict(), before)
    for delta in deltas:
        learning.add_to_last_layer(-delta)
    assert same(learning.state_dict(), before)
    assert np.array_equal(learning.parameters(), parameters)


@KINDS
def test_what_was_learned_since_stays(servers_of, play, kind) -> None:
    learning, delta = servers_of(kind), residual(2)
    play(learning, 9)
    before = learning.state_dict()
    learning.add_to_last_layer(delta)
    play(learning, 6, first=9)
    with_it = learning.state_dict()
    learning.add_to_last_layer(-delta)
    after = learning.state_dict()
    assert not np.array_equal(with_it["policy.learned"], before["policy.learned"])
    assert same(after, with_it | {"policy.residual": before["policy.residual"]})


def test_a_target_network_takes_the_residual_too(servers_of, play) -> None:
    """With no rewards but those of the target network, learning from it shows what it holds."""
    learning = servers_of("dqn")
    lifted = np.zeros(SHAPE, np.float32)
    lifted[:, :, -1] = 5.0  # biases of all actions
    learning.add_to_last_layer(lifted)
    layers = learning.policy.layers(learning.target)
    np.testing.assert_allclose(layers.biases[-1].detach(), 5.0, atol=1e-6)
    seen, none = np.ones((2, 3, GROUPS, 5)), np.zeros((2, 3, GROUPS))
    for _ in range(4):
        diagnostics = learning.update(seen, none.astype(int), none + 5.0 - 0.2 * 5.0, none + 1.0, seen)
    assert (diagnostics["loss"] < 0.3).all()  # 5 = (5 - 0.2 5) + 0.2 5; without it the error were 1


def test_residuals_that_cannot_be_are_refused(servers_of) -> None:
    learning = servers_of("pg")
    before = learning.state_dict()
    with pytest.raises(ValueError, match=r"delta has shape \[17, 6\]; expected \[2, 3, 17, 6\]"):
        learning.add_to_last_layer(residual()[0, 0])
    for wrong in (np.nan, np.inf, 2000.0):
        with pytest.raises(ValueError, match="delta: must be finite, and the residual at most 1024"):
            learning.add_to_last_layer(np.full(SHAPE, wrong))
    assert same(learning.state_dict(), before)


def test_arguments_are_checked(vendor_of, servers_of) -> None:
    with pytest.raises(ValueError, match=r"vendors: need one schema of kind dqn for all; given .*kind='pg'"):
        DqnServers([vendor_of("pg")], [0], [0])
    with pytest.raises(ValueError, match=r"vendors: need one schema of kind dqn for all; given none"):
        DqnServers([], [0], [0])
    with pytest.raises(ValueError, match=r"vendors has 2 entries; needs one, or one for each of 3 servers"):
        DqnServers([vendor_of("dqn")] * 2, [0], [0, 1, 2])
    with pytest.raises(ValueError, match=r"servers = \[1, 1\]: each number at most once"):
        DqnServers([vendor_of("dqn")], [0], [1, 1])
    with pytest.raises(ValueError, match="seeds: needs at least one"):
        DqnServers([vendor_of("dqn")], [], [0])


@KINDS
def test_intervals_are_checked(servers_of, kind) -> None:
    learning = servers_of(kind)
    before = learning.state_dict()
    seen, one = np.zeros((2, 3, GROUPS, 5)), np.ones((2, 3, GROUPS))
    with pytest.raises(ValueError, match=r"observations has shape \[3, 3, 5\]; expected \[2, 3, 3, 5\]"):
        learning.select(seen[0])
    with pytest.raises(ValueError, match="observations: must be finite"):
        learning.select(seen + np.nan)
    with pytest.raises(ValueError, match="actions: 6 is not one of 0 to 5"):
        learning.update(seen, 6 * one, one, one, seen)
    with pytest.raises(ValueError, match="rewards: must be finite"):
        learning.update(seen, one, one * np.inf, one, seen)
    with pytest.raises(ValueError, match="weights: -1: must be at least 0"):
        learning.update(seen, one, one, -one, seen)
    with pytest.raises(ValueError, match=r"next_observations has shape"):
        learning.update(seen, one, one, one, seen[..., :2])
    assert same(learning.state_dict(), before)


@KINDS
def test_no_global_random_state_is_used(servers_of, play, kind) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    play(servers_of(kind), 8)
    assert (torch.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


class Constant:
    """A model that answers with its number, or with the number and 10 where it may explore."""

    def __init__(self, number: int) -> None:
        self.number = number

    def predict(self, observation, *, deterministic):
        assert observation.dtype == np.float32
        return np.full(len(observation), self.number + (0 if deterministic else 10)), None


def test_models_of_other_libraries_are_servers() -> None:
    seen = np.zeros((2, 3, 4, 40))
    of_each = ExternalServers([Constant(1), Constant(2), Constant(3)], replicas=2, servers=3)
    assert of_each.select(seen, explore=False).tolist() == [[[1] * 4, [2] * 4, [3] * 4]] * 2
    assert of_each.select(seen).max() == 13
    of_all = ExternalServers([Constant(5)], replicas=2, servers=3)
    assert (of_all.select(seen, explore=False) == 5).all()
    of_all.load_state_dict(of_all.state_dict())
    assert of_all.update(seen, seen, seen, seen, seen) == {}
    with pytest.raises(ValueError, match=r"models has 2 entries; needs one, or one for each of 3 servers"):
        ExternalServers([Constant(1), Constant(2)], replicas=2, servers=3)
    with pytest.raises(ValueError, match=r"models\[2\] answers 48 to 48; allowed are 0 to 47"):
        ExternalServers([Constant(0), Constant(47), Constant(48)], 2, 3).select(seen, explore=False)
    with pytest.raises(ValueError, match="steps is unknown"):
        of_all.load_state_dict({"steps": np.array(0)})


@pytest.mark.external
def test_a_model_of_stable_baselines3_is_a_server() -> None:
    sb3, spaces = pytest.importorskip("stable_baselines3"), pytest.importorskip("gymnasium.spaces")
    env = pytest.importorskip("gymnasium").Env()
    env.observation_space, env.action_space = spaces.Box(-4.0, 4.0, (40,)), spaces.Discrete(48)
    seen = np.random.default_rng(0).normal(size=(2, 3, 4, 40))
    for model in (sb3.PPO("MlpPolicy", env, seed=0), sb3.DQN("MlpPolicy", env, seed=0, buffer_size=10)):
        actions = ExternalServers([model], replicas=2, servers=3).select(seen, explore=False)
        assert actions.shape == (2, 3, 4)
        assert actions[1, 2, 3] == model.predict(seen[1, 2, 3].astype(np.float32), deterministic=True)[0]
