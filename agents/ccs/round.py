"""A round of the service: from the parameters of networks to clipped residuals of their last layers.

    F_k, W_k                        inputs of the last layer on the probes, the layer      `ProbedNetworks`
    L_k = F_k W_k / tau             logits on the probes                                   `ProbedNetworks.logits`
    dL = coordinator(view)          wanted shifts of logits of all networks                `agents.ccs.model`
    dW_k = back_k dL_k              change of the last layer that comes closest to it      `pull_back`
    min(1, c |W_k| / |dW_k|) dW_k   its norm limited relative to the layer                 `safeguards.clip_residual`

`ProbedNetworks` is the one implementation of it. The service runs it for each architecture by itself
(`probe_in_chunks`), rollouts for all networks at once (`round_residuals`), and offline training differentiates through
several rounds in a row (`agents.ccs.unroll`). Letters in `agents.ccs.layout`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs.dataset import FleetSnapshot
from agents.ccs.layout import CHUNK, View, temperatures
from agents.ccs.model import RIDGE, Coordinator
from agents.ccs.protocol import within_ranges
from agents.ccs.ring import random_codes
from agents.ccs.safeguards import CLIP, clip_residual
from agents.lns.network import Schema, features, last_layer_of, unflatten


def pull_back(features: Tensor, temperature: Tensor, ridge: float = RIDGE) -> Tensor:
    """The matrix that turns a shift of logits into the change of the last layer that comes closest to it.

        dW = tau (F'F + ridge s I)^-1 F' dL = tau F' (FF' + ridge s I)^-1 dL,   s the mean diagonal of FF'

    is ridge regression; the second form inverts a matrix of the size of the probes. What is realised, F dW / tau, is
    never larger than what is asked.

    Args:
        features: F, with a constant 1. `[..., n, H]`
        temperature: tau. `[...]`
        ridge: Ridge relative to s, above 0.

    Returns:
        `[..., H, n]`

    Source: A. Hoerl and R. Kennard, "Ridge regression", Technometrics 12 (1970), Eq. (2.1).
    """
    gram = features @ features.mT
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    added = ridge * diagonal.sum(-1, keepdim=True) / features.shape[-1]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram + torch.diag_embed(added.expand_as(diagonal))))
    return temperature[..., None, None] * (features.mT @ inverse)


class ProbedNetworks(NamedTuple):
    """Networks of one architecture on the probes, as a round needs them.

    Attributes:
        features: F, inputs of the last layer on the probes, with a constant 1. `[..., n, H]`
        last: W, the last layers, the bias as last row. `[..., H, A]`
        temperature: tau, what outputs are divided by to become logits. `[...]`
    """

    features: Tensor
    last: Tensor
    temperature: Tensor

    @classmethod
    def of(cls, parameters: Tensor, kinds: Tensor, probes: Tensor, schema: Schema) -> ProbedNetworks:
        """Networks `[rows, P]` of kinds `[rows]` on probes `[n, D]`."""
        inputs = features(unflatten(parameters, schema), probes.expand(len(parameters), -1, -1))
        return cls(inputs, last_layer_of(parameters, schema).clone(), temperatures(kinds))

    def logits(self) -> Tensor:
        """Outputs on the probes over the temperature. `[..., n, A]`"""
        return self.features @ self.last / self.temperature[..., None, None]

    def pull_back(self, ridge: float) -> Tensor:
        """The matrices that turn shifts of logits into changes of last layers; see `pull_back`. `[..., H, n]`"""
        return pull_back(self.features, self.temperature, ridge)

    def residuals(self, coordinator: Coordinator, message: Tensor, clip: float, back: Tensor | None = None) -> Tensor:
        """The clipped changes of last layers that messages ask for.

        Args:
            coordinator: The coordinator that gave the messages.
            message: Its messages. `[..., n, A]`, of the raw mapping `[..., H, A]`
            clip: Largest norm of a residual relative to the layer.
            back: The result of `pull_back`, if it is known. `[..., H, n]`

        Returns:
            Residuals, the bias as last row. `[..., H, A]`
        """
        if coordinator.design.mapping == "raw":
            delta = message * torch.linalg.matrix_norm(self.last, keepdim=True)
        else:
            delta = (self.pull_back(coordinator.design.ridge) if back is None else back) @ message
        return clip_residual(delta, self.last, clip)


def probe_in_chunks(
    probes: Tensor, parameters: Tensor, kinds: Tensor, sizes: tuple[int, ...]
) -> Iterator[ProbedNetworks]:
    """Networks `[rows, P]` of one architecture on the probes, `CHUNK` at a time."""
    for some, their_kinds in zip(parameters.split(CHUNK), kinds.split(CHUNK)):
        yield ProbedNetworks.of(some, their_kinds, probes, Schema(sizes))


def logits_on_probes(probes: Tensor, parameters: Tensor, kinds: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Logits of networks of one architecture on the probes.

    Args:
        probes: Probe observations. `[n, D]`
        parameters: Flat parameters. `[rows, P]`
        kinds: Index in `agents.ccs.layout.KINDS`. `[rows]`
        sizes: Sizes of the layers.

    Returns:
        `[rows, n, A]`
    """
    return torch.cat([networks.logits() for networks in probe_in_chunks(probes, parameters, kinds, sizes)])


def residuals_of(
    coordinator: Coordinator, message: Tensor, parameters: Tensor, kinds: Tensor, sizes: tuple[int, ...], clip: float
) -> Tensor:
    """The clipped residuals that messages ask of networks of one architecture.

    Args:
        coordinator: The coordinator that gave the messages.
        message: Its messages. `[rows, n, A]`, of the raw mapping `[rows, H, A]`
        parameters: Flat parameters. `[rows, P]`
        kinds: Index in `agents.ccs.layout.KINDS`. `[rows]`
        sizes: Sizes of the layers.
        clip: Largest norm of a residual relative to the layer.

    Returns:
        `[rows, H, A]`
    """
    chunks = zip(message.split(CHUNK), probe_in_chunks(coordinator.probes, parameters, kinds, sizes))
    return torch.cat([networks.residuals(coordinator, some, clip) for some, networks in chunks])


@torch.no_grad()
def round_residuals(
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
    """A round for all networks of all worlds, without records and safeguards.

    Args:
        coordinator: The frozen coordinator.
        parameters: Flat parameters. `[M, S, P]`
        kinds: Index in `agents.ccs.layout.KINDS`. `[M, S]`
        kpis: Summaries in reports. `[M, S, 4]`
        codes: Latent codes by group. `[M, S, Q, Z]`
        weights: How much a network counts for the others; None: all the same. `[M, S]`
        scale: Scale of the residuals, before they are clipped; None: 1. `[M, S]`
        clip: Largest norm of a residual relative to the layer.
        sizes: Sizes of the layers of all networks.

    Returns:
        Residuals of last layers, the bias as last row. `[M, S, H, A]`
    """
    shape = kinds.shape
    flat, flat_kinds = parameters.flatten(0, 1), kinds.flatten()
    logits = logits_on_probes(coordinator.probes, flat, flat_kinds, sizes).unflatten(0, shape)
    counted = torch.ones(shape) if weights is None else weights
    message = coordinator(View(logits, kinds, within_ranges(kpis), codes, counted, parameters))
    if scale is not None:
        message = message * scale[..., None, None]
    return residuals_of(coordinator, message.flatten(0, 1), flat, flat_kinds, sizes, clip).unflatten(0, shape)


def rollout_residuals(
    coordinator: Coordinator, now: FleetSnapshot, learning: NDArray[np.int64], seeds: Sequence[int], clip: float = CLIP
) -> NDArray[np.float32]:
    """A round in rollouts that a coordinator is trained on; codes are the same in every round.

    Args:
        coordinator: The frozen coordinator.
        now: The networks of B worlds.
        learning: Numbers of the networks that learn. `[L]`
        seeds: Seed of the codes of each world. `[B]`
        clip: Largest norm of a residual relative to the layer.

    Returns:
        Residuals of last layers. `[B, L, H, A]`
    """
    count, groups = coordinator.design.codes_per_network, coordinator.layout.groups
    drawn = [
        random_codes(1, len(learning) * count, torch.Generator().manual_seed(seed)).unflatten(1, (-1, count))
        for seed in seeds
    ]
    codes = torch.cat(drawn).expand(-1, -1, groups, -1)
    parameters, kinds, kpis = (torch.from_numpy(part[:, learning]) for part in (now.parameters, now.kinds, now.kpis))
    return round_residuals(coordinator, parameters, kinds, kpis, codes, clip=clip).numpy()
