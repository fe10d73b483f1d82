"""What attackers report, and the bounds of what it can do."""

from __future__ import annotations

import pytest
import torch

from agents.ccs.attacks import ATTACKS, ReportArrays, insistent_policy, optimised_shift, slow_drift
from agents.ccs.layout import Layout
from agents.ccs.proxy import Proxy
from agents.ccs.ring import random_codes
from agents.ccs.round import round_residuals
from agents.lns.network import Schema, forward, unflatten


@pytest.fixture
def honest(snapshots_of) -> ReportArrays:
    snapshots = snapshots_of((1, 1, 1), count=2)
    return ReportArrays(snapshots.parameters, snapshots.kpis, snapshots.kinds)


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_only_the_attacker_lies_and_residuals_of_the_honest_stay_bounded(name, honest, coordinator) -> None:
    attack = ATTACKS[name]
    reported = attack(honest, 0, torch.Generator().manual_seed(0))
    count = 3 + attack.sybils
    assert reported.parameters.shape == (2, count, Schema().size) and reported.kpis.shape == (2, count, 4)
    for report, truth in zip(reported, honest):
        assert torch.equal(report[:, 1:3], truth[:, 1:])
    kinds = reported.kinds
    codes = random_codes(2, count, torch.Generator().manual_seed(0))[:, :, None].expand(-1, -1, 4, -1)
    delta = round_residuals(coordinator, reported.parameters, kinds, reported.kpis, codes, clip=0.5)
    assert torch.isfinite(delta).all()
    last = torch.linalg.vector_norm(reported.parameters[..., -129 * 48 :], dim=-1)
    assert (torch.linalg.matrix_norm(delta) <= 0.5001 * last + 1e-9).all()


def test_what_some_attacks_send(honest) -> None:
    g = torch.Generator().manual_seed(0)
    assert torch.equal(ATTACKS["copy"](honest, 0, g).parameters[:, 0], honest.parameters[:, 1])
    torch.testing.assert_close(ATTACKS["mean"](honest, 0, g).parameters[:, 0], honest.parameters[:, 1:].mean(1))
    loud = ATTACKS["random_100"](honest, 0, g).parameters[:, 0].square().mean().sqrt()
    assert loud == pytest.approx(100.0 * honest.parameters[:, 0].square().mean().sqrt().item(), rel=0.02)
    assert ATTACKS["kpi_absurd"](honest, 0, g).kpis[0, 0].tolist() == [1000.0] * 4
    assert not ATTACKS["free_rider"].applies


@pytest.mark.parametrize("kind", [0, 1])
def test_drift_is_slow_and_arrives(kind, snapshots_of) -> None:
    snapshots = snapshots_of((kind, kind), count=1)
    honest, g = ReportArrays(snapshots.parameters, snapshots.kpis, snapshots.kinds), torch.Generator()
    target = insistent_policy(honest.parameters[:, 0], honest.kinds[:, 0], 3, Layout())[0]
    attack = slow_drift(3, Layout(), 0.1)
    steps = [attack(honest, number, g).parameters[0, 0] for number in range(12)]
    torch.testing.assert_close(steps[9], target)
    assert torch.equal(steps[10], steps[11])
    assert (steps[1] - steps[0]).norm() < 0.11 * (target - honest.parameters[0, 0]).norm()
    outputs = forward(unflatten(target, Schema()), torch.rand(5, 40))
    assert (outputs.argmax(-1) // 6 == 3).all()


def test_an_optimised_attack_harms_in_the_proxy(coordinator, snapshots_of) -> None:
    world = snapshots_of((1, 1), count=1)
    for parameter in coordinator.hypernetwork.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    coordinator.requires_grad_(False)
    codes = random_codes(1, 2, torch.Generator().manual_seed(0))[:, :, None].expand(-1, -1, 4, -1)

    def of_victim(reported: torch.Tensor) -> float:
        delta = round_residuals(coordinator, reported, world.kinds, world.kpis, codes, clip=1.0)
        layers = unflatten(world.parameters, Schema())
        moved = torch.cat([layers.weights[-1], layers.biases[-1][..., None, :]], -2)
        moved[:, 1] += delta[:, 1]
        layers = type(layers)((*layers.weights[:-1], moved[..., :-1, :]), (*layers.biases[:-1], moved[..., -1, :]))
        return Proxy()(forward(layers, world.observations).softmax(-1), world.worlds).utility[0, 1].item()

    lie = optimised_shift(coordinator, Proxy(), world, codes, steps=15, rate=0.05)
    reported = world.parameters + torch.stack([lie, torch.zeros_like(lie)], 1)
    assert of_victim(reported) < of_victim(world.parameters) - 1e-4


def test_an_optimised_attack_is_of_the_first_learner_and_of_its_own_world(coordinator, snapshots_of) -> None:
    torch.manual_seed(0)  # three steps can amplify rounding, which depends on the numbers
    for parameter in coordinator.hypernetwork.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    coordinator.requires_grad_(False)
    world = snapshots_of((-1, 1, 0), count=2)
    codes = torch.nn.functional.normalize(torch.randn(2, 2, 1, 8), dim=-1).expand(-1, -1, 4, -1)
    both = optimised_shift(coordinator, Proxy(), world, codes, steps=3)
    alone = optimised_shift(coordinator, Proxy(), world.rows(torch.tensor([1])), codes[1:], steps=3)
    assert both.any(-1).all()
    torch.testing.assert_close(both[1:], alone, rtol=1e-3, atol=1e-3)  # a step that another world moved is .03
