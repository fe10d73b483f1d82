"""The compiled loop as the air calls it: the variant that a network needs, on one thread or on several.

Replicas are independent, so threads can share them, and any number of threads gives the same results.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel.arrays import Handle
from lora_marl.core.kernel.features import needed
from lora_marl.core.kernel.loop import DONE, OUTSIDE_REGION, EntryPoints, Exchange, entry_points, outside_region
from lora_marl.core.kernel.state import DROPPED, State
from lora_marl.core.kernel.tables import Tables
from lora_marl.core.mixture import Mixture

_LEAST_PACKETS = 2_000
"""Fewer packets than these are simulated by one thread: in half a millisecond, ten times what waking another takes."""

_NO_PROBABILITIES = np.zeros((0, 0, 0))
_NO_POINTS = np.zeros((0, 0, 0, 4), np.int16)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """The threads that all airs of this process with so many share."""
    return ThreadPoolExecutor(threads, thread_name_prefix="air")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a child of fork has none of its parent's threads


class _Part:
    """Some consecutive replicas, and what the loop was last given for them.

    Args:
        state, tables: Of these replicas.
        decisions: DECISION, written. `[M]`
        replicas: Which of the air's they are.

    Attributes:
        state, tables: Handles of both.
    """

    def __init__(self, state: State, tables: Tables, decisions: NDArray[np.void], replicas: slice) -> None:
        self.state, self.tables, self._decisions, self._replicas = Handle(state), Handle(tables), decisions, replicas
        self._given: tuple[object, object] = None, None
        self._exchange: Handle | None = None

    def run(
        self,
        entry: EntryPoints,
        points: NDArray[np.int16],
        mixture: Mixture | None,
        until_s: float,
        deciding: bool,
        first: int = 0,
        count: int = 0,
    ) -> tuple[int, int, int]:
        """Call `run` of the entry points; `points` and the mixture are those of all replicas."""
        if self._exchange is None or self._given[0] is not points or self._given[1] is not mixture:
            self._given, self._exchange = (points, mixture), self._hand_over(points, mixture)
        state, tables, exchange = self.state.address, self.tables.address, self._exchange.address
        return entry.run(state, tables, exchange, until_s, deciding, first, count)

    def _hand_over(self, points: NDArray[np.int16], mixture: Mixture | None) -> Handle:
        probabilities, possible_points = _NO_PROBABILITIES, _NO_POINTS
        if mixture is not None:
            probabilities, possible_points = mixture.cumulative[self._replicas], mixture.points[self._replicas]
        return Handle(Exchange(points[self._replicas], self._decisions, probabilities, possible_points))

    def outside_region(self, points: NDArray[np.int16], b: int) -> ValueError:
        """The error of the replica in which the loop stopped."""
        first = self._replicas.start
        return outside_region(self.state.arrays, points[self._replicas], b, first)


class Engine:
    """Runs the loop on a state and its tables, in place; where other arrays take their place, make a new one.

    Args:
        state, tables: Of the air.
        decisions: DECISION, written. `[B N]`
        threads: Threads that may share the replicas.
    """

    def __init__(self, state: State, tables: Tables, decisions: NDArray[np.void], threads: int) -> None:
        self._arguments = state, tables, decisions, threads
        replicas, nodes = state.nodes.shape
        on = {"repeats": state.frames.size > 0, "masks": state.channel_masks.size > 0}
        on["culled"] = state.listeners.size > 0
        self._entry, self._drawing_entry = (
            entry_points(needed(tables.rule, draws_points=draws, **on)) for draws in (False, True)
        )
        self._whole = _Part(state, tables, decisions, slice(0, replicas))
        self._state, self._tables = self._whole.state, self._whole.tables
        edges = np.linspace(0, replicas, threads + 1).astype(int).tolist() if threads > 1 else []
        self._parts = [
            _Part(state.replicas_in(part), tables.replicas_from(part.start), decisions[:0], part)
            for part in (slice(*ends) for ends in pairwise(edges))
        ]
        self._packets_per_s = float(np.sum(1.0 / tables.interval_s)) * (replicas / len(tables.interval_s))

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy has arrays of its own, at other addresses."""
        return Engine, self._arguments

    def run(
        self,
        points: NDArray[np.int16],
        until_s: float,
        mixture: Mixture | None,
        deciding: bool,
        first: int,
        count: int,
    ) -> tuple[int, int, int]:
        """Run the replicas from `first` on to a time or, `deciding`, to their next decisions; see `loop.run`.

        Raises:
            ValueError: a packet's point outside the region.
        """
        entry = self._entry if mixture is None else self._drawing_entry
        if self._parts and not deciding:
            if self._packets_per_s * (until_s - self._state.arrays.replicas["now_s"].min()) >= _LEAST_PACKETS:
                return self._run_in_threads(entry, points, until_s, mixture)
        count, stopped, status = self._whole.run(entry, points, mixture, float(until_s), deciding, first, count)
        if status == OUTSIDE_REGION:
            raise self._whole.outside_region(points, stopped)
        return count, stopped, status

    def _run_in_threads(
        self, entry: EntryPoints, points: NDArray[np.int16], until_s: float, mixture: Mixture | None
    ) -> tuple[int, int, int]:
        """Share the replicas; this thread runs the last part."""

        def run_part(part: _Part) -> None:
            _, stopped, status = part.run(entry, points, mixture, float(until_s), False)
            if status == OUTSIDE_REGION:
                raise part.outside_region(points, stopped)

        *others, last = self._parts
        running = [_pool(len(others)).submit(run_part, part) for part in others]
        try:
            run_part(last)
        finally:
            wait(running)
        for future in running:
            future.result()
        return 0, len(points), DONE

    def first_starts_s(self, which: NDArray[np.bool_], now_s: float) -> NDArray[np.float64]:
        """First starts of the nodes, and of the channels' bursts, `which [B, N + C]`; infinite for the others. s"""
        starts_s = np.full(which.shape, np.inf)
        which = np.ascontiguousarray(which)
        self._entry.first_starts_s(self._state.address, self._tables.address, float(now_s), which, starts_s)
        return starts_s

    def admit_all_frames(self) -> None:
        """Let all frames generated before the clocks join their queues."""
        self._entry.admit_all_frames(self._state.address, self._tables.address)

    def clear(self, none: int) -> None:
        """Clear the air and the clocks; nodes whose packet vanishes unjudged decide again, with the fate `none`."""
        self._entry.clear(self._state.address, none)

    def know_powers(self) -> None:
        """Compute the powers of all packets on the air where gateways are culled: tables change, or it is saved."""
        if self._state.arrays.listeners.size:
            self._entry.know_powers(self._state.address, self._tables.address, False)

    def list_listeners(self) -> None:
        """List the gateways that hear each packet of a state that was loaded, where gateways are culled."""
        if self._state.arrays.listeners.size:
            self._entry.know_powers(self._state.address, self._tables.address, True)

    def drops_ahead(self, *, everywhere: bool = False) -> NDArray[np.int64]:
        """Packets that nodes drop before their next one, but that are generated only after the clocks. `[B, N]`

        Args:
            everywhere: Whether nodes are looked at that have no drops counted, too, as after a change of intervals.
        """
        ahead = np.zeros(self._state.arrays.nodes.shape, np.int64)
        if everywhere or self._state.arrays.counts[..., DROPPED].any():
            self._entry.all_drops_ahead(self._state.address, self._tables.address, everywhere, ahead)
        return ahead
