"""Offline training: it learns, it goes on where it was killed, and rounds do what they say."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from agents.ccs.layout import random_orders
from agents.ccs.model import Coordinator, Design
from agents.ccs.proxy import Proxy
from agents.ccs.ring import DIMENSION
from agents.ccs.training import Hyperparameters, Training, jensen_shannon
from agents.ccs.unroll import own_policies, prepare_batch, unroll_rounds
from agents.lns.network import Schema, forward, unflatten

SMALL: dict[str, Any] = {"snapshots": 2, "orders": 2}


@pytest.fixture
def training_of(probes, snapshots_of):
    def build(design: Design | None = None, mixtures=((1, 1), (0, -1, 1)), **hyper: Any) -> Training:
        data = [snapshots_of(kinds, 4) for kinds in mixtures]
        return Training(Coordinator(probes, design), Proxy(), data, 3, Hyperparameters(**(SMALL | hyper)))

    return build


def test_training_lowers_the_loss(training_of) -> None:
    training = training_of(mixtures=((1, 1),))
    batch = training.batch()
    before = training.loss(batch)
    training.run(40, 5e-3)
    after = training.loss(batch)
    assert after["loss"] < before["loss"] - 0.01
    assert after["task"] < before["task"]


@pytest.mark.parametrize("design", [None, Design(mapping="raw"), Design(encoder="flat", channel_embedding=4)])
def test_a_killed_training_goes_on_to_identical_numbers(training_of, design) -> None:
    whole, reported = training_of(design), []
    whole.run(6, 2e-3, lambda step, terms: reported.append((step, terms["loss"])))
    assert [step for step, _ in reported] == [1, 2, 3, 4, 5, 6]

    killed = training_of(design)

    def kill(step: int, terms: dict[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed.run(6, 2e-3, kill)
    state, resumed, rest = killed.state_dict(), training_of(design), []
    resumed.load_state_dict(state)
    resumed.run(6, 2e-3, lambda step, terms: rest.append((step, terms["loss"])))
    assert rest == reported[3:]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_new_phase_with_more_data_is_fresh_but_for_the_coordinator(training_of, snapshots_of) -> None:
    training = training_of()
    training.run(2, 2e-3)
    learnt = training.coordinator.state_dict()["hypernetwork.context.0.weight"].clone()
    training.add([snapshots_of((1, 1), 3, seed=9), snapshots_of((0, 0), 2)])
    assert {name: len(actual) for name, actual in training.data.items()} == {"DD": 2, "DLP": 4, "PP": 7}
    training.begin(5, 1e-3)
    assert torch.equal(training.coordinator.state_dict()["hypernetwork.context.0.weight"], learnt)
    moments = [tensor for name, tensor in training.state_dict().items() if name.endswith("exp_avg")]
    assert moments and not any(moment.any() for moment in moments)


def test_states_that_do_not_fit_are_refused(training_of) -> None:
    training = training_of()
    state = training.state_dict()
    with pytest.raises(ValueError, match="hypernetwork.context.0.bias is missing"):
        training.load_state_dict({k: v for k, v in state.items() if k != "coordinator.hypernetwork.context.0.bias"})
    with pytest.raises(ValueError, match="extra is unknown"):
        training.load_state_dict(state | {"extra": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"probes has shape \[4, 40\]; expected \[24, 40\]"):
        training.load_state_dict(state | {"coordinator.probes": torch.zeros(4, 40)})


def test_rounds_change_last_layers_as_their_residuals_say(coordinator, snapshots_of) -> None:
    snapshots = snapshots_of((0, -1, 1), count=2)
    codes = torch.randn(2, 2, 4, DIMENSION)
    straight = torch.arange(8).expand(2, 8)
    batch = prepare_batch(snapshots, codes, straight, coordinator)
    assert batch.learners.tolist() == [0, 2]
    first, second = unroll_rounds(coordinator, batch, 2, clip=1.0)
    assert (first.norm <= 1.0).all() and (second.norm <= 4.0).all() and not torch.equal(first.policy, second.policy)
    tight = unroll_rounds(coordinator, batch, 2, clip=1e-9)[-1].policy
    outputs = forward(unflatten(snapshots.parameters[:, [0, 2]], Schema()), snapshots.observations[:, [0, 2]])
    expected = (outputs / torch.tensor([0.03, 1.0])[:, None, None]).softmax(-1)
    policies = own_policies(tight, batch.learners, 3)
    torch.testing.assert_close(policies[:, [0, 2]], expected, rtol=1e-3, atol=1e-5)
    assert not policies[:, 1].any()


def test_what_fades_wholly_leaves_the_next_round_where_the_first_began(coordinator, snapshots_of) -> None:
    snapshots, codes = snapshots_of((0, -1, 1), count=2), torch.randn(2, 2, 4, DIMENSION)
    for fade, same in ((1.0, True), (0.1, False)):
        fading = Coordinator(coordinator.probes, Design(fade=fade), seed=1)
        batch = prepare_batch(snapshots, codes, torch.arange(8).expand(2, 8), fading)
        first, second = unroll_rounds(fading, batch, 2, clip=1.0)
        assert torch.equal(first.policy, second.policy) == same
    with pytest.raises(ValueError, match=r"fade = 1\.1: must be from 0 to 1"):
        Design(fade=1.1)


def test_other_channel_numbers_make_the_same_world(coordinator, snapshots_of) -> None:
    """Without coordination the proxy expects the same, whatever the channels are called."""
    snapshots, codes, proxy = snapshots_of((0, -1, 1), count=2), torch.zeros(2, 2, 4, DIMENSION), Proxy()
    utilities = []
    for orders in (torch.arange(8).expand(2, 8), random_orders(2, 8, torch.Generator().manual_seed(0))):
        batch = prepare_batch(snapshots, codes, orders, coordinator)
        policy = unroll_rounds(coordinator, batch, 1, clip=0.0)[0].policy
        utilities.append(proxy(own_policies(policy, batch.learners, 3), batch.worlds).utility)
    torch.testing.assert_close(utilities[0], utilities[1])


def test_the_loss_is_the_sum_of_its_weighed_terms(training_of) -> None:
    training = training_of(beta=0.3, gamma=0.2, alpha=0.7, norm_weight=0.5, shift_weight=0.01)
    training.run(3, 5e-3)
    batch = training.batch()
    actual = training.loss(batch)
    first, second = unroll_rounds(training.coordinator, batch, 2, training.hyper.clip)
    share = ((0.88 - batch.kpis[..., 0].mean(1)) / 0.3).clamp(0.05, 1.0)
    marginals = [training.coordinator.layout.marginals(step.policy) for step in (first, second)]
    diversity = -torch.stack([share * jensen_shannon(step[:, 0], step[:, 1]).mean(-1) for step in marginals]).mean()
    penalty = 0.01 * (first.shift + 3.0 * second.shift).mean() / 2.0 + 0.5 * (first.norm + second.norm).mean() / 2.0
    assert first.norm.mean() > 0.0 and share.unique().numel() > 1
    torch.testing.assert_close(actual["diversity"], diversity)
    torch.testing.assert_close(actual["penalty"], penalty)
    total = 0.7 * actual["task"] + 0.3 * diversity + penalty + 0.2 * actual["adversarial"]
    torch.testing.assert_close(actual["loss"], total)
    assert diversity < 0.0 < actual["adversarial"]


def test_reports_of_a_batch_are_blurred(training_of) -> None:
    plain, blurred = (training_of(kpi_noise=noise, snapshots=40).batch().kpis for noise in (0.0, 0.2))
    assert 0.15 < (blurred - plain).std() < 0.25


def test_diversity_over_groups_is_over_all_of_them(training_of) -> None:
    training = training_of(mixtures=((1, 1),), pairs="group")
    other = training_of(mixtures=((1, 1),))
    batch = training.batch()
    assert training.loss(batch)["diversity"] != other.loss(batch)["diversity"]
    with pytest.raises(ValueError, match="pairs = 'all'"):
        replace(training.hyper, pairs="all")


def test_task_and_discriminator_are_of_all_rounds_and_of_the_last_one(training_of) -> None:
    training = training_of(mixtures=((0, -1, 1),), alpha=1.0, gamma=0.5, snapshots=4)
    training.run(3, 5e-3)
    batch = training.batch()
    actual, steps = training.loss(batch), unroll_rounds(training.coordinator, batch, 2, training.hyper.clip)
    tasks = []
    for step in steps:
        utility = training.proxy(own_policies(step.policy, batch.learners, 3), batch.worlds).utility
        tasks.append(-(utility.mean(1) + 0.5 * torch.minimum(utility[:, 0], utility[:, 2])).mean() / 1.5)
    torch.testing.assert_close(actual["task"], (tasks[0] + tasks[1]) / 2.0)
    assert tasks[0] != tasks[1]
    marginals = [training.coordinator.layout.marginals(step.policy) for step in steps]
    message = [training.discriminator(batch.states, step, batch.codes.mean(2)) for step in marginals]
    torch.testing.assert_close(actual["adversarial"], message[1])
    assert message[0] != message[1]


def test_diversity_of_groups_is_of_all_pairs_of_groups(training_of) -> None:
    training = training_of(mixtures=((1, 1),), pairs="group")
    training.run(2, 5e-3)
    batch = training.batch()
    actual, expected = training.loss(batch)["diversity"], []
    share = ((0.88 - batch.kpis[..., 0].mean(1)) / 0.3).clamp(0.05, 1.0)
    for step in unroll_rounds(training.coordinator, batch, 2, training.hyper.clip):
        policy = own_policies(step.policy, batch.learners, 2)
        members = training.coordinator.layout.marginals(policy[:, batch.learners].flatten(1, 2))
        pairs = [jensen_shannon(members[:, i], members[:, j]) for i in range(8) for j in range(i + 1, 8)]
        expected.append(-(share * torch.stack(pairs).mean(0)).mean())
    torch.testing.assert_close(actual, torch.stack(expected).mean())


def test_the_rate_falls_by_a_cosine_to_a_twentieth(training_of) -> None:
    training, rates = training_of(), []
    training.run(4, 2e-3, lambda step, terms: rates.append(training.adam.param_groups[0]["lr"]))
    expected = [2e-3 * (0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * step / 4))) for step in range(4)]
    assert rates == pytest.approx(expected)


def test_gradients_are_clipped_before_a_step_and_the_discriminator_learns_too(training_of) -> None:
    training = training_of(gradient_norm=1e-3)
    before = [parameter.detach().clone() for parameter in training.discriminator.parameters()]
    training.run(1, 1e-3)
    gradients = [p.grad for p in training.coordinator.parameters() if p.grad is not None]
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    assert norm == pytest.approx(1e-3, rel=1e-3)
    after = list(training.discriminator.parameters())
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_mixtures_are_drawn_in_proportion_and_channels_renumbered(probes, snapshots_of) -> None:
    data = [snapshots_of((1, 1), 9), snapshots_of((0, -1, 1), 1)]
    training = Training(Coordinator(probes), Proxy(), data, 3, Hyperparameters(**SMALL))
    batches = [training.batch() for _ in range(200)]
    pairs = sum(batch.worlds.non_learning.shape[1] == 2 for batch in batches)
    assert 165 <= pairs <= 195
    drawn = torch.cat([batch.worlds.occupancy for batch in batches if batch.worlds.non_learning.shape[1] == 3])
    assert len(drawn.unique(dim=0)) > len(drawn) / 2, "one world in many numberings"
    assert torch.equal(drawn.sort(-1).values, drawn.sort(-1).values[:1].expand_as(drawn))
