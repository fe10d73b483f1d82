"""What a change of the mean intervals does to packets that wait to be sent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import heap
from lora_marl.core.kernel.state import WAITING, State, on_air


def stretch_waits(
    state: State, old_s: NDArray[np.float64], new_s: NDArray[np.float64], at_s: float
) -> NDArray[np.bool_]:
    """Stretch waiting times by new over old mean interval, which is exact for Poisson traffic; off times stay.

    Args:
        state: Its events and births are moved.
        old_s, new_s: Mean intervals, infinite for nodes that are off. `[b, N]` s
        at_s: Time of the change. s

    Returns:
        Which nodes join, and need a first packet. `[B, N]`
    """
    nodes, shape = state.nodes, state.events.shape
    old_s, new_s = np.broadcast_to(old_s, shape), np.broadcast_to(new_s, shape)
    waiting = (nodes["phase"] == WAITING) & (old_s != new_s)
    joining, leaving = waiting & ~np.isfinite(old_s), waiting & ~np.isfinite(new_s)
    stretched = waiting & ~joining & ~leaving
    before_s = heap.times_by_node(state.events)
    times_s = before_s.copy()
    times_s[stretched] = at_s + (before_s[stretched] - at_s) * (new_s[stretched] / old_s[stretched])
    times_s[stretched] = np.maximum(times_s[stretched], nodes["free_s"][stretched])
    nodes["birth_s"][stretched] += times_s[stretched] - before_s[stretched]
    times_s[leaving] = np.inf
    heap.fill(state.events, times_s, on_air(state))
    return joining
