"""What is learned, beside the same said server by server, and known best actions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.lns.dqn import DqnHyperparameters, DqnServers
from agents.lns.network import Schema
from agents.lns.policy_gradient import PolicyGradientHyperparameters, PolicyGradientServers
from agents.lns.pretraining import pretrain, untrained_servers
from tests.agents.lns import reference as plain
from tests.agents.lns.conftest import GROUPS, SMALL

SEEDS, SERVERS = (3, 5), (0, 2, 7)


def rows_of(history, b: int, s: int) -> list[list[tuple]]:
    names = ("seen", "actions", "rewards", "weights", "following")
    return [[tuple(step[name][b, s, q] for name in names) for q in range(GROUPS)] for step in history]


@pytest.mark.parametrize("options", [{}, {"discount": 0.0, "gradient_norm": 0.05}, {"batch": 30, "target_rate": 1.0}])
def test_values_learn_as_server_by_server(servers_of, vendor_of, play, options) -> None:
    hyper = replace(SMALL["dqn"], **options)
    learning = servers_of("dqn", hyper=hyper, dtype="float64")
    history = play(learning, 14)  # more rows than the buffer holds
    learned, start = learning.parameters(), vendor_of("dqn", dtype="float64")
    for b, seed in enumerate(SEEDS):
        for s, server in enumerate(SERVERS):
            expected = plain.dqn(start, rows_of(history, b, s), seed, server, hyper)
            np.testing.assert_allclose(learned[b, s], expected, atol=1e-9)
    assert np.abs(learned - start.parameters.numpy()).max() > 0.01


@pytest.mark.parametrize("options", [{}, {"epochs": 4, "clip": 0.01}, {"gradient_norm": 0.02, "advantage": 0.5}])
def test_policies_learn_as_server_by_server(servers_of, vendor_of, play, options) -> None:
    hyper = replace(SMALL["pg"], **options)
    learning = servers_of("pg", hyper=hyper, dtype="float64")
    history = play(learning, 8)
    learned, start = learning.parameters(), vendor_of("pg", dtype="float64")
    critics = learning.critic.parameters().numpy().reshape(2, 3, -1)
    for b in range(2):
        for s in range(3):
            policy, critic = plain.policy_gradient(start, rows_of(history, b, s), hyper)
            np.testing.assert_allclose(learned[b, s], policy, atol=1e-9)
            np.testing.assert_allclose(critics[b, s], critic, atol=1e-9)
    assert np.abs(learned - start.parameters.numpy()).max() > 0.01


class Bandit:
    """The first four features of an observation are the worths of four channels; power costs a little."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def reset(self, seeds) -> np.ndarray:
        self.shape = (len(seeds), 1, 4)
        return self._next()

    def step(self, actions):
        worth = np.take_along_axis(self.seen, actions[..., None] // 2, axis=-1)[..., 0]
        rewards = worth - 0.2 * (actions % 2) + self.rng.normal(0.0, 0.1, actions.shape)
        return self._next(), rewards, np.ones(actions.shape)

    def _next(self) -> np.ndarray:
        worth = np.eye(4)[self.rng.integers(4, size=self.shape)]
        self.seen = np.concatenate([worth, self.rng.normal(size=(*self.shape, 2))], axis=-1)
        return self.seen


@pytest.mark.parametrize("kind", ["dqn", "pg"])
def test_finds_the_best_action_of_a_contextual_bandit(kind) -> None:
    learning = untrained_servers(Schema((6, 32, 32, 8), kind), [0, 1], rows=24, intervals=400)
    diagnostics = list(pretrain(learning, Bandit(), range(12), intervals=400))
    assert diagnostics[-1]["reward"].shape == (2,)
    seen = Bandit().reset(range(12)).reshape(1, 2, 24, 6)
    right = learning.select(seen, explore=False) == 2 * seen[..., :4].argmax(-1)
    before = untrained_servers(Schema((6, 32, 32, 8), kind), [0, 1], rows=24).select(seen, explore=False)
    assert right.mean() > 0.95
    assert (before == 2 * seen[..., :4].argmax(-1)).mean() < 0.5


def test_a_row_without_weight_teaches_nothing(servers_of) -> None:
    for kind in ("dqn", "pg"):
        one, other = (servers_of(kind) for _ in range(2))
        for learning, lie in ((one, 0.0), (other, 100.0)):
            for interval in range(8):
                rng = np.random.default_rng(interval)
                seen = rng.normal(size=(2, 3, GROUPS, 5))
                weights = np.broadcast_to([1.0, 0.0, 2.0], (2, 3, GROUPS))
                rewards = rng.normal(size=weights.shape) + lie * (weights == 0.0)
                learning.update(seen, np.ones(weights.shape, int), rewards, weights, seen)
        assert np.array_equal(one.parameters(), other.parameters())


@pytest.mark.parametrize("kind", ["dqn", "pg"])
def test_nothing_but_rows_without_weight_leaves_all_as_it_was(servers_of, kind) -> None:
    learning = servers_of(kind)
    before, none = learning.parameters(), np.zeros((2, 3, GROUPS))
    for _ in range(8):
        learning.update(np.ones((2, 3, GROUPS, 5)), none.astype(int), none, none, np.ones((2, 3, GROUPS, 5)))
    if kind == "dqn":
        assert learning.replaying.drawn > 0
    assert np.array_equal(learning.parameters(), before)


def test_learning_begins_with_a_full_batch_and_every_so_often(servers_of, play) -> None:
    diagnostics = play(servers_of("dqn", hyper=DqnHyperparameters(batch=8)), 4)
    assert ["loss" in step for step in diagnostics] == [False, False, True, True]
    assert diagnostics[-1]["loss"].shape == (2, 3)
    diagnostics = play(servers_of("pg", hyper=PolicyGradientHyperparameters(every=3)), 7)
    assert ["entropy" in step for step in diagnostics] == [False, False, True, False, False, True, False]
    assert ((diagnostics[2]["entropy"] > 0.0) & (diagnostics[2]["entropy"] <= np.log(6) + 1e-6)).all()


def test_exploration_falls_and_stays(servers_of, play) -> None:
    learning = servers_of("dqn", hyper=DqnHyperparameters(epsilon=0.1, exploration_steps=20))
    shares = []
    for interval in range(24):
        shares.append(learning.epsilon)
        play(learning, 1, first=interval)
    np.testing.assert_allclose(shares, np.maximum(0.1, 1.0 - np.arange(24) / 20))


def test_actions_are_drawn_with_their_probabilities(vendor_of) -> None:
    seen = np.broadcast_to(np.random.default_rng(0).normal(size=5), (1, 1, 4000, 5))
    policy = PolicyGradientServers([vendor_of("pg")], [0], [0], 4000)
    logits = plain.module(vendor_of("pg").parameters, policy.schema)(torch.tensor(seen[0, 0, 0]).float())
    shares = np.bincount(policy.select(seen).ravel(), minlength=6) / 4000
    np.testing.assert_allclose(shares, torch.softmax(logits, 0).detach().numpy(), atol=0.025)
    values = DqnServers([vendor_of("dqn")], [0], [0], 4000, DqnHyperparameters(epsilon=0.6))
    shares = np.bincount(values.select(seen).ravel(), minlength=6) / 4000
    best = values.select(seen, explore=False)[0, 0, 0]
    np.testing.assert_allclose(shares, 0.1 + 0.4 * (np.arange(6) == best), atol=0.025)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: DqnHyperparameters(batch=0), "batch: 0 is not a whole number of at least 1"),
        (lambda: DqnHyperparameters(batch=65, capacity=64), "batch = 65: must be at most capacity = 64"),
        (lambda: DqnHyperparameters(discount=1.0), "discount: 1.0 is not a number of at least 0 and below 1"),
        (lambda: DqnHyperparameters(epsilon=-0.1), "epsilon: -0.1 is not a number from 0 to 1"),
        (lambda: DqnHyperparameters(exploration_steps=-1), "exploration_steps: -1 is not a whole number of at least 0"),
        (lambda: PolicyGradientHyperparameters(every=0), "every: 0 is not a whole number of at least 1"),
        (lambda: PolicyGradientHyperparameters(clip=float("nan")), "clip: nan is not a number above 0"),
        (lambda: PolicyGradientHyperparameters(entropy=-1.0), "entropy: -1.0 is not a number of at least 0"),
    ],
)
def test_hyperparameters_outside_their_range_are_named(make, text) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        make()


def test_hyperparameters_of_the_study() -> None:
    values, policy = DqnHyperparameters.pretraining(), PolicyGradientHyperparameters.pretraining()
    assert (values.learning_rate, values.updates_per_step, values.capacity, values.batch) == (3e-4, 6, 40_000, 64)
    assert (values.epsilon, values.exploration_steps, values.discount, values.target_rate) == (0.1, 1000, 0.2, 0.02)
    assert (policy.learning_rate, policy.entropy, policy.every, policy.epochs) == (7e-4, 0.02, 1, 6)
    assert DqnHyperparameters.online() == DqnHyperparameters(1e-4, 1, 0.03, 0, 4_000)
    assert PolicyGradientHyperparameters.online() == PolicyGradientHyperparameters(1e-4, 2.0, 0.01, 4, 1, 0.2)
