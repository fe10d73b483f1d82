"""What a change of the mean intervals does to packets that wait to be sent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import heap
from lora_marl.core.kernel.state import DROPPED, WAITING, State, on_air


def stretch_waits(
    state: State, old_s: NDArray[np.float64], new_s: NDArray[np.float64], at_s: float
) -> NDArray[np.bool_]:
    """Stretch waiting times by new over old mean interval, which is exact for Poisson traffic; off times stay.

    Where traffic is confirmed, the wait for the next birth is what stretches: retries keep their times.

    Args:
        state: Its events and births are moved.
        old_s, new_s: Mean intervals, infinite for nodes that are off. `[b, N]` s
        at_s: Time of the change. s

    Returns:
        Which nodes join, and need a first packet. `[B, N]`
    """
    nodes, shape = state.nodes, state.nodes.shape
    old_s, new_s = np.broadcast_to(old_s, shape), np.broadcast_to(new_s, shape)
    waiting = (nodes["phase"] == WAITING) & (old_s != new_s)
    joining, leaving = waiting & ~np.isfinite(old_s), waiting & ~np.isfinite(new_s)
    stretched = waiting & ~joining & ~leaving
    all_times_s = heap.times_by_source(state.events)
    times_s = all_times_s[:, : shape[1]]  # a view: those of the nodes
    before_s = times_s.copy()
    if state.queues.size:
        times_s[stretched] = _starts_s(state, old_s, new_s, at_s)[stretched]
        _drop_frames(state, leaving)
    else:
        times_s[stretched] = at_s + (before_s[stretched] - at_s) * (new_s[stretched] / old_s[stretched])
        times_s[stretched] = np.maximum(times_s[stretched], nodes["free_s"][stretched])
        nodes["birth_s"][stretched] += times_s[stretched] - before_s[stretched]
    times_s[leaving] = np.inf
    heap.fill(state.events, all_times_s, on_air(state))
    return joining


def _starts_s(state: State, old_s: NDArray[np.float64], new_s: NDArray[np.float64], at_s: float) -> NDArray[np.float64]:
    """Stretch the time to the next birth of every node, busy or not: when those that wait start then. `[B, N]` s"""
    queues, nodes = state.queues, state.nodes
    before_s = queues["next_s"].copy()
    stretched = np.isfinite(before_s) & np.isfinite(new_s) & (old_s != new_s)
    queues["next_s"][stretched] = at_s + (before_s[stretched] - at_s) * (new_s[stretched] / old_s[stretched])
    nodes["birth_s"][stretched] += queues["next_s"][stretched] - before_s[stretched]
    queues["next_s"][~np.isfinite(new_s)] = np.inf
    return np.where(queues["size"] > 0, nodes["free_s"], np.maximum(queues["next_s"], nodes["free_s"]))


def _drop_frames(state: State, leaving: NDArray[np.bool_]) -> None:
    """Frames that wait when their node leaves are dropped, unless they have been received."""
    queues = state.queues
    state.counts[..., DROPPED] += np.where(leaving, queues["size"] - queues["received"], 0)
    for name in ("size", "attempts", "received"):
        queues[name][leaving] = 0
