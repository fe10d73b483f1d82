"""Operating points that nodes draw for every packet."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.kernel.random import uniform


class Choices(NamedTuple):
    """What nodes draw from; `K` is 0 where they do not."""

    cumulative: NDArray[np.float64]  # [B, N, K]
    points: NDArray[np.int16]  # [B, N, K, 4]

    def replicas_in(self, part: slice) -> Choices:
        """A view of some replicas."""
        return Choices(self.cumulative[part], self.points[part])


NO_CHOICES = Choices(np.zeros((0, 0, 0)), np.zeros((0, 0, 0, 4), np.int16))


@kernel()
def choose(state, choices, points, b, n):
    """Write the point that node `n`'s next packet draws into `points`."""
    drawn = uniform(state.replicas[b].choice_key, n, state.nodes[b, n].packet)
    k = 0
    while k < choices.cumulative.shape[2] - 1 and drawn >= choices.cumulative[b, n, k]:
        k += 1
    for f in range(4):
        points[b, n, f] = choices.points[b, n, k, f]
