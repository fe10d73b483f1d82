"""A perceptron in torch as the arrays of `lora_marl.adapters.policy`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import nn

_ACTIVATIONS = {nn.Tanh: "tanh", nn.ReLU: "relu"}


def layers_of(
    modules: Iterable[nn.Module],
) -> tuple[tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...], str]:
    """The layers of a perceptron, and the name of the activation between them.

    Args:
        modules: Linear modules with biases, and between each two of them the same activation, tanh or ReLU.

    Returns:
        Weights `[out, in]` and biases `[out]` of each layer, and `tanh` or `relu`.

    Raises:
        ValueError: other modules.
    """
    listed = list(modules)
    linear = [module for module in listed[::2] if isinstance(module, nn.Linear) and module.bias is not None]
    between = {type(module) for module in listed[1::2]}
    if len(listed) != 2 * len(linear) - 1 or len(between) > 1 or not between <= set(_ACTIVATIONS):
        raise ValueError("exported: the network is not a perceptron with tanh or ReLU between layers with biases")
    arrays = tuple(tuple(p.detach().cpu().numpy().copy() for p in (layer.weight, layer.bias)) for layer in linear)
    return arrays, _ACTIVATIONS[between.pop()] if between else "tanh"  # type: ignore[return-value]
