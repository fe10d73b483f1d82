"""Coordination rounds on snapshots, differentiable, nothing learnt in between; letters in `agents.ccs.layout`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from agents.ccs.coordinator import Coordinator
from agents.ccs.kpis import within_ranges
from agents.ccs.pull_back import clipped
from agents.ccs.snapshots import Snapshots
from agents.ccs.view import View, features, last_layer, temperatures
from agents.ccs.worlds import Worlds
from agents.lns.network import Schema, flatten, unflatten


class Batch(NamedTuple):
    """Snapshots of one mixture, its L learners in the form that rounds need.

    Attributes:
        learners: Which networks learn. int64 `[L]`
        worlds: Of all networks.
        states: What the learners' groups see, network by network. `[M, L Q, D]`
        probe_features: `[M, L, n, H]`
        state_features: Of every learner in every state. `[M, L, L Q, H]`
        back: From shifts on the probes to last layers. `[M, L, H, n]`
        last: Last layers. `[M, L, H, A]`
        temperature: `[M, L]`
        parameters: `[M, L, P]`
        kinds: `[M, L]`
        kpis: `[M, L, 4]`
        codes: `[M, L, Q, Z]`
    """

    learners: Tensor
    worlds: Worlds
    states: Tensor
    probe_features: Tensor
    state_features: Tensor
    back: Tensor
    last: Tensor
    temperature: Tensor
    parameters: Tensor
    kinds: Tensor
    kpis: Tensor
    codes: Tensor


class Step(NamedTuple):
    """What a round makes of the learners.

    Attributes:
        policy: Of every learner in every state. `[M, L, L Q, A]`
        shift: Mean squared centred change of logits on the probes in this round. `[M, L]`
        norm: Squared norm of all changes so far relative to the layer. `[M, L]`
    """

    policy: Tensor
    shift: Tensor
    norm: Tensor


def prepared(snapshots: Snapshots, codes: Tensor, orders: Tensor, coordinator: Coordinator) -> Batch:
    """Snapshots with channels numbered anew, without gradients.

    Args:
        snapshots: M rows of default schema.
        codes: `[M, L, Q, Z]`
        orders: Of channels. int64 `[M, C]`
        coordinator: Whose probes, layout and pull-back.
    """
    layout, probes = coordinator.layout, coordinator.probes
    learners = (snapshots.kinds[0] >= 0).nonzero()[:, 0]
    kinds = snapshots.kinds[:, learners]
    layers = unflatten(snapshots.parameters[:, learners], Schema())
    layers = layout.permuted_layers(layers, orders[:, None])
    states = layout.permuted_observations(snapshots.observations[:, learners], orders[:, None, None]).flatten(1, 2)
    flat = layers.map(lambda tensor: tensor.flatten(0, 1))
    shape, temperature = kinds.shape, temperatures(kinds)
    everywhere = states[:, None].expand(-1, shape[1], -1, -1).flatten(0, 1)
    probe_features = features(flat, probes.expand(len(everywhere), -1, -1)).unflatten(0, shape)
    return Batch(
        learners,
        snapshots.worlds.permuted(orders),
        states,
        probe_features,
        features(flat, everywhere).unflatten(0, shape),
        coordinator.way_back(probe_features, temperature),
        last_layer(layers),
        temperature,
        flatten(layers),
        kinds,
        within_ranges(snapshots.kpis[:, learners]),
        codes,
    )


def unrolled(coordinator: Coordinator, batch: Batch, rounds: int, clip: float) -> list[Step]:
    """Rounds one after the other, each from the shift that those before realised, with the same reports and codes.

    What a round adds fades before the next one as it does in service (`Design.fade`).
    """
    last, temperature = batch.last, batch.temperature[..., None, None]
    size, steps = batch.last[0, 0].numel(), []
    weights = torch.ones_like(batch.temperature)
    raw = coordinator.design.mapping == "raw"
    for _ in range(rounds):
        last = batch.last + (1.0 - coordinator.design.fade) * (last - batch.last)
        parameters = torch.cat([batch.parameters[..., :-size], last.flatten(-2)], dim=-1) if raw else None
        logits = batch.probe_features @ last / temperature
        view = View(logits, batch.kinds, batch.kpis, batch.codes, weights, parameters)
        delta = coordinator.residual(coordinator(view), batch.back, last)
        delta = clipped(delta, last, clip)
        last = last + delta
        shift = batch.probe_features @ delta / temperature
        shift = (shift - shift.mean(-1, keepdim=True)).square().mean((-1, -2))
        norm = (last - batch.last).square().sum((-1, -2)) / batch.last.square().sum((-1, -2))
        steps.append(Step((batch.state_features @ last / temperature).softmax(-1), shift, norm))
    return steps


def own_policies(policy: Tensor, learners: Tensor, networks: int) -> Tensor:
    """Policies of all networks in their own states `[M, S, Q, A]`, zeros for those that do not learn."""
    count = policy.shape[1]
    own = policy.unflatten(2, (count, -1)).diagonal(dim1=1, dim2=2).movedim(-1, 1)  # [M, L, Q, A]
    found = own.new_zeros(len(own), networks, *own.shape[2:])
    return found.index_copy(1, learners, own)
