"""What servers hold of the residuals that they were given.

Shape letters: `B` replicas, `L` learning networks, `H, A` of a last layer.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.ccs.rounds import CLIP
from agents.lns.network import Schema
from agents.lns.team import Team
from agents.lns.trained import LARGEST


class Held:
    """Residuals in last layers, apart from what their servers learn.

    Args:
        team: The servers.
        replicas: B.

    Attributes:
        total: What is there of all of them. `[B, L, H, A]`
    """

    def __init__(self, team: Team, replicas: int) -> None:
        self._team = team
        self.total = np.zeros((replicas, team.networks, *Schema().last_layer), np.float32)

    def add(self, delta: NDArray[np.float32]) -> None:
        """Adds residuals to last layers. `[B, L, H, A]`"""
        self.total += delta
        self._team.add(delta)

    def take(self, delta: NDArray[np.float32], clip: float = CLIP) -> NDArray[np.float32]:
        """Adds new residuals, but to networks that would then hold more than their arithmetic bears.

        Args:
            delta: `[B, L, H, A]`
            clip: Largest norm relative to the layer, which the service knows only as it was told.

        Returns:
            What was added. `[B, L, H, A]`
        """
        norm, largest = (np.linalg.norm(each, axis=(-2, -1), keepdims=True) for each in (delta, self._last_layers()))
        share = 1.0 if math.isinf(clip) else np.minimum(1.0, clip * largest / np.maximum(norm, 1e-12))
        own = (delta * share).astype(np.float32)
        held = np.abs(self.total + own).max(axis=(-2, -1), keepdims=True)
        borne = np.where(held < LARGEST / 2, own, np.float32(0.0))
        self.add(borne)
        return borne

    def release(self, networks: NDArray[np.bool_]) -> None:
        """Takes all of it out of the last layers of some networks. `[B, L]`"""
        self.add(np.where(networks[..., None, None], -self.total, np.float32(0.0)))

    def fade(self, share: float) -> None:
        """Takes a share of it out of all last layers, so that what no round renews is gone in time."""
        self.add(np.float32(-share) * self.total)

    def _last_layers(self) -> NDArray[np.float32]:
        """As they act, the bias as last row. `[B, L, H, A]`"""
        found, (rows, columns) = np.empty_like(self.total), self.total.shape[-2:]
        for servers, places in self._team.learners():
            found[:, places] = servers.parameters()[..., -rows * columns :].reshape(*servers.shape[:2], rows, columns)
        return found
