"""The loop over all replicas, shared by threads; replicas are independent, so any number of threads plays the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import run
from lora_marl.core.kernel.state import State
from lora_marl.core.kernel.tables import Tables


def play(
    state: State,
    tables: Tables,
    points: NDArray[np.int16],
    until_s: float,
    deciding: bool,
    decisions: NDArray[np.void],
    threads: int,
) -> int:
    """Play every replica of a state that records nothing; returns the number of decisions written."""
    replicas, nodes = state.nodes.shape
    edges = np.linspace(0, replicas, threads + 1).astype(int)
    parts = [slice(first, last) for first, last in zip(edges[:-1], edges[1:], strict=True)]

    def play_part(part: slice) -> NDArray[np.void]:
        rows = decisions[part.start * nodes : part.stop * nodes]
        shared = tables.replicas_from(part.start)
        here = state.replicas_in(part)
        made, stopped, status = run.play(here, shared, points[part], until_s, deciding, rows, 0, 0)
        if status == run.FOREIGN_POINT:
            raise run.foreign_point(here, points[part], stopped, part.start)
        rows["replica"][:made] += part.start
        return rows[:made]

    with ThreadPoolExecutor(threads) as pool:
        written = list(pool.map(play_part, parts))
    made = sum(len(rows) for rows in written)
    decisions[:made] = np.concatenate(written)
    return made
