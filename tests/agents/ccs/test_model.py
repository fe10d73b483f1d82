"""The frozen part of the service: what it must not depend on, its gate, its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from agents.ccs.layout import others_mean, random_orders
from agents.ccs.model import Coordinator, Design

CLOSE = {"rtol": 1e-3, "atol": 1e-3}
"""Of messages of order 1 to 10, in float32."""


def loud(coordinator: Coordinator) -> Coordinator:
    """Without the small first weights and the gate, so that every part shows."""
    for parameter in coordinator.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return coordinator


@pytest.fixture
def ungated(probes) -> Coordinator:
    return loud(Coordinator(probes, Design(gate=None)))


def test_permuted_networks_get_permuted_messages(ungated, snapshots_of, view_of) -> None:
    view = view_of(snapshots_of((0, 1, 1, 0), count=3), ungated)
    order = torch.tensor([2, 0, 3, 1])
    moved = type(view)(*(item[:, order] if isinstance(item, torch.Tensor) else item for item in view))
    torch.testing.assert_close(ungated(moved), ungated(view)[:, order], **CLOSE)


def test_channels_permuted_with_their_places_on_the_ring_get_permuted_messages(ungated, snapshots_of, view_of) -> None:
    layout, view = ungated.layout, view_of(snapshots_of((0, 1), count=3), ungated)
    order = random_orders(1, 8, torch.Generator().manual_seed(3))[0]
    before = ungated(view)
    ungated.probes.copy_(layout.permuted_observations(ungated.probes, order))
    ungated.hypernetwork.angles.copy_(ungated.hypernetwork.angles[order])
    after = ungated(view._replace(logits=layout.permuted_actions(view.logits, order)))
    torch.testing.assert_close(after, layout.permuted_actions(before, order), **CLOSE)


def test_without_the_ring_channels_have_no_numbers(probes, snapshots_of, view_of) -> None:
    coordinator = loud(Coordinator(probes, Design(gate=None, ring=False)))
    layout, view = coordinator.layout, view_of(snapshots_of((0, 1), count=3), coordinator)
    order = random_orders(1, 8, torch.Generator().manual_seed(3))[0]
    before = coordinator(view)
    coordinator.probes.copy_(layout.permuted_observations(coordinator.probes, order))
    after = coordinator(view._replace(logits=layout.permuted_actions(view.logits, order)))
    torch.testing.assert_close(after, layout.permuted_actions(before, order), **CLOSE)


def test_equal_networks_are_told_apart_on_equal_channels(probes, snapshots_of, view_of) -> None:
    """Two networks of one default, on channels that look alike: they shall prefer different ones."""
    coordinator = loud(Coordinator(probes, Design(gate=None)))
    view = view_of(snapshots_of((1, 1), count=1), coordinator)
    view = view._replace(logits=torch.zeros_like(view.logits))
    coordinator.probes[:, :24] = 0.0
    message = coordinator.layout.scores(coordinator(view))[0]
    assert message.std(-1).min() > 1e-3
    assert (message[0] - message[1]).abs().max() > 1e-3


def test_codes_of_groups_have_places_of_their_own_that_are_not_spread_further(probes) -> None:
    spreads = {
        scope: Coordinator(probes, Design(code_scope=scope)).hypernetwork.spread for scope in ("network", "group")
    }
    assert spreads == {"network": 2.0, "group": 0.0}


@pytest.mark.parametrize("options", [{"encoder": "flat"}, {"channel_embedding": 4}])
def test_the_studys_variants_know_channels_by_number(probes, snapshots_of, view_of, options) -> None:
    coordinator = loud(Coordinator(probes, Design(gate=None, **options)))
    layout, view = coordinator.layout, view_of(snapshots_of((0, 1), count=3), coordinator)
    order = random_orders(1, 8, torch.Generator().manual_seed(3))[0]
    before = coordinator(view)
    coordinator.probes.copy_(layout.permuted_observations(coordinator.probes, order))
    after = coordinator(view._replace(logits=layout.permuted_actions(view.logits, order)))
    assert (after - layout.permuted_actions(before, order)).abs().max() > 0.01


def test_worlds_do_not_see_each_other_and_chunks_do_not_matter(ungated, snapshots_of, view_of) -> None:
    view = view_of(snapshots_of((0, 1, 1), count=30), ungated)
    with torch.no_grad():
        together = ungated(view)
        alone = ungated(type(view)(*(item[:1] if isinstance(item, torch.Tensor) else item for item in view)))
    torch.testing.assert_close(alone, together[:1], **CLOSE)
    torch.testing.assert_close(ungated(view).detach(), together, **CLOSE)


def test_networks_of_weight_zero_count_for_nobody(ungated, snapshots_of, view_of) -> None:
    view = view_of(snapshots_of((0, 1, 1), count=2), ungated)
    two = type(view)(*(item[:, :2] if isinstance(item, torch.Tensor) else item for item in view))
    weights = torch.tensor([[1.0, 1.0, 0.0]]).expand(2, 3)
    actual = ungated(view._replace(weights=weights))[:, :2]
    torch.testing.assert_close(actual, ungated(two), **CLOSE)


def test_no_overlap_no_residual(probes, snapshots_of, view_of) -> None:
    coordinator = loud(Coordinator(probes))
    view = view_of(snapshots_of((1, 1), count=2), coordinator)
    apart = torch.full_like(view.logits, -30.0)
    apart[:, 0, :, :6] = 0.0
    apart[:, 1, :, 6:12] = 0.0
    assert not coordinator(view._replace(logits=apart)).any()
    same = apart[:, :1].expand(-1, 2, -1, -1)
    assert coordinator(view._replace(logits=same)).abs().min(-1).values.max() > 0.0
    alone = type(view)(*(item[:, :1] if isinstance(item, torch.Tensor) else item for item in view))
    assert not coordinator(alone).any()


def test_a_network_that_meets_nobody_is_left_alone_beside_two_that_do(probes, snapshots_of, view_of) -> None:
    coordinator = loud(Coordinator(probes))
    view = view_of(snapshots_of((1, 1, 1), count=2), coordinator)
    logits = torch.full_like(view.logits, -30.0)
    logits[:, :2, :, :6] = 0.0
    logits[:, 2, :, 6:12] = 0.0
    message = coordinator(view._replace(logits=logits))
    assert not message[:, 2].any()
    assert (message[:, :2].flatten(2).abs().amax(-1) > 0.0).all()


def test_gate_opens_linearly(coordinator) -> None:
    overlap = torch.tensor([0.0, 0.02, 0.11, 0.2, 0.9])
    torch.testing.assert_close(coordinator.gate(overlap), torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


def test_alike_networks_are_told_apart_by_codes_only(probes, snapshots_of, view_of) -> None:
    snapshots = snapshots_of((1, 1), count=1)
    same = torch.stack([snapshots.parameters[:, 0]] * 2, dim=1)
    object.__setattr__(snapshots, "parameters", same)
    object.__setattr__(snapshots, "kpis", snapshots.kpis[:, :1].expand(-1, 2, -1))
    for scope, apart in (("none", False), ("network", True), ("group", True)):
        coordinator = loud(Coordinator(probes, Design(code_scope=scope)))
        message = coordinator(view_of(snapshots, coordinator))
        assert (not torch.allclose(message[:, 0], message[:, 1], **CLOSE)) == apart


def test_scores_are_centred_under_the_policy(ungated, snapshots_of, view_of) -> None:
    view = view_of(snapshots_of((1, 1), count=2), ungated)
    mean = (view.logits.softmax(-1) * ungated(view)).sum(-1)
    torch.testing.assert_close(mean, torch.zeros(2, 2, 24), atol=1e-4, rtol=0.0)


def test_the_mean_over_others_is_over_others() -> None:
    values = torch.tensor([[[1.0], [2.0], [6.0]]])
    assert others_mean(values, torch.ones(1, 3))[0, :, 0].tolist() == [4.0, 3.5, 1.5]
    assert others_mean(values, torch.tensor([[1.0, 3.0, 0.0]]))[0, :, 0].tolist() == [2.0, 1.0, 1.75]
    assert others_mean(values[:, :1], torch.ones(1, 1)).tolist() == [[[0.0]]]


@pytest.mark.parametrize("mapping", ["behaviour", "raw"])
def test_saved_and_loaded_says_the_same(tmp_path: Path, probes, snapshots_of, view_of, mapping) -> None:
    coordinator = loud(Coordinator(probes, Design(mapping=mapping)))
    coordinator.made = {"seen": "5"}
    coordinator.save(tmp_path / "service.safetensors")
    loaded = Coordinator.load(tmp_path / "service.safetensors")
    assert loaded.made == {"seen": "5"}
    view = view_of(snapshots_of((0, 1), count=1), coordinator)
    assert loaded.design == coordinator.design
    assert torch.equal(loaded(view), coordinator(view))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    (tmp_path / "service.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no coordinator, or a damaged one"):
        Coordinator.load(tmp_path / "service.safetensors")


def test_first_weights_follow_from_the_seed_alone(probes) -> None:
    first = Coordinator(probes, seed=3).state_dict()
    before = torch.get_rng_state()
    torch.rand(5)
    again, other = Coordinator(probes, seed=3).state_dict(), Coordinator(probes, seed=4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["hypernetwork.trunk.0.weight"], other["hypernetwork.trunk.0.weight"])
    torch.set_rng_state(before)
    Coordinator(probes)
    assert torch.equal(torch.get_rng_state(), before)


def test_impossible_designs_are_refused(probes) -> None:
    with pytest.raises(ValueError, match="encoder = 'flt': expected one of shared, flat"):
        Design(encoder="flt")
    with pytest.raises(ValueError, match="ridge = 0.0"):
        Design(ridge=0.0)
    with pytest.raises(ValueError, match=r"probes have shape \[24, 39\]"):
        Coordinator(probes[:, 1:])


def test_a_round_by_hand(coordinator, snapshots_of, view_of) -> None:
    """The whole forward pass of one network restated in NumPy, loop by loop."""
    coordinator = loud(coordinator)
    view = view_of(snapshots_of((1, 1), count=1), coordinator)
    actual = coordinator(view)[0, 0].detach().numpy()
    w = {name: tensor.numpy().astype(float) for name, tensor in coordinator.hypernetwork.state_dict().items()}

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)

    def relu(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0.0)

    logits = view.logits[0].numpy().astype(float)
    policy = np.exp(logits - logits.max(-1, keepdims=True))
    chances = (policy / policy.sum(-1, keepdims=True)).reshape(2, 24, 8, 6).sum(-1)
    embeddings = []
    for k in range(2):
        x = relu(linear("encoders.kinds.1.by_channel.2", relu(linear("encoders.kinds.1.by_channel.0", chances[k].T))))
        embeddings.append(linear("encoders.kinds.1.output", np.concatenate([x.mean(0), x.max(0)])))
    context = linear("context.2", relu(linear("context.0", np.concatenate(embeddings))))
    code, report = view.codes[0, 0, 0, :8].numpy(), view.kpis[0, 0].numpy()
    inputs = np.concatenate([embeddings[0], context, code, report, [0.5, 0.5]])
    trunk = linear("trunk.2", relu(linear("trunk.0", inputs)))
    places = view.codes[0, :, 0, -2:].numpy()
    overlap = np.minimum(chances[0], chances[1]).sum(-1).mean()
    gate = np.clip((overlap - 0.02) / 0.18, 0.0, 1.0)
    probes = coordinator.probes.numpy().astype(float)
    for i in (0, 13, 23):
        group, pattern = i % 4, range(i - i % 4, i - i % 4 + 4)
        scores = np.log(np.exp(logits[0, i]).reshape(8, 6).sum(-1))
        hidden = np.zeros((8, 64))
        for c in range(8):
            elsewhere = np.mean([chances[0, j, c] for j in pattern if j != i])
            anywhere = np.mean([chances[1, j, c] for j in pattern])
            score = max((scores[c] - scores.max()) / 5.0, -3.0)
            pair = np.array([*probes[i, [c, 8 + c, 16 + c]], score, chances[0, i, c], chances[1, i, c]])
            groups = 2.0 * np.pi * (np.arange(4) - 1.5) / 8  # four on each half of the ring
            mine, other = (2.0 * np.pi * c / 8 - np.arctan2(place[1], place[0]) - groups for place in places)
            ring = [*(f(n * mine[group]) for n in (1, 2) for f in (np.cos, np.sin))]
            ring += [np.cos(other).mean(), np.cos(2 * other).mean()]
            pair = np.concatenate([pair, [elsewhere, anywhere], ring])
            of_group = np.concatenate([trunk, code, np.eye(4)[group]])
            hidden[c] = relu(linear("head.of_pair", pair) + linear("head.of_group", of_group))
        shifts = np.zeros((8, 6))
        for c in range(8):
            heard = np.zeros(16)
            for d in range(8):
                apart = 2.0 * np.pi * (c - d) / 8
                waves = [1.0] + [2**0.5 * f(k * apart) for k in (1, 2, 3, 4) for f in (np.cos, np.sin)]
                said = linear("head.around.tells", hidden[d])
                heard += sum(wave * said @ part for wave, part in zip(waves[:8], w["head.around.weight"], strict=True))
            shifts[c] = linear("head.rest.2", relu(linear("head.rest.0", np.concatenate([hidden[c], heard]))))
        expected = gate * (shifts.ravel() - (policy[0, i] / policy[0, i].sum() * shifts.ravel()).sum())
        np.testing.assert_allclose(actual[i], expected, rtol=1e-3, atol=1e-4)


def test_the_shipped_service_knows_channels_by_their_place_on_the_ring(snapshots_of, view_of) -> None:
    """The price of telling networks apart: permuted channels alone get other messages, not permuted ones."""
    path = Path(__file__).parents[3] / "configs" / "ccs" / "service.safetensors"
    first, other = Coordinator.load(path), Coordinator.load(path)
    order = random_orders(1, 8, torch.Generator().manual_seed(3))[0]
    view = view_of(snapshots_of((1, 1, 1, 1), count=3), first)
    permuted = view._replace(logits=first.layout.permuted_actions(view.logits, order))
    other.probes.copy_(first.layout.permuted_observations(first.probes, order))
    expected = first.layout.permuted_actions(first(view), order)
    assert torch.linalg.norm(other(permuted) - expected) > 0.5 * torch.linalg.norm(expected)
    other.hypernetwork.angles.copy_(first.hypernetwork.angles[order])
    torch.testing.assert_close(other(permuted), expected, **CLOSE)
