"""The network of a server: a perceptron whose layers are tensors, so that many servers are one set of operations.

Shape letters of the package: `B` replicas, `S` servers of a replica, `Q` groups of a server, `D` features of a group,
`A` actions of a group, `M` rows, `P` parameters of a server. A leading `...` is any number of axes, or none.

Networks that are trained: flat parameters of all learners and one optimiser; `L` = B S learners.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from agents.torch_utils import adam, clip_gradients

Kind = Literal["dqn", "pg"]
"""What the outputs are: values of the actions, or logits of a policy."""

Values = TypeVar("Values", Tensor, NDArray)


class Layers(NamedTuple):
    """The parameters of one network, or of many of the same sizes.

    Attributes:
        weights: By layer. `[..., in, out]`
        biases: By layer. `[..., out]`
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    def map(self, function: Callable[[Tensor], Tensor]) -> Layers:
        """The function of every tensor."""
        return Layers(tuple(map(function, self.weights)), tuple(map(function, self.biases)))


@dataclass(frozen=True)
class Schema:
    """How a flat vector of parameters is to be read.

    Attributes:
        sizes: Width of the observation, of the hidden layers and of the output.
        kind: What the outputs are.

    Raises:
        ValueError: fewer than one hidden layer, a width below 1, or an unknown kind.
    """

    sizes: tuple[int, ...] = (40, 128, 128, 48)
    kind: Kind = "dqn"

    def __post_init__(self) -> None:
        if len(self.sizes) < 3 or min(self.sizes) < 1:
            raise ValueError(f"sizes = {self.sizes}: needs observation, hidden and output widths, each at least 1")
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind = {self.kind!r}: expected one of {', '.join(get_args(Kind))}")

    @property
    def size(self) -> int:
        """P."""
        return sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.sizes))

    @property
    def last_layer(self) -> tuple[int, int]:
        """Shape of the last layer, whose last row is the bias; see `last_layer_of`."""
        return self.sizes[-2] + 1, self.sizes[-1]


def hidden(layers: Layers, x: Tensor) -> Tensor:
    """The last hidden features `[..., M, hidden]` of observations `[..., M, D]`."""
    for weight, bias in zip(layers.weights[:-1], layers.biases[:-1]):
        x = torch.relu(_affine(x, weight, bias))
    return x


def features(layers: Layers, x: Tensor) -> Tensor:
    """What the last layer is multiplied by: the last hidden features and a constant 1 `[..., M, hidden + 1]`."""
    last = hidden(layers, x)
    return torch.cat([last, last.new_ones(*last.shape[:-1], 1)], dim=-1)


def forward(layers: Layers, x: Tensor) -> Tensor:
    """The outputs `[..., M, A]` of observations `[..., M, D]`."""
    return _affine(hidden(layers, x), layers.weights[-1], layers.biases[-1])


def flatten(layers: Layers) -> Tensor:
    """The parameters as one vector `[..., P]`: layer by layer, weights `[in, out]` before biases."""
    parts = [part for w, b in zip(layers.weights, layers.biases) for part in (w.flatten(-2), b)]
    return torch.cat(parts, dim=-1)


def unflatten(vector: Tensor, schema: Schema) -> Layers:
    """Views into a vector of parameters `[..., P]`.

    Raises:
        ValueError: a vector of another size than the schema's.
    """
    if vector.shape[-1] != schema.size:
        raise ValueError(f"vector has {vector.shape[-1]} parameters; {schema} has {schema.size}")
    shapes = list(pairwise(schema.sizes))
    parts = vector.split([size for i, o in shapes for size in (i * o, o)], dim=-1)
    weights = [part.unflatten(-1, shape) for part, shape in zip(parts[::2], shapes)]
    return Layers(tuple(weights), tuple(parts[1::2]))


def last_layer_of(vector: Values, schema: Schema) -> Values:
    """The last layer in a vector of parameters `[..., P]`, of which it is the end; a view where memory allows.

    Returns:
        Weights, and the bias as last row. `[..., hidden + 1, A]`
    """
    rows, columns = schema.last_layer
    return vector[..., -rows * columns :].reshape(*vector.shape[:-1], rows, columns)


def initial(schema: Schema, generators: Sequence[np.random.Generator]) -> Tensor:
    """The vectors of new networks, one per generator `[len(generators), P]`.

    Source: K. He et al., "Delving deep into rectifiers", ICCV 2015; the last layer is ten times smaller.
    """
    vectors = torch.zeros(len(generators), schema.size)
    weights = unflatten(vectors, schema).weights
    for weight in weights:
        scale = math.sqrt(2.0 / weight.shape[-2]) * (0.1 if weight is weights[-1] else 1.0)
        for own, generator in zip(weight, generators):
            own.copy_(torch.from_numpy(generator.normal(0.0, scale, own.shape)))
    return vectors


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if weight.shape[-1] == 1:  # torch's product with one column rounds differently where there is one network
        return (x * weight.mT).sum(-1, keepdim=True) + bias[..., None, :]
    if x.dim() == weight.dim() == 3 and len(x) == len(weight):
        return torch.baddbmm(bias[:, None], x, weight)
    return torch.matmul(x, weight) + bias[..., None, :]


GRID = 2.0**-40
"""Residuals are whole multiples of this."""

LARGEST = 2.0**10
"""Of a residual, absolutely; so their sums are exact in float64."""

LANES = 16
"""Vectors are padded to whole multiples: the rest of an array may be rounded differently, so others would matter."""


class Trained:
    """One network per learner; what is learned and what is added from outside are kept apart.

    The last layer is what was learned plus a residual. Both change without the other: the optimiser moves what was
    learned, `add` the residual, whose sums are exact (multiples of a power of two, in float64). So subtracting what was
    added leaves the residual bit by bit as it was, and what was learned since stays.

    Args:
        vectors: Parameters to start from `[L, P]`.
        schema: Their sizes.
        learning_rate: Of Adam.
        gradient_norm: Largest norm of a learner's gradient.

    Attributes:
        vectors: What was learned `[L, P]`, padded.
        residual: Added to the last layer, its last row to the bias `[L, hidden + 1, A]`.
    """

    def __init__(self, vectors: Tensor, schema: Schema, learning_rate: float, gradient_norm: float) -> None:
        self.schema = schema
        self.vectors = pad(vectors, (0, -schema.size % LANES)).clone().requires_grad_()
        self.residual = torch.zeros((len(vectors), *schema.last_layer), dtype=torch.float64)
        self._largest = torch.full((len(vectors),), gradient_norm, dtype=vectors.dtype)
        self._learning_rate = learning_rate
        self._adam = adam([self.vectors], learning_rate)

    def layers(self, learned: Tensor | None = None) -> Layers:
        """The network as it acts, or with other learned parameters than its own."""
        learned = self.vectors if learned is None else learned
        found = unflatten(learned[:, : self.schema.size], self.schema)
        residual = self.residual.to(self.vectors.dtype)
        weight, bias = found.weights[-1] + residual[:, :-1], found.biases[-1] + residual[:, -1]
        return Layers((*found.weights[:-1], weight), (*found.biases[:-1], bias))

    def parameters(self) -> Tensor:
        """The parameters as they act, copied `[L, P]`."""
        return flatten(self.layers()).detach()

    def add(self, delta: Tensor) -> None:
        """Adds to the residual `[L, hidden + 1, A]`, rounded to multiples of 2^-40; the negative takes it back.

        Raises:
            ValueError: not finite, or a residual that becomes larger than `LARGEST`.
        """
        total = self.residual + torch.round(delta.double() / GRID) * GRID
        if not bool((total.abs() <= LARGEST).all()):
            raise ValueError(f"delta: must be finite, and the residual at most {LARGEST:g} with it")
        self.residual.copy_(total)

    def descend(self, losses: Tensor) -> None:
        """One step of Adam on the losses `[L]`, by gradients that are clipped for each learner."""
        (self.vectors.grad,) = torch.autograd.grad(losses.sum(), [self.vectors])
        clip_gradients([self.vectors], self._largest)
        self._adam.step()

    def slow(self, share: float) -> None:
        """Goes on learning at a share of the learning rate."""
        self._adam.param_groups[0]["lr"] = share * self._learning_rate

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes, itself."""
        return {"learned": self.vectors, "residual": self.residual} | self._adam.state[self.vectors]
