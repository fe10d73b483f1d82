"""Linear layers of all agents, or of all groups, at once; shape letters in `agents.maac.groups`.

Inside a forward pass groups and agents are one axis of seats, so that a layer of all agents is one batched matrix
product. Parameters of padded seats are 0 and stay so: their keys and their gradients vanish.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from agents.maac.groups import Groups

EPS, MOMENTUM = 1e-5, 0.1
"""Of batch normalisation: torch's defaults."""


class Layers(nn.Module):
    """A module with linear layers by name, drawn as `torch.nn.Linear` draws them, each agent's independently.

    Args:
        groups: Whose.
        name: Of the streams that initial parameters are drawn from.
    """

    def __init__(self, groups: Groups, name: str) -> None:
        super().__init__()
        self.groups, self.name = groups, name

    def add(self, name: str, inputs: int, outputs: int, *, bias: bool = True, fan_in: int = 0) -> None:
        """Adds a layer of every agent: `<name>_weight` `[G, A, in, out]` and `<name>_bias` `[G, A, 1, out]`."""
        taken = self.groups.mask[:, :, None, None]
        for kind, rows in (("weight", inputs), ("bias", 1))[: 1 + bias]:
            drawn = self.groups.uniform(f"{self.name}.{name}_{kind}", 0, rows, outputs)
            self._register(f"{name}_{kind}", (2.0 * drawn - 1.0) * taken / math.sqrt(fan_in or inputs))

    def add_shared(self, name: str, inputs: int, outputs: int, *, bias: bool = True) -> None:
        """Adds a layer of every group: `<name>_weight` `[G, in, out]` and `<name>_bias` `[G, 1, out]`."""
        for kind, rows in (("weight", inputs), ("bias", 1))[: 1 + bias]:
            drawn = self.groups.uniform_shared(f"{self.name}.{name}_{kind}", 0, rows, outputs)
            self._register(f"{name}_{kind}", (2.0 * drawn - 1.0) / math.sqrt(inputs))

    def layer(self, name: str, x: Tensor, *, onto: Tensor | None = None, active: bool = True) -> Tensor:
        """A layer's outputs `[S, B, out]` for inputs `[S, B, in]`.

        Args:
            name: Of the layer; its bias is added if it has one.
            x: Inputs.
            onto: What the outputs are added to, in place.
            active: Whether a leaky ReLU follows.
        """
        weight = self.get_parameter(f"{name}_weight").flatten(0, -3)
        rows = x if len(weight) == len(x) else x.view(len(weight), -1, x.shape[-1])  # of an agent, or of a group
        if onto is not None:
            y = onto.baddbmm_(rows, weight)
        elif hasattr(self, f"{name}_bias"):
            y = torch.baddbmm(self.get_parameter(f"{name}_bias").flatten(0, -3), rows, weight)
        else:
            y = torch.bmm(rows, weight)
        if active:
            y = leaky_relu(y, inplace=True)  # of no view: autograd would copy its gradient
        return y if rows is x else y.view(*x.shape[:2], -1)

    def _register(self, name: str, values: NDArray[np.floating]) -> None:
        self.register_parameter(name, nn.Parameter(torch.from_numpy(values)))


def normalised(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Batch normalisation without affine parameters."""
    return (x - mean) * torch.rsqrt(variance + EPS)
