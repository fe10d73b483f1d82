"""The plain hypernetwork of paper 000, read literally: from flattened weights to a residual of the last layer.

A baseline. It knows nothing of what the weights do, so that neither permuted channels nor another architecture mean
anything to it, and its residual is one direction per network, scaled by the layer's norm.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agents.ccs.encoder import EMBEDDING
from agents.ccs.hypernetwork import TRUNK, Behaviour, facts, trunk
from agents.ccs.view import KINDS, View, pooled
from agents.lns.network import Schema


class RawHypernetwork(nn.Module):
    """Encoders of flat parameters, context, trunk, and a linear layer to the residual.

    Args:
        schema: Of every network that it serves.
    """

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.schema = schema
        self.encoders = nn.ModuleList(nn.Linear(schema.size, EMBEDDING) for _ in KINDS)
        self.context = nn.Sequential(nn.Linear(2 * EMBEDDING, 64), nn.ReLU(), nn.Linear(64, EMBEDDING))
        self.trunk = trunk(2 * EMBEDDING)
        self.output = nn.Linear(TRUNK, math.prod(schema.last_layer))
        with torch.no_grad():
            self.output.weight.mul_(0.02)
            self.output.bias.zero_()

    def forward(self, view: View, seen: Behaviour, probes: Tensor) -> Tensor:
        """Residuals relative to the norm of the layer `[M, S, H, A]`."""
        if view.parameters is None or view.parameters.shape[-1] != self.schema.size:
            raise ValueError(f"parameters: the raw mapping takes flat vectors of {self.schema} only")
        found = torch.stack([encoder(view.parameters) for encoder in self.encoders], dim=-2)
        embedding = found.gather(-2, view.kinds[..., None, None].expand(*view.kinds.shape, 1, EMBEDDING)).squeeze(-2)
        context = self.context(torch.cat([embedding, pooled(embedding, view)], dim=-1))
        summary = self.trunk(torch.cat([embedding, context, facts(view)], dim=-1))
        return self.output(summary).unflatten(-1, self.schema.last_layer)
