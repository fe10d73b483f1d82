"""Rounds of the service in a row, through which offline training differentiates; letters in `agents.ccs.layout`.

A round is that of `agents.ccs.round`. Here it is taken by all learners of many worlds at once, from snapshots.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from agents.ccs.dataset import Snapshots, Worlds
from agents.ccs.layout import View
from agents.ccs.model import Coordinator
from agents.ccs.protocol import within_ranges
from agents.ccs.round import ProbedNetworks
from agents.lns.network import Schema, features, flatten, unflatten, with_last_layer


class Batch(NamedTuple):
    """Snapshots of one mixture, its L learners in the form that rounds need.

    Attributes:
        learners: Which networks learn. int64 `[L]`
        worlds: Worlds of all networks.
        states: What the learners' groups see, network by network. `[M, L Q, D]`
        networks: The learners on the probes. `[M, L, ...]`
        state_features: Inputs of every learner's last layer in every state. `[M, L, L Q, H]`
        back: Matrices from shifts on the probes to last layers. `[M, L, H, n]`
        parameters: `[M, L, P]`
        kinds: `[M, L]`
        kpis: `[M, L, 4]`
        codes: `[M, L, Q, Z]`
    """

    learners: Tensor
    worlds: Worlds
    states: Tensor
    networks: ProbedNetworks
    state_features: Tensor
    back: Tensor
    parameters: Tensor
    kinds: Tensor
    kpis: Tensor
    codes: Tensor


class Step(NamedTuple):
    """The learners after a round.

    Attributes:
        policy: Policy of every learner in every state. `[M, L, L Q, A]`
        shift: Mean squared centred change of logits on the probes in this round. `[M, L]`
        norm: Squared norm of all changes so far relative to the layer. `[M, L]`
    """

    policy: Tensor
    shift: Tensor
    norm: Tensor


def prepare_batch(snapshots: Snapshots, codes: Tensor, orders: Tensor, coordinator: Coordinator) -> Batch:
    """Snapshots with channels numbered anew, as rounds need them.

    Args:
        snapshots: M rows of networks of the default schema.
        codes: Codes of the learners, by group. `[M, L, Q, Z]`
        orders: Orders of the channels. int64 `[M, C]`
        coordinator: The coordinator with probes, layout and pull-back.
    """
    layout, schema = coordinator.layout, Schema()
    learners = (snapshots.kinds[0] >= 0).nonzero()[:, 0]
    kinds = snapshots.kinds[:, learners]
    layers = layout.permuted_layers(unflatten(snapshots.parameters[:, learners], schema), orders[:, None])
    states = layout.permuted_observations(snapshots.observations[:, learners], orders[:, None, None]).flatten(1, 2)
    parameters, shape = flatten(layers), kinds.shape
    probed = ProbedNetworks.of(parameters.flatten(0, 1), kinds.flatten(), coordinator.probes, schema)
    networks = ProbedNetworks(*(part.unflatten(0, shape) for part in probed))
    everywhere = states[:, None].expand(-1, shape[1], -1, -1).flatten(0, 1)
    flat = layers.map(lambda tensor: tensor.flatten(0, 1))
    return Batch(
        learners,
        snapshots.worlds.permuted(orders),
        states,
        networks,
        features(flat, everywhere).unflatten(0, shape),
        networks.pull_back(coordinator.design.ridge),
        parameters,
        kinds,
        within_ranges(snapshots.kpis[:, learners]),
        codes,
    )


def unroll_rounds(coordinator: Coordinator, batch: Batch, rounds: int, clip: float) -> list[Step]:
    """Computes rounds one after the other, differentiably; nothing is learned in between.

    Each round begins from the residuals of those before, which fade as they do in service (`Design.fade`); reports and
    codes stay the same.

    Args:
        coordinator: The coordinator that answers.
        batch: The result of `prepare_batch`.
        rounds: Number of rounds.
        clip: Largest norm of a residual relative to the layer, per round.

    Returns:
        A step for every round.
    """
    networks, start = batch.networks, batch.networks.last
    temperature = networks.temperature[..., None, None]
    weights = torch.ones_like(networks.temperature)
    raw, steps = coordinator.design.mapping == "raw", []
    for _ in range(rounds):
        faded = start + (1.0 - coordinator.design.fade) * (networks.last - start)
        networks = networks._replace(last=faded)
        parameters = with_last_layer(batch.parameters, faded, Schema()) if raw else None
        view = View(networks.logits(), batch.kinds, batch.kpis, batch.codes, weights, parameters)
        delta = networks.residuals(coordinator, coordinator(view), clip, batch.back)
        networks = networks._replace(last=faded + delta)
        shift = networks.features @ delta / temperature
        shift = (shift - shift.mean(-1, keepdim=True)).square().mean((-1, -2))
        norm = (networks.last - start).square().sum((-1, -2)) / start.square().sum((-1, -2))
        steps.append(Step((batch.state_features @ networks.last / temperature).softmax(-1), shift, norm))
    return steps


def own_policies(policy: Tensor, learners: Tensor, networks: int) -> Tensor:
    """Policies of all networks in their own states, zeros for those that do not learn.

    Args:
        policy: Policy of every learner in every state. `[M, L, L Q, A]`
        learners: Which networks learn. int64 `[L]`
        networks: S, the number of networks.

    Returns:
        `[M, S, Q, A]`
    """
    count = policy.shape[1]
    own = policy.unflatten(2, (count, -1)).diagonal(dim1=1, dim2=2).movedim(-1, 1)  # [M, L, Q, A]
    return own.new_zeros(len(own), networks, *own.shape[2:]).index_copy(1, learners, own)
