"""Updates of all agents at once against the reference, and what they must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.maac.reference import ReferenceTraining, layer_parameters
from agents.maac.training import advantage, log_policy
from agents.torch_utils import sample_actions

EXACT = {"rtol": 0, "atol": 1e-10}


def assert_same_layers(reference, networks, layers, gradient) -> None:
    for name, index, module in layers:
        weight, bias = module.weight, module.bias
        torch.testing.assert_close(
            layer_parameters(networks, name, "weight", index, gradient).mT,
            weight.grad if gradient else weight.detach(),
            **EXACT,
        )
        if bias is not None:
            parameter = layer_parameters(networks, name, "bias", index, gradient)[0]
            torch.testing.assert_close(parameter, bias.grad if gradient else bias.detach(), **EXACT)


@pytest.mark.parametrize("attention", ["learned", "uniform"])
@pytest.mark.parametrize(("normalisation", "mu"), [("batch_norm", 0.9), ("static", 0.9), ("batch_norm", 0.0)])
def test_losses_gradients_and_parameters_are_those_of_the_reference(
    learner_of, play, attention, normalisation, mu
) -> None:
    learner = learner_of(attention=attention, normalisation=normalisation, mu=mu, zeta=0.2, batch=24)
    play(learner, 2)
    training = learner.training
    assert training.updates == 0
    references = [ReferenceTraining(training, group) for group in (0, 1)]
    for update in range(4):
        batch = learner.replay.sample(learner.groups.rows(update, 16, learner.replay.filled))
        draws = {stream: training.uniform(stream, update, 16) for stream in ("target", "policy")}
        report = training.update(batch)
        for group, reference in enumerate(references):
            expected = reference.update(batch, draws.__getitem__)
            for name, value in expected.items():
                torch.testing.assert_close(report[name][group].detach(), value, **EXACT)
            for gradient in (True, False):
                assert_same_layers(
                    reference, training.critic, reference.critic.layers(group, reference.seats), gradient
                )
                for actor, seat in zip(reference.actors, reference.seats):
                    assert_same_layers(reference, training.actor, actor.layers(group, seat), gradient)


@pytest.mark.parametrize("attention", ["learned", "uniform"])
def test_padding_does_not_matter(learner_of, play, attention) -> None:
    tight = np.ones((1, 5), bool)
    padded = np.array([[1, 0, 1, 1, 0, 1, 1, 0, 0]], bool)
    histories = [play(learner_of(mask, attention=attention, mu=0.5), 8) for mask in (tight, padded)]
    for (actions, report), (padded_actions, padded_report) in zip(*histories):
        np.testing.assert_array_equal(padded_actions[:, padded], actions[:, tight])
        assert report.keys() == padded_report.keys()
        for name in report:
            np.testing.assert_allclose(padded_report[name], report[name], rtol=0, atol=1e-10)


def test_parameters_of_padded_seats_stay_zero(learner_of, play) -> None:
    learner = learner_of()
    play(learner, 5)
    for networks in (learner.training.actor, learner.training.critic):
        for name, parameter in networks.named_parameters():
            if not name.startswith("attention"):
                assert (parameter[~torch.from_numpy(learner.groups.mask)] == 0).all()
                assert (parameter[torch.from_numpy(learner.groups.mask)] != 0).any()


def test_a_group_learns_as_if_it_were_alone(learner_of, play) -> None:
    mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool)
    together = play(learner_of(mask, seeds=[7, (8, 1)], mu=0.5), 8, keys=(5, 6))
    alone = play(learner_of(mask[1:], seeds=[(8, 1)], mu=0.5), 8, keys=(6,))
    for (actions, report), (own_actions, own_report) in zip(together, alone):
        np.testing.assert_array_equal(own_actions[:, 0], actions[:, 1])
        for name in own_report:
            np.testing.assert_allclose(own_report[name][0], report[name][1], rtol=0, atol=1e-10)


def test_targets_follow_by_zeta(learner_of, play) -> None:
    learner = learner_of(mu=0.9, zeta=0.25)
    training = learner.training
    before = [p.detach().clone() for network in training.targets for p in network.parameters()]
    play(learner, 2)
    assert training.updates == 1
    networks = [p for network in (training.actor, training.critic) for p in network.parameters()]
    targets = [p for network in training.targets for p in network.parameters()]
    for old, new, target in zip(before, networks, targets):
        torch.testing.assert_close(target, 0.75 * old + 0.25 * new.detach(), **EXACT)
    assert learner_of(mu=0.0).training.targets is None


def test_the_policy_step_leaves_the_critic_alone(learner_of, play) -> None:
    learner = learner_of()
    play(learner, 3)
    training = learner.training
    before = [p.detach().clone() for p in training.critic.parameters()]
    training.update_actor(learner.replay.sample(learner.groups.rows(9, 16, 16)))
    assert all(torch.equal(old, new) for old, new in zip(before, training.critic.parameters()))


def test_the_expected_advantage_under_the_policy_is_zero() -> None:
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(2, 3, 5, 4, generator=draw, dtype=torch.float64)
    policy = torch.softmax(torch.randn(2, 3, 5, 4, generator=draw, dtype=torch.float64), -1)
    gain = advantage(values, policy)
    torch.testing.assert_close((policy * gain).sum(-1), torch.zeros(2, 3, 5, dtype=torch.float64), **EXACT)
    assert gain.abs().max() > 0.1


def test_the_largest_random_number_draws_no_arm_that_is_not_allowed() -> None:
    logits = torch.randn(100_000, 6, generator=torch.Generator().manual_seed(0))
    allowed = torch.tensor([False, True, True, True, False, False])
    chances = log_policy(logits, allowed).exp()
    assert (chances[:, ~allowed] == 0).all()
    for uniform in (0.0, 1.0 - 2.0**-24):
        assert allowed[sample_actions(chances, torch.full((100_000,), uniform))].all()
