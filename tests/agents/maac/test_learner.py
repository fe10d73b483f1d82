"""What the learner plays and learns, and what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from agents.maac import MAAC, TABLE_III, Hyperparameters

WEIGHTS, WORTH = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.5, 2.0])


def welfare(actions) -> np.ndarray:
    """Of a congestion game: an arm is worth the root of the weight on it `[..., 4]` -> `[...]`."""
    load = (WEIGHTS[:, None] * (np.asarray(actions)[..., None] == np.arange(3))).sum(-2)
    return (WORTH * np.sqrt(load)).sum(-1)


def marginal(actions) -> np.ndarray:
    """The contribution of each agent to welfare `[..., 4]`."""
    without = [welfare(np.where(np.arange(4) == i, -1, actions)) for i in range(4)]
    return welfare(actions)[..., None] - np.stack(without, -1)


def trained(seed: int, steps: int = 160, **options) -> tuple[MAAC, np.ndarray]:
    learner = MAAC(1, 3, np.ones((1, 4)), seeds=[seed], hidden=16, batch=64, learning_rate=5e-3, alpha=0.1, **options)
    seen = np.broadcast_to(WEIGHTS[:, None] / 4, (16, 1, 4, 1))
    for _ in range(steps):
        actions = learner.act(seen)
        learner.observe(seen, actions, marginal(actions))
        learner.update()
    return learner, learner.greedy(seen[:1])[0, 0]


@pytest.mark.parametrize(
    ("seed", "options"), [(0, {}), (1, {}), (0, {"attention": "uniform"}), (0, {"normalisation": "static"})]
)
def test_learns_a_congestion_game(seed, options) -> None:
    every = welfare(np.array(list(itertools.product(range(3), repeat=4))))
    assert every.mean() < 0.85 * every.max()
    assert welfare(trained(seed, **options)[1]) > 0.95 * every.max()


def test_the_same_seed_learns_the_same_and_another_one_does_not() -> None:
    first, again, other = (trained(seed, steps=8)[0].state_dict() for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["replay.action"], other["replay.action"])
    assert not np.array_equal(first["actor.first_weight"], other["actor.first_weight"])


def test_no_global_random_state_is_used() -> None:
    import torch

    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    trained(0, steps=6)
    assert (torch.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_masked_arms_are_never_chosen_and_do_not_enter_the_policy(learner_of, play) -> None:
    allowed = np.ones((2, 5, 4), bool)
    allowed[0, 0], allowed[1, 2] = [False, True, False, True], [True, False, False, False]
    learner = learner_of(action_mask=allowed)
    history = play(learner, 10, replicas=16)
    actions = np.concatenate([step_actions for step_actions, _ in history])
    assert set(np.unique(actions[:, 0, 0])) == {1, 3}
    assert set(np.unique(actions[:, 1, 2])) == {0}
    assert set(np.unique(actions[:, 0, 1])) == {0, 1, 2, 3}
    bias = learner.training.actor.output_bias.detach().numpy()
    fresh = learner_of(action_mask=allowed).training.actor.output_bias.detach().numpy()
    np.testing.assert_array_equal(bias[0, 0, 0, [0, 2]], fresh[0, 0, 0, [0, 2]])
    assert (bias[0, 0, 0, [1, 3]] != fresh[0, 0, 0, [1, 3]]).all()


def test_greedy_plays_the_likeliest_arm_without_randomness(learner_of) -> None:
    learner = learner_of()
    seen = np.random.default_rng(0).normal(size=(2, 5, 3))
    first, acts = learner.greedy(seen), learner.acts
    assert first.shape == (2, 5)
    assert (first[~learner.groups.mask] == 0).all()
    np.testing.assert_array_equal(learner.greedy(seen), first)
    assert learner.acts == acts == 0
    many = np.array([learner.act(seen) for _ in range(300)])
    assert (np.array([np.bincount(many[:, 0, a], minlength=4).argmax() for a in (0, 1)]) == first[0, :2]).all()


def test_updates_begin_when_the_buffer_holds_a_batch(learner_of, play) -> None:
    learner = learner_of(batch=24, updates_per_step=2)
    diagnostics = [report for _, report in play(learner, 4)]
    assert [len(report) for report in diagnostics] == [0, 0, 4, 4]
    assert learner.training.updates == 4
    entropy, attention_entropy = diagnostics[-1]["entropy"], diagnostics[-1]["attention_entropy"]
    assert attention_entropy.shape == (2, 2)
    assert (entropy <= np.log(4)).all() and (entropy > 0).all()
    assert (attention_entropy <= np.log(3)).all() and (attention_entropy > 0).all()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("hidden", 9, "multiple of heads = 2"),
        ("heads", 0, "at least 1"),
        ("attention", "none", "learned, uniform"),
        ("normalisation", "layer", "batch_norm, static"),
        ("batch", 1, "from 2 to capacity"),
        ("batch", 200_000, "from 2 to capacity"),
        ("learning_rate", 0.0, "above 0"),
        ("mu", 1.0, "up to but not including 1"),
        ("zeta", 0.0, "above 0 and at most 1"),
        ("alpha", -0.1, "at least 0"),
        ("alpha", float("nan"), "at least 0"),
        ("updates_per_step", 0, "at least 1"),
    ],
)
def test_hyperparameters_outside_their_range_are_named(name, value, allowed) -> None:
    with pytest.raises(ValueError, match=f"{name} = .*{allowed}"):
        Hyperparameters(**{name: value})


def test_arguments_are_checked() -> None:
    pair = np.ones((1, 2))
    with pytest.raises(ValueError, match=r"group 1 has no agent"):
        MAAC(1, 2, [[1, 1], [0, 0]], seeds=[0, 1])
    with pytest.raises(ValueError, match=r"seeds has 2 entries; needs one for each of 1 groups"):
        MAAC(1, 2, pair, seeds=[0, 1])
    with pytest.raises(ValueError, match=r"agent 1 of group 0 has no arm left of 2"):
        MAAC(1, 2, pair, seeds=[0], action_mask=[[[1, 1], [0, 0]]])
    with pytest.raises(ValueError, match=r"action_mask has shape \[1, 2, 3\]; expected \[1, 2, 2\]"):
        MAAC(1, 2, pair, seeds=[0], action_mask=np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="dtype: 'float16'"):
        MAAC(1, 2, pair, seeds=[0], dtype="float16")
    assert MAAC(1, 2, pair, seeds=[0], **TABLE_III).hyper.batch == 1024


def test_steps_are_checked(learner_of) -> None:
    learner = learner_of(action_mask=np.tile([True, True, True, False], (2, 5, 1)), mu=0.5)
    seen, actions, rewards = np.zeros((2, 5, 3)), np.zeros((2, 5), int), np.zeros((2, 5))
    with pytest.raises(ValueError, match=r"observations has shape \[2, 5\]; expected \[..., 2, 5, 3\]"):
        learner.act(seen[..., 0])
    with pytest.raises(ValueError, match="next_observations = None: needed with mu = 0.5"):
        learner.observe(seen, actions, rewards)
    with pytest.raises(ValueError, match="rewards: must be finite"):
        learner.observe(seen, actions, rewards + np.nan, seen)
    with pytest.raises(ValueError, match="actions: 3 of agent 0 in group 0 may not be chosen"):
        learner.observe(seen, actions + 3, rewards, seen)
