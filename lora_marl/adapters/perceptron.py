"""Layers of a perceptron in torch, as the arrays of `lora_marl.adapters.policy`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import nn

_ACTIVATIONS = {nn.Tanh: "tanh", nn.ReLU: "relu"}


def layers_of(
    modules: Iterable[nn.Module],
) -> tuple[tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...], str]:
    """Weights `[out, in]` and biases `[out]` of the linear modules, and the name of the activation between them.

    Raises:
        ValueError: there is something else between them than tanh or ReLU.
    """
    all_of_it = list(modules)
    linear = [module for module in all_of_it if isinstance(module, nn.Linear)]
    between = {type(module) for module in all_of_it if not isinstance(module, nn.Linear)}
    if len(between) > 1 or not between <= set(_ACTIVATIONS):
        raise ValueError("exported: the network is not a perceptron with tanh or ReLU")
    arrays = tuple(tuple(p.detach().cpu().numpy().copy() for p in (each.weight, each.bias)) for each in linear)
    return arrays, _ACTIVATIONS[between.pop()] if between else "tanh"  # type: ignore[return-value]
