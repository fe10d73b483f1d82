"""A round for arrays of networks of one architecture; letters in `agents.ccs.layout`."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.ccs.coordinator import Coordinator
from agents.ccs.kpis import within_ranges
from agents.ccs.pull_back import clipped
from agents.ccs.view import View, features, last_layer, temperatures
from agents.lns.network import Schema, unflatten

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
        kinds: Index in `agents.ccs.view.KINDS`. `[M, S]`
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
        found.append(clipped(coordinator.residual(asked, back, last), last, clip))
    return torch.cat(found)
