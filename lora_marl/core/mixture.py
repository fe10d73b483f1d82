"""Mixed decisions: nodes that draw an operating point for every packet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A distribution over `K` operating points per node, from which each packet draws its own.

    The draw of a packet is a function of the replica's seed, the node and the packet's number, so equal distributions
    give equal points.

    Attributes:
        cumulative: Sums of the probabilities of the first 1, 2, ... `K` points; the last is 1. `[B, N, K]`
        points: Operating points. `[B, N, K, 4]` int16

    Raises:
        ValueError: shapes or types that do not fit, or sums that fall or do not end at 1, naming the first node.
    """

    cumulative: NDArray[np.float64]
    points: NDArray[np.int16]

    def __post_init__(self) -> None:
        cumulative = np.require(self.cumulative, np.float64, ["C", "W"])
        if cumulative.ndim != 3 or cumulative.shape[2] == 0:
            raise ValueError(f"mixture.cumulative: shape {cumulative.shape}; allowed is [B, N, at least 1]")
        if np.asarray(self.points).dtype != np.int16 or np.shape(self.points) != (*cumulative.shape, 4):
            points = np.asarray(self.points)
            raise ValueError(
                f"mixture.points: {points.dtype} {points.shape}; allowed is int16 {(*cumulative.shape, 4)}"
            )
        steps = np.diff(cumulative, prepend=0.0, axis=2)
        bad = ~((steps >= 0.0).all(axis=2) & (np.abs(cumulative[..., -1] - 1.0) <= 1e-9))
        if bad.any():
            b, n = np.argwhere(bad)[0]
            raise ValueError(f"mixture.cumulative[{b}, {n}]: {cumulative[b, n].tolist()} does not rise from 0 to 1")
        object.__setattr__(self, "cumulative", cumulative)
        object.__setattr__(self, "points", np.require(self.points, np.int16, ["C", "W"]))
