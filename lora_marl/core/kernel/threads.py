"""The loop over all replicas, shared by threads; replicas are independent, so any number of threads plays the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import run
from lora_marl.core.kernel.choices import Choices
from lora_marl.core.kernel.state import DECISION, State
from lora_marl.core.kernel.tables import Tables


def play(
    state: State, tables: Tables, points: NDArray[np.int16], choices: Choices, until_s: float, threads: int
) -> None:
    """Play every replica of a state that records nothing to a time, without decisions.

    Raises:
        ValueError: a packet's point outside the region.
    """
    edges = np.linspace(0, len(state.nodes), threads + 1).astype(int)
    no_decisions = np.empty(0, DECISION)

    def play_part(first: int, last: int) -> None:
        part = slice(first, last)
        here, shared = state.replicas_in(part), tables.replicas_from(first)
        _, stopped, status = run.play(
            here, shared, points[part], choices.replicas_in(part), until_s, False, no_decisions, 0, 0
        )
        if status == run.FOREIGN_POINT:
            raise run.foreign_point(here, points[part], stopped, first)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(play_part, edges[:-1], edges[1:]))  # raises what a part raised
