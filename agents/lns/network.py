"""The network of a server: a perceptron as plain tensors, so that many servers are one set of operations.

Shape letters of the package: `B` replicas, `S` servers of a replica, `L` = B S learners, `Q` groups of a server, `D`
features of a group, `A` actions of a group, `M` rows, `P` parameters of a server. A leading `...` is any number of
axes, or none.
"""

from __future__ import annotations

import math
import reprlib
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
"""Meaning of the outputs: action values, or logits of a policy."""

GRID = 2.0**-40
"""Residuals are whole multiples of this."""

LARGEST = 2.0**10
"""Largest absolute residual; with `GRID` this makes sums of residuals exact in float64."""

LANES = 16
"""Vectors are padded to whole multiples of a SIMD register. The remainder of an array may be rounded differently, so
other learners in the array would change a learner's numbers."""

LAST_LAYER_SCALE = 0.1
"""Scale of the first weights of the last layer, relative to those of the others."""

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
        """Returns layers whose tensors are the function's values of these."""
        return Layers(tuple(map(function, self.weights)), tuple(map(function, self.biases)))


@dataclass(frozen=True)
class Schema:
    """How a flat vector of parameters is read: layer by layer, weights `[in, out]` before biases.

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
            raise ValueError(
                f"sizes = {reprlib.repr(self.sizes)}: needs observation, hidden and output widths, each at least 1"
            )
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind = {self.kind!r}: expected one of {', '.join(get_args(Kind))}")

    @property
    def size(self) -> int:
        """`P`, how many parameters a network has."""
        return sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.sizes))

    @property
    def last_layer(self) -> tuple[int, int]:
        """Shape `(hidden + 1, A)` of the last layer, whose last row is the bias; see `last_layer_of`."""
        return self.sizes[-2] + 1, self.sizes[-1]


def hidden(layers: Layers, x: Tensor) -> Tensor:
    """Returns the last hidden features.

    Args:
        layers: Layers of one network or many.
        x: Observations. `[..., M, D]`

    Returns:
        `[..., M, hidden]`
    """
    for weight, bias in zip(layers.weights[:-1], layers.biases[:-1]):
        x = torch.relu(_affine(x, weight, bias))
    return x


def features(layers: Layers, x: Tensor) -> Tensor:
    """Returns what the last layer is multiplied by: the last hidden features and a constant 1.

    Args:
        layers: Layers of one network or many.
        x: Observations. `[..., M, D]`

    Returns:
        `[..., M, hidden + 1]`
    """
    last = hidden(layers, x)
    return torch.cat([last, last.new_ones(*last.shape[:-1], 1)], dim=-1)


def forward(layers: Layers, x: Tensor) -> Tensor:
    """Returns the outputs, action values or logits.

    Args:
        layers: Layers of one network or many.
        x: Observations. `[..., M, D]`

    Returns:
        `[..., M, A]`
    """
    return _affine(hidden(layers, x), layers.weights[-1], layers.biases[-1])


def flatten(layers: Layers) -> Tensor:
    """Returns the parameters as one vector, in the order of `Schema`. `[..., P]`"""
    parts = [part for w, b in zip(layers.weights, layers.biases) for part in (w.flatten(-2), b)]
    return torch.cat(parts, dim=-1)


def unflatten(vector: Tensor, schema: Schema) -> Layers:
    """Returns layers that are views into a vector of parameters.

    Args:
        vector: `[..., P]`
        schema: Describes it.

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
    """Returns the last layer of networks, which is the end of their flat vectors; a view where memory allows.

    Args:
        vector: Parameters. `[..., P]`
        schema: Describes them.

    Returns:
        Weights, and the bias as last row. `[..., hidden + 1, A]`
    """
    rows, columns = schema.last_layer
    return vector[..., -rows * columns :].reshape(*vector.shape[:-1], rows, columns)


def with_last_layer(vector: Tensor, last: Tensor, schema: Schema) -> Tensor:
    """Returns parameters with other last layers.

    Args:
        vector: Parameters. `[..., P]`
        last: The last layers, the bias as last row. `[..., hidden + 1, A]`
        schema: Describes the parameters.

    Returns:
        `[..., P]`
    """
    return torch.cat([vector[..., : -math.prod(schema.last_layer)], last.flatten(-2)], dim=-1)


def initial(schema: Schema, generators: Sequence[np.random.Generator]) -> Tensor:
    """Returns the vectors of new networks, one per generator. `[len(generators), P]`

    Source: K. He et al., "Delving deep into rectifiers", ICCV 2015; the last layer is ten times smaller.
    """
    vectors = torch.zeros(len(generators), schema.size)
    weights = unflatten(vectors, schema).weights
    for weight in weights:
        scale = math.sqrt(2.0 / weight.shape[-2]) * (LAST_LAYER_SCALE if weight is weights[-1] else 1.0)
        for matrix, generator in zip(weight, generators):
            matrix.copy_(torch.from_numpy(generator.normal(0.0, scale, matrix.shape)))
    return vectors


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if weight.shape[-1] == 1:  # torch's product with one column rounds differently where there is one network
        return (x * weight.mT).sum(-1, keepdim=True) + bias[..., None, :]
    if x.dim() == weight.dim() == 3 and len(x) == len(weight):
        return torch.baddbmm(bias[:, None], x, weight)
    return torch.matmul(x, weight) + bias[..., None, :]


class TrainedNetworks:
    """The networks of all learners as flat vectors, with one optimiser; what is learned and what is added stay apart.

    The last layer is the sum of what was learned and of a residual. The optimiser changes only the first, `add` only
    the second. Sums of residuals are exact (multiples of a power of two, in float64), so subtracting what was added
    restores the residual bit by bit, and what was learned since stays.

    Args:
        vectors: Parameters to start from. `[L, P]`
        schema: Their sizes.
        learning_rate: Learning rate of Adam.
        gradient_norm: Largest norm of a learner's gradient.

    Attributes:
        vectors: Learned parameters, padded. `[L, P]`
        residual: Added to the last layer; the last row to the bias. `[L, hidden + 1, A]`
    """

    def __init__(self, vectors: Tensor, schema: Schema, learning_rate: float, gradient_norm: float) -> None:
        self.schema = schema
        self.vectors = pad(vectors, (0, -schema.size % LANES)).clone().requires_grad_()
        self.residual = torch.zeros((len(vectors), *schema.last_layer), dtype=torch.float64)
        self._largest = torch.full((len(vectors),), gradient_norm, dtype=vectors.dtype)
        self._learning_rate = learning_rate
        self._adam = adam([self.vectors], learning_rate)

    def layers(self, learned: Tensor | None = None) -> Layers:
        """Returns the networks in force, residuals included.

        Args:
            learned: Learned parameters in place of `vectors`. `[L, P]`, padded
        """
        learned = self.vectors if learned is None else learned
        layers = unflatten(learned[:, : self.schema.size], self.schema)
        residual = self.residual.to(self.vectors.dtype)
        weight, bias = layers.weights[-1] + residual[:, :-1], layers.biases[-1] + residual[:, -1]
        return Layers((*layers.weights[:-1], weight), (*layers.biases[:-1], bias))

    def parameters(self) -> Tensor:
        """Returns a copy of the parameters in force, residuals included. `[L, P]`"""
        return flatten(self.layers()).detach()

    def add(self, delta: Tensor) -> None:
        """Adds to the residuals; adding the negative removes it again.

        Args:
            delta: Rounded to multiples of `GRID`. `[L, hidden + 1, A]`

        Raises:
            ValueError: not finite, or a residual that becomes larger than `LARGEST`.
        """
        total = self.residual + torch.round(delta.double() / GRID) * GRID
        if not bool((total.abs() <= LARGEST).all()):
            raise ValueError(f"delta: must be finite, and the residual at most {LARGEST:g} with it")
        self.residual.copy_(total)

    def descend(self, losses: Tensor) -> None:
        """Takes one step of Adam on the losses `[L]`, with gradients clipped for each learner."""
        (self.vectors.grad,) = torch.autograd.grad(losses.sum(), [self.vectors])
        clip_gradients([self.vectors], self._largest)
        self._adam.step()

    def scale_learning_rate(self, share: float) -> None:
        """Continues with a share of the learning rate given at first."""
        self._adam.param_groups[0]["lr"] = share * self._learning_rate

    def tensors(self) -> dict[str, Tensor]:
        """Returns all tensors that change, not copied, by name."""
        return {"learned": self.vectors, "residual": self.residual} | self._adam.state[self.vectors]
