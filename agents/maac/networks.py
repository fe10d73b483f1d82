"""Critics and actors of all agents at once; shape letters in `agents.maac.groups`.

Inside a forward pass groups and agents are one axis of seats, so that a layer of all agents is one batched matrix
product. Parameters of padded seats are 0 and stay so: their keys and their gradients vanish.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from agents.maac.groups import Groups

EPS, MOMENTUM = 1e-5, 0.1
"""Batch normalisation: torch's defaults."""


class AgentLayers(nn.Module):
    """A module with linear layers by name, drawn as `torch.nn.Linear` draws them, each agent's independently.

    Args:
        groups: The groups.
        name: Prefix of the streams that initial parameters are drawn from.
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
        """A layer's outputs `[S, B, out]`.

        Args:
            name: Name of the layer; its bias is added if it has one.
            x: Inputs. `[S, B, in]`
            onto: A tensor to which the outputs are added, in place; None: none. `[S, B, out]`
            active: Whether a leaky ReLU follows.
        """
        weight = self.get_parameter(f"{name}_weight").flatten(0, -3)
        rows = x if len(weight) == len(x) else x.view(len(weight), -1, x.shape[-1])  # by agent, or by group
        if onto is not None:
            y = onto.baddbmm_(rows, weight)
        elif hasattr(self, f"{name}_bias"):
            y = torch.baddbmm(self.get_parameter(f"{name}_bias").flatten(0, -3), rows, weight)
        else:
            y = torch.bmm(rows, weight)
        if active:
            y = leaky_relu(y, inplace=True)  # before the view: in place on a view, autograd would copy the gradient
        return y if rows is x else y.view(*x.shape[:2], -1)

    def _register(self, name: str, values: NDArray[np.floating]) -> None:
        self.register_parameter(name, nn.Parameter(torch.from_numpy(values)))


def normalised(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Batch normalisation of `x` by given moments, without affine parameters."""
    return (x - mean) * torch.rsqrt(variance + EPS)


class Attended(NamedTuple):
    """The outputs of attention.

    Attributes:
        contribution: Weighted values of the other agents for every agent. `[S, B, F]`
        penalty: Squared logits, summed over heads and agents and averaged over batch and others. `[G]`
        weights: Weights of the column's agent for the row's; None where they are equal. `[G, B, H, A, A]`
    """

    contribution: Tensor
    penalty: Tensor
    weights: Tensor | None


class Attention(AgentLayers):
    """Values of the other agents, weighted for every agent; keys, queries and values are shared by a group.

    Args:
        groups: The groups.
        hidden: F.
        heads: H, of F / H features each.
        learned: Whether weights are learned, else equal.

    Attributes:
        sight: Added to logits: 0, or -1e30 towards padded seats and oneself. `[G, A, A]`
        taken: 1 at the seats that are taken, else 0. `[G, A]`
        others: Number of other agents. `[G]`
    """

    sight: Tensor
    taken: Tensor
    others: Tensor

    def __init__(self, groups: Groups, hidden: int, heads: int, learned: bool) -> None:
        super().__init__(groups, "attention")
        self.heads, self.learned = heads, learned
        self.add_shared("value", hidden, hidden)
        if learned:
            self.add_shared("key", hidden, hidden, bias=False)
            self.add_shared("query", hidden, hidden, bias=False)
        mask = torch.from_numpy(groups.mask)
        unseen = ~mask[:, None, :] | torch.eye(mask.shape[1], dtype=torch.bool)
        self.register_buffer("sight", torch.zeros(unseen.shape).masked_fill(unseen, -1e30), persistent=False)
        self.register_buffer("taken", mask.double(), persistent=False)
        self.register_buffer("others", mask.sum(1).double() - 1.0, persistent=False)
        self.has_single_agents = bool((groups.agents == 1).any())

    def forward(self, state: Tensor, encoding: Tensor) -> Attended:
        """The contributions of the others.

        Args:
            state: Encodings of observations, from which queries follow. `[S, B, F]`
            encoding: Encodings of observations and actions, from which keys and values follow. `[S, B, F]`
        """
        value = self.layer("value", encoding)
        return self._weighted(state, encoding, value) if self.learned else self._averaged(value)

    def entropy(self, attended: Attended, steps: int = 32) -> Tensor:
        """Entropy of the weights, averaged over agents and the first `steps` of the batch `[G, H]`. nats"""
        if attended.weights is None:
            return self.others.clamp(min=1.0).log()[:, None].expand(-1, self.heads)
        entropy = torch.special.entr(attended.weights[:, :steps].detach()).sum(-1).mean(1)
        of_agents = self.taken * (self.others > 0)[:, None]
        return (entropy * of_agents[:, None]).sum(-1) / self.taken.sum(1, keepdim=True)

    def _weighted(self, state: Tensor, encoding: Tensor, value: Tensor) -> Attended:
        """The values of the others, weighted by attention."""
        query = self._by_head(self.layer("query", state, active=False))
        key = self._by_head(self.layer("key", encoding, active=False))
        logits = torch.bmm(query, key.mT).view(len(self.taken), -1, self.heads, *self.sight.shape[1:])
        weights, squares = _Softmax.apply(logits, self.sight[:, None, None], 1.0 / math.sqrt(key.shape[-1]))
        contribution = self._by_seat(torch.bmm(weights.flatten(0, 2), self._by_head(value)), state.shape)
        if self.has_single_agents:
            accompanied = (self.others > 0)[:, None, None, None]
            contribution = (contribution.unflatten(0, self.taken.shape) * accompanied).flatten(0, 1)
        return Attended(contribution, squares / (logits.shape[1] * self.others.clamp(min=1.0)), weights)

    def _averaged(self, value: Tensor) -> Attended:
        """The values of the others with equal weights."""
        by_group = value.unflatten(0, self.taken.shape) * self.taken[:, :, None, None]
        others = self.others.clamp(min=1.0)[:, None, None, None]
        contribution = (by_group.sum(1, keepdim=True) - by_group) / others
        return Attended(contribution.flatten(0, 1), torch.zeros_like(self.others), None)

    def _by_head(self, x: Tensor) -> Tensor:
        """`[S, B, F]` -> `[G B H, A, F / H]`."""
        groups, agents = self.taken.shape
        x = x.view(groups, agents, x.shape[1], self.heads, -1)
        return x.permute(0, 2, 3, 1, 4).reshape(-1, agents, x.shape[-1]).contiguous()

    def _by_seat(self, x: Tensor, shape: torch.Size) -> Tensor:
        """`[G B H, A, F / H]` -> `[S, B, F]`."""
        x = x.view(len(self.taken), -1, self.heads, *x.shape[1:])
        return x.permute(0, 3, 1, 2, 4).reshape(shape)


class _Softmax(torch.autograd.Function):
    """Weights of logits `[G, B, H, A, A]`, and the sum of the squared logits off the diagonal `[G]`.

    One function, so that neither scaling nor squaring nor the diagonal costs passes over the largest arrays.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, sight: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        logits.diagonal(dim1=-2, dim2=-1).zero_()  # in place: nothing else needs the product
        weights = torch.softmax(torch.add(sight, logits, alpha=scale), dim=-1)
        ctx.save_for_backward(logits, weights)
        ctx.scale = scale
        return weights, torch.linalg.vector_norm(logits.flatten(1), dim=1).square()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (logits, weights), (of_weights, of_squares) = ctx.saved_tensors, gradients
        gradient = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype).mul_(ctx.scale)
        return gradient.addcmul_(logits, 2.0 * of_squares[:, None, None, None, None]), None, None


class Actor(AgentLayers):
    """Policies: two hidden layers for every agent.

    Args:
        groups: The groups.
        hidden: F.
        batch_norm: Whether inputs are normalised, while training by the moments of the batch, else by running ones.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, groups: Groups, hidden: int, batch_norm: bool) -> None:
        super().__init__(groups, "actor")
        self.batch_norm = batch_norm
        self.add("first", groups.observation_size, hidden)
        self.add("second", hidden, hidden)
        self.add("output", hidden, groups.actions)
        moments = torch.zeros(groups.mask.size, 1, groups.observation_size)
        self.register_buffer("mean", moments)
        self.register_buffer("variance", moments + 1.0)

    def forward(self, observation: Tensor) -> Tensor:
        """Logits `[G, A, B, K]`, masks not applied, for observations `[G, A, B, D]`."""
        x = observation.flatten(0, 1)
        if self.batch_norm:
            x = normalised(x, *(self._moments(x) if self.training else (self.mean, self.variance)))
        x = self.layer("first", x)
        x = self.layer("second", x)
        return self.layer("output", x, active=False).unflatten(0, observation.shape[:2])

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the batch, towards which the running ones move."""
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        self.mean.lerp_(mean, MOMENTUM)
        self.variance.lerp_(variance * (x.shape[1] / (x.shape[1] - 1)), MOMENTUM)
        return mean, variance


class Critic(AgentLayers):
    """Attention critics of all agents; the package's page has the equations.

    Args:
        groups: The groups.
        hidden: F.
        heads: H.
        learned: Whether attention is learned, else uniform.
        batch_norm: Whether inputs, one-hot actions too, are normalised by the moments of the batch.
    """

    def __init__(self, groups: Groups, hidden: int, heads: int, learned: bool, batch_norm: bool) -> None:
        super().__init__(groups, "critic")
        self.batch_norm = batch_norm
        self.add("encoder", groups.observation_size + groups.actions, hidden)
        self.add("own", groups.observation_size, hidden)
        self.attention = Attention(groups, hidden, heads, learned)
        self.add("head", hidden, hidden, fan_in=2 * hidden)
        self.add("head_others", hidden, hidden, bias=False, fan_in=2 * hidden)
        self.add("output", hidden, groups.actions)

    @property
    def shared_names(self) -> tuple[str, ...]:
        """Parameters into which the losses of all agents flow."""
        return tuple(name for name, _ in self.named_parameters() if name.startswith(("encoder", "attention")))

    def forward(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Attended]:
        """Values of all arms of each agent while the others act as given, and the outputs of attention.

        Args:
            observation: Observations of the agents. `[G, A, B, D]`
            action: Actions of the agents. `[G, A, B]`

        Returns:
            Values. `[G, A, B, K]`
            The outputs of attention.
        """
        seen = observation.flatten(0, 1)
        if self.batch_norm:
            variance, mean = torch.var_mean(seen, dim=1, correction=0, keepdim=True)
            seen = normalised(seen, mean, variance)
        state = self.layer("own", seen)
        encoding = leaky_relu(self._encoder(seen, action.flatten(0, 1)), inplace=True)
        attended = self.attention(state, encoding)
        hidden = self.layer("head_others", attended.contribution, onto=self.layer("head", state, active=False))
        return self.layer("output", hidden, active=False).unflatten(0, action.shape[:2]), attended

    def _encoder(self, seen: Tensor, action: Tensor) -> Tensor:
        """Pre-activations for (observation, one-hot action) `[S, B, F]`.

        Normalising a one-hot action is scaling the weights and moving the bias; no array of the batch is touched.
        """
        features = seen.shape[-1]
        x = seen.new_zeros(*action.shape, features + self.groups.actions)
        x[..., :features] = seen
        x[..., features:].scatter_(-1, action[..., None], 1.0)
        weight, bias = (self.get_parameter(f"encoder_{kind}").flatten(0, 1) for kind in ("weight", "bias"))
        if self.batch_norm:
            share = x[..., features:].mean(dim=1, keepdim=True)
            scaled = weight[:, features:] * (share * (1.0 - share) + EPS).rsqrt().mT
            bias = torch.baddbmm(bias, share, scaled, alpha=-1.0)
            weight = torch.cat([weight[:, :features], scaled], dim=1)
        return torch.baddbmm(bias, x, weight)
