"""Networks of worlds at one time, as arrays: what snapshots are made of, and rounds of all worlds at once.

Letters in `agents.ccs.layout`; here B worlds.

A round for arrays of networks of one architecture; letters in `agents.ccs.layout`.

Coordination rounds on snapshots, differentiable, nothing learnt in between; letters in `agents.ccs.layout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs.dataset import FleetSnapshot, Snapshots, Worlds
from agents.ccs.layout import View, features, last_layer, temperatures
from agents.ccs.model import Coordinator, clip_residual
from agents.ccs.protocol import within_ranges
from agents.ccs.ring import random_codes
from agents.lns.network import Schema, flatten, unflatten

CLIP = 1.0
"""Largest norm of a residual relative to the layer."""

CHUNK = 32
"""Networks whose features lie in memory at once."""


@torch.no_grad()
def coordinated(
    coordinator: Coordinator,
    parameters: Tensor,
    kinds: Tensor,
    kpis: Tensor,
    codes: Tensor,
    weights: Tensor | None = None,
    scale: Tensor | None = None,
    *,
    clip: float = CLIP,
    sizes: tuple[int, ...] = Schema().sizes,
) -> Tensor:
    """Residuals of last layers for all networks of all worlds.

    Args:
        coordinator: Frozen.
        parameters: Flat. `[M, S, P]`
        kinds: Index in `agents.ccs.layout.KINDS`. `[M, S]`
        kpis: Reports. `[M, S, 4]`
        codes: By group. `[M, S, Q, Z]`
        weights: How much a network counts for the others; None: all the same. `[M, S]`
        scale: Of the residuals, before they are clipped; None: 1. `[M, S]`
        clip: Largest norm of a residual relative to the layer.
        sizes: Of all networks.

    Returns:
        `[M, S, H, A]`, the last row of H being the bias.
    """
    shape = kinds.shape
    flat, kind = parameters.flatten(0, 1), kinds.flatten()
    counted = torch.ones(shape) if weights is None else weights
    view = View(
        logits_on(coordinator.probes, flat, kind, sizes).unflatten(0, shape),
        kinds,
        within_ranges(kpis),
        codes,
        counted,
        parameters,
    )
    message = coordinator(view)
    if scale is not None:
        message = message * scale[..., None, None]
    return residuals(coordinator, message.flatten(0, 1), flat, kind, sizes, clip).unflatten(0, shape)


def logits_on(probes: Tensor, parameters: Tensor, kinds: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Outputs over temperature of networks `[rows, P]` of kinds `[rows]` on the probes `[rows, n, A]`."""
    found = []
    for part, heat in zip(parameters.split(CHUNK), temperatures(kinds).split(CHUNK)):
        layers = unflatten(part, Schema(sizes))
        seen = features(layers, probes.expand(len(part), -1, -1))
        found.append(seen @ last_layer(layers) / heat[:, None, None])
    return torch.cat(found)


def residuals(
    coordinator: Coordinator, message: Tensor, parameters: Tensor, kinds: Tensor, sizes: tuple[int, ...], clip: float
) -> Tensor:
    """Clipped changes of last layers `[rows, H, A]` that messages `[rows, ...]` ask of networks `[rows, P]`."""
    found = []
    parts = zip(message.split(CHUNK), parameters.split(CHUNK), temperatures(kinds).split(CHUNK))
    for asked, part, heat in parts:
        layers = unflatten(part, Schema(sizes))
        last = last_layer(layers)
        back = coordinator.way_back(features(layers, coordinator.probes.expand(len(part), -1, -1)), heat)
        found.append(clip_residual(coordinator.residual(asked, back, last), last, clip))
    return torch.cat(found)


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
        delta = clip_residual(delta, last, clip)
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


class Rounds:
    """Rounds of all worlds at once, without records and safeguards: for rollouts that a coordinator is trained on.

    Args:
        coordinator: That takes part.
        seeds: Of the codes of each world. `[B]`
        clip: Largest norm of a residual relative to the layer.

    Attributes:
        fade: Share of what they hold of residuals that networks let go before a round.
    """

    def __init__(self, coordinator: Coordinator, seeds: Sequence[int], clip: float = 1.0) -> None:
        self._coordinator, self._seeds, self._clip = coordinator, tuple(seeds), clip
        self.fade = coordinator.design.fade

    def residuals(self, now: FleetSnapshot, learning: NDArray[np.int64]) -> NDArray[np.float32]:
        """Changes of the last layers of the networks that learn. `[B, L, H, A]`"""
        count, groups = self._coordinator.design.codes_per_network, self._coordinator.layout.groups
        drawn = [
            random_codes(1, len(learning) * count, torch.Generator().manual_seed(seed)).unflatten(1, (-1, count))
            for seed in self._seeds
        ]
        codes = torch.cat(drawn).expand(-1, -1, groups, -1)
        parameters, kinds, kpi = (torch.from_numpy(p[:, learning]) for p in (now.parameters, now.kinds, now.kpis))
        return coordinated(self._coordinator, parameters, kinds, kpi, codes, clip=self._clip).numpy()
