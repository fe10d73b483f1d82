"""Networks of all agents at once against the same agent by agent, and what they must be indifferent to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.maac.reference import ReferenceTraining, layer_parameters

KINDS = [(attention, norm) for attention in ("learned", "uniform") for norm in ("batch_norm", "static")]


def inputs(learner, batch=16, seed=0):
    rng = np.random.default_rng(seed)
    shape = (*learner.groups.mask.shape, batch)
    action = torch.from_numpy(rng.integers(0, learner.groups.actions, shape))
    return torch.from_numpy(rng.normal(size=(*shape, learner.groups.observation_size))), action


@pytest.mark.parametrize(("attention", "normalisation"), KINDS)
@pytest.mark.parametrize("heads", [1, 2])
def test_values_weights_and_logits_are_those_of_the_reference(learner_of, attention, normalisation, heads) -> None:
    training = learner_of(attention=attention, normalisation=normalisation, heads=heads).training
    seen, action = inputs(training)
    values, attended = training.critic(seen, action)
    logits = training.actor(seen)
    for group in (0, 1):
        reference = ReferenceTraining(training, group)
        plain, penalties, weights = reference.critic(reference.by_agent(seen), reference.by_agent(action))
        torch.testing.assert_close(reference.by_agent(values), plain, rtol=0, atol=1e-10)
        torch.testing.assert_close(attended.penalty[group], sum(penalties), rtol=0, atol=1e-10)
        expected = [actor(o) for actor, o in zip(reference.actors, reference.by_agent(seen))]
        torch.testing.assert_close(reference.by_agent(logits), expected, rtol=0, atol=1e-10)
        if attention == "learned":
            among = attended.weights[group][:, :, reference.seats][..., reference.seats]
            off_diagonal = ~torch.eye(4, dtype=torch.bool)
            seen_weights = among[:, :, off_diagonal].view(16, heads, 4, 3).permute(2, 1, 0, 3)
            torch.testing.assert_close(seen_weights, weights, rtol=0, atol=1e-10)


def test_entropy_of_attention_is_that_of_the_weights_and_at_most_uniform(learner_of) -> None:
    learned, uniform = (learner_of(np.ones((1, 5), bool), attention=kind).training for kind in ("learned", "uniform"))
    _, attended = learned.critic(*inputs(learned))
    weights = attended.weights.detach().numpy()
    expected = -(weights * np.log(np.where(weights > 0, weights, 1.0))).sum(-1).mean((1, 3))
    np.testing.assert_allclose(learned.critic.attention.entropy(attended), expected, rtol=1e-12)
    assert (expected < np.log(4)).all()
    _, equal = uniform.critic(*inputs(uniform))
    np.testing.assert_allclose(uniform.critic.attention.entropy(equal), np.full((1, 2), np.log(4)))


def test_nobody_attends_to_itself_or_to_padding(learner_of) -> None:
    training = learner_of().training
    _, attended = training.critic(*inputs(training))
    weights, mask = attended.weights.detach(), torch.from_numpy(training.groups.mask)
    assert (weights.diagonal(dim1=-2, dim2=-1) == 0).all()
    assert (weights.movedim(-1, 1)[~mask] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


def test_uniform_attention_is_the_mean_of_the_others(learner_of) -> None:
    attention = learner_of(attention="uniform").training.critic.attention
    encoding = torch.randn(10, 16, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    actual = attention(encoding, encoding).contribution.view(2, 5, 16, 8)
    value = attention.layer("value", encoding).view(2, 5, 16, 8)
    torch.testing.assert_close(actual[0, 0], value[0, [1, 3, 4]].mean(0))
    torch.testing.assert_close(actual[1, 3], value[1, [0, 1, 2]].mean(0))


@pytest.mark.parametrize("attention", ["learned", "uniform"])
def test_an_agent_alone_hears_nothing_of_the_others(learner_of, attention) -> None:
    training = learner_of(np.array([[1, 0], [1, 1]], bool), attention=attention).training
    seen, action = inputs(training)
    attended = training.critic(seen, action)[1]
    contribution = attended.contribution.view(2, 2, 16, 8)
    assert training.critic.attention.entropy(attended)[0].tolist() == [0.0, 0.0]
    assert (contribution[0, 0] == 0).all()
    assert (contribution[1] != 0).any()


def test_permuting_agents_permutes_outputs(learner_of) -> None:
    mask, order = np.ones((1, 5), bool), [3, 0, 4, 2, 1]
    training, permuted = learner_of(mask).training, learner_of(mask).training
    with torch.no_grad():
        for name, parameter in permuted.critic.named_parameters():
            if not name.startswith("attention"):
                parameter.copy_(parameter[:, order])
    seen, action = inputs(training)
    values, attended = training.critic(seen, action)
    actual, again = permuted.critic(seen[:, order], action[:, order])
    torch.testing.assert_close(actual, values[:, order], rtol=0, atol=1e-12)
    torch.testing.assert_close(again.weights, attended.weights[..., order, :][..., order], rtol=0, atol=1e-12)


def test_a_value_does_not_depend_on_the_own_action(learner_of) -> None:
    training = learner_of(normalisation="static").training
    seen, action = inputs(training)
    other = action.clone()
    other[0, 0] = (other[0, 0] + 1) % 4
    before, after = training.critic(seen, action)[0], training.critic(seen, other)[0]
    torch.testing.assert_close(after[0, 0], before[0, 0])
    assert not torch.allclose(after[0, 1], before[0, 1])


def test_initial_parameters_are_drawn_for_every_agent_as_linear_layers_draw_them(learner_of) -> None:
    training = learner_of(np.ones((2, 30), bool), hidden=16).training
    for networks, name, inputs_ in (
        (training.critic, "encoder", 7),
        (training.critic, "head", 32),
        (training.actor, "first", 3),
    ):
        weight = torch.stack([layer_parameters(networks, name, "weight", (g, a)) for g in (0, 1) for a in range(30)])
        assert 0.99 < weight.abs().max() * inputs_**0.5 <= 1.0
        assert weight.std().item() == pytest.approx((3 * inputs_) ** -0.5, rel=0.05)
        assert len(torch.unique(weight)) == weight.numel()
