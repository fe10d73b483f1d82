"""A round for arrays of networks."""

from __future__ import annotations

import pytest
import torch

import agents.ccs
from agents.ccs.layout import temperatures
from agents.ccs.model import Coordinator, Design
from agents.ccs.protocol import within_ranges
from agents.ccs.round import pull_back, round_residuals
from agents.ccs.safeguards import clip_residual
from agents.lns.network import Schema, features, last_layer_of, unflatten


def test_is_message_pull_back_and_clip(coordinator, snapshots_of, view_of) -> None:
    snapshots = snapshots_of((0, 1, 1), count=20)  # more networks than are computed at once
    view = view_of(snapshots, coordinator)
    view = view._replace(kpis=within_ranges(view.kpis))
    actual = round_residuals(coordinator, snapshots.parameters, snapshots.kinds, snapshots.kpis, view.codes, clip=0.01)
    layers = unflatten(snapshots.parameters, Schema())
    back = pull_back(features(layers, coordinator.probes), temperatures(snapshots.kinds), coordinator.design.ridge)
    last = last_layer_of(snapshots.parameters, Schema())
    expected = clip_residual(back @ coordinator(view), last, 0.01)
    assert actual.any()
    torch.testing.assert_close(actual, expected.detach(), rtol=1e-3, atol=1e-5)
    assert (torch.linalg.matrix_norm(actual) <= 0.01001 * torch.linalg.matrix_norm(last)).all()


def test_a_scale_of_zero_leaves_a_network_alone(coordinator, snapshots_of, view_of) -> None:
    snapshots = snapshots_of((1, 1), count=2)
    codes = view_of(snapshots, coordinator).codes
    scale = torch.tensor([[1.0, 0.0], [0.5, 1.0]])
    arguments = (coordinator, snapshots.parameters, snapshots.kinds, snapshots.kpis, codes)
    whole, part = round_residuals(*arguments), round_residuals(*arguments, scale=scale)
    assert not part[0, 1].any()
    assert torch.equal(part[0, 0], whole[0, 0])
    assert torch.linalg.matrix_norm(part[1, 0]) <= torch.linalg.matrix_norm(whole[1, 0])


def test_the_raw_mapping_moves_the_last_layer_too(probes, snapshots_of, view_of) -> None:
    coordinator, snapshots = Coordinator(probes, Design(mapping="raw")), snapshots_of((1, 1), count=2)
    codes = view_of(snapshots, coordinator).codes
    actual = round_residuals(coordinator, snapshots.parameters, snapshots.kinds, snapshots.kpis, codes)
    assert actual.shape == (2, 2, 129, 48)
    assert actual.any()


def test_the_old_name_of_a_round_is_accepted_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="coordinated is now round_residuals"):
        assert agents.ccs.coordinated is round_residuals
    with pytest.raises(AttributeError, match="no attribute 'coordinate'"):
        _ = agents.ccs.coordinate
