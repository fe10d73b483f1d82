"""Critics and actors of all agents at once; shape letters in `agents.maac.groups`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from agents.maac.attention import Attended, Attention
from agents.maac.groups import Groups
from agents.maac.layers import EPS, MOMENTUM, Layers, normalised


class Actor(Layers):
    """Policies: two hidden layers for every agent.

    Args:
        groups: Whose.
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
        """Those of the batch, which the running ones follow."""
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        self.mean.lerp_(mean, MOMENTUM)
        self.variance.lerp_(variance * (x.shape[1] / (x.shape[1] - 1)), MOMENTUM)
        return mean, variance


class Critic(Layers):
    """Attention critics of all agents; see the package's page for the equations.

    Args:
        groups: Whose.
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
        """Values of all own actions, and what attention did.

        Args:
            observation: `[G, A, B, D]`
            action: What everyone played. `[G, A, B]`

        Returns:
            Values `[G, A, B, K]`, and what attention gave.
        """
        seen = observation.flatten(0, 1)
        if self.batch_norm:
            variance, mean = torch.var_mean(seen, dim=1, correction=0, keepdim=True)
            seen = normalised(seen, mean, variance)
        own = self.layer("own", seen)
        encoding = leaky_relu(self._encoder(seen, action.flatten(0, 1)), inplace=True)
        attended = self.attention(own, encoding)
        hidden = self.layer("head_others", attended.contribution, onto=self.layer("head", own, active=False))
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
