"""Baselines of the service: random residuals, and residuals optimised directly on the proxy of the air.

Letters in `agents.ccs.layout`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs.dataset import FleetSnapshot, Snapshots
from agents.ccs.layout import temperatures
from agents.ccs.proxy import Proxy
from agents.ccs.safeguards import CLIP, clip_residual
from agents.lns.network import Schema, features, last_layer_of, unflatten


def random_residual(delta: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draws residuals in random directions, each of the same norm as that in `delta`. `[..., H, A]`"""
    drawn = rng.standard_normal(delta.shape, np.float32)
    norms = (np.linalg.norm(residual, axis=(-2, -1), keepdims=True) for residual in (delta, drawn))
    return drawn * np.divide(*norms)


def direct(
    parameters: Tensor,
    kinds: Tensor,
    stored: Snapshots,
    proxy: Proxy,
    *,
    steps: int = 120,
    parts: int = 1,
    learning_rate: float = 0.02,
    norm_weight: float = 0.01,
    clip: float = CLIP,
) -> Tensor:
    """Optimises residuals for given networks by gradient on the proxy, over stored snapshots of the same mixture.

    A reference for what a change of the last layer can do: mean utility over the stored worlds, less
    norm_weight (||dW|| / ||W||)^2, by Adam from 0. Only observations and worlds of the stored snapshots are used.

    Args:
        parameters: Flat parameters. `[M, S, P]`
        kinds: Index in `agents.ccs.layout.KINDS`, in every world as in `stored`; all networks learn. `[M, S]`
        stored: R snapshots.
        proxy: Model of the air.
        steps: Steps of Adam.
        parts: Into how many parts the stored worlds are split, in order; the steps use one after the other.
        learning_rate: Learning rate of Adam.
        norm_weight: Weight of the squared relative norm.
        clip: Largest norm of a residual relative to the layer.

    Returns:
        Clipped residuals. `[M, S, H, A]`

    Raises:
        ValueError: another mixture, or one with networks that do not learn; parts that are not equal.
    """
    if len(stored) % parts:
        raise ValueError(f"parts: {parts}; {len(stored)} snapshots do not make equal ones")
    if bool((kinds != stored.kinds[0]).any()) or bool((kinds < 0).any()):
        raise ValueError(
            f"kinds = {kinds.unique(dim=0).tolist()}: expected {stored.kinds[0].tolist()}, all of learners"
        )
    worlds, rows, schema = len(kinds), len(stored), Schema()
    last, temperature = last_layer_of(parameters, schema).clone(), temperatures(kinds)[:, None, :, None, None]
    observations = stored.observations.transpose(0, 1).flatten(1, 2)  # [S, R Q, D]
    inputs = features(unflatten(parameters, schema), observations)
    inputs = inputs.unflatten(2, (rows, -1)).transpose(1, 2)  # [M, R, S, Q, H]
    size = last.square().sum((-1, -2))
    turns = [(part, stored.worlds.rows(part.repeat(worlds))) for part in torch.arange(rows).chunk(parts)]
    delta = torch.zeros_like(last).requires_grad_()
    adam = torch.optim.Adam([delta], lr=learning_rate)
    for step in range(steps):
        part, worlds_of_part = turns[step % parts]
        adam.zero_grad()
        policy = (inputs[:, part] @ (last + delta)[:, None] / temperature).softmax(-1)
        utility = proxy(policy.flatten(0, 1), worlds_of_part).utility.mean(-1).unflatten(0, (worlds, -1)).mean(-1)
        penalty = norm_weight * (delta.square().sum((-1, -2)) / size).mean(-1)
        (penalty - utility).sum().backward()
        adam.step()
    return clip_residual(delta.detach(), last, clip)


def direct_residuals(now: FleetSnapshot, stored: Snapshots, parts: int) -> NDArray[np.float32]:
    """`direct` for all networks of worlds as they are now, all of which learn. `[B, S, H, A]`"""
    return direct(torch.from_numpy(now.parameters), torch.from_numpy(now.kinds), stored, Proxy(), parts=parts).numpy()
