"""Networks that are trained: flat parameters of all learners and one optimiser; `L` = B S learners."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from agents.lns.network import Layers, Schema, flatten, unflatten
from agents.maac.losses import clip

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
        self._adam = torch.optim.Adam([self.vectors], lr=learning_rate, fused=True)
        moments = {name: torch.zeros_like(self.vectors) for name in ("exp_avg", "exp_avg_sq")}
        self._adam.state[self.vectors] = {"step": torch.zeros(())} | moments

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
        clip([self.vectors], self._largest)
        self._adam.step()

    def slow(self, share: float) -> None:
        """Goes on learning at a share of the learning rate."""
        self._adam.param_groups[0]["lr"] = share * self._learning_rate

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes, itself."""
        return {"learned": self.vectors, "residual": self.residual} | self._adam.state[self.vectors]
