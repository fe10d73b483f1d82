"""The packet air: an exact, event-ordered simulation of `B` independent replicas of a scenario.

Packets are handled in order of time, so everything that happens is an event: a packet's start, its end. State lives in
arrays (`kernel.state`), formulas are computed outside and handed in as tables (`kernel.tables`), the inner loop is one
compiled function (`kernel.run`). Random numbers are pure functions of seed, stream, node and packet, so the results
depend neither on `B`, nor on how a run is cut into calls, nor on threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import heap, run
from lora_marl.core.kernel import tables as kernel_tables
from lora_marl.core.kernel.random import stream_key
from lora_marl.core.kernel.state import AIRTIME_S, DECISION, DELIVERED_BITS, DROPPED, ENERGY_MJ, allocate
from lora_marl.core.outcome import Decisions, Outcome, Packets, Receptions
from lora_marl.core.reception import FATES, Fate
from lora_marl.core.scenario import Scenario

FIRST_RECORDS = 1024


class Air:
    """Replicas of one scenario, each with a seed of its own.

    Args:
        scenario: The network; its positions may differ per replica.
        seeds: One per replica. `[B]`
        record: Keep every packet and what each gateway heard of it (`recording`).
        count_arms: Count packets by the value of each factor (`Outcome.arm_sent`).
        threads: Threads that share the replicas; the results are the same for any number.

    Attributes:
        scenario: The scenario as changed so far.
        now_s: Each replica's clock. `[B]` s
    """

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        record: bool = False,
        count_arms: bool = False,
        threads: int = 1,
    ) -> None:
        if len(seeds) == 0:
            raise ValueError("seeds: is empty; give one seed per replica")
        scenario.check_replicas(len(seeds))
        self.scenario = self._first_scenario = scenario
        self.seeds = tuple(int(seed) for seed in seeds)
        self._record, self._count_arms = record, count_arms
        self._threads = 1 if record else min(threads, len(seeds))
        sizes = (len(seeds), scenario.nodes, scenario.gateways)
        self._state = allocate(
            sizes,
            channels=len(scenario.region.channels_hz),
            sf_energies=len(scenario.region.spreading_factors) if scenario.reception.inter_sf == "sir_energy" else 0,
            arms=sum(scenario.region.factor_sizes) if count_arms else 0,
            packets=FIRST_RECORDS if record else 0,
        )
        for stream in ("traffic", "shadowing", "fading", "noise"):
            self._state.replicas[f"{stream}_key"] = [stream_key(seed, stream) for seed in self.seeds]
        self._decisions = np.zeros(len(seeds) * scenario.nodes, DECISION)
        self._taken_s = np.zeros(len(seeds))
        self._changes_made = 0
        self._tables = self._make_tables()
        self._schedule_first(np.ones((len(seeds), scenario.nodes), np.bool_), 0.0)

    @property
    def replicas(self) -> int:
        """`B`"""
        return len(self.seeds)

    @property
    def nodes(self) -> int:
        """`N`"""
        return self.scenario.nodes

    @property
    def now_s(self) -> NDArray[np.float64]:
        """Each replica's clock. `[B]` s"""
        return self._state.replicas["now_s"].copy()

    @property
    def last_fate(self) -> NDArray[np.int8]:
        """Fate of each node's last packet that ended; `Fate.NONE` before the first. `[B, N]`"""
        return self._state.nodes["last_fate"].copy()

    @property
    def last_rssi_dbm(self) -> NDArray[np.float64]:
        """Received power of that packet at its best gateway. `[B, N]` dBm"""
        return self._state.nodes["last_rssi_dbm"].copy()

    @property
    def last_point(self) -> NDArray[np.int16]:
        """Operating point of that packet. `[B, N, 4]`"""
        return self._state.nodes["last_point"].copy()

    def advance(self, points: NDArray[np.int16], until_s: float) -> Outcome:
        """Play all replicas to a time; every packet is sent with its node's point at its start.

        Args:
            points: Operating points. `[B, N, 4]` int16
            until_s: Where the clocks stop; an event at exactly this time belongs to the next call. s

        Returns:
            What came of the stretch since outcomes were last taken.

        Raises:
            ValueError: a clock beyond `until_s`, or a point outside the region.
        """
        self._check_points(points)
        if until_s < self._state.replicas["now_s"].max():
            raise ValueError(f"until_s: {until_s} lies before the clock at {self._state.replicas['now_s'].max()}")
        for stop_s in self._stops_s(until_s):
            self._play(points, stop_s, deciding=False)
        return self.take_outcome()

    def next_decisions(self, points: NDArray[np.int16], until_s: float) -> Decisions:
        """Play each replica to the earliest packet of a node whose last fate has not been answered.

        All decisions that are due in the replicas that stopped come back; the caller writes the new points of those
        nodes into `points` before the next call. Empty: all replicas have reached `until_s`. The rows are a view that
        the next call overwrites.
        """
        for stop_s in self._stops_s(until_s):
            made = self._play(points, stop_s, deciding=True)
            if made:
                return Decisions(self._decisions[:made])
        return Decisions(self._decisions[:0])

    def take_outcome(self) -> Outcome:
        """What came of the time since outcomes were last taken."""
        state = self._state
        counts = {fate.name.lower(): state.counts[..., fate].copy() for fate in FATES}
        outcome = Outcome(
            duration_s=state.replicas["now_s"] - self._taken_s,
            dropped=state.counts[..., DROPPED].copy(),
            airtime_s=state.sums[..., AIRTIME_S].copy(),
            energy_mj=state.sums[..., ENERGY_MJ].copy(),
            delivered_bits=state.sums[..., DELIVERED_BITS].copy(),
            arm_sent=state.arms[..., 0].copy(),
            arm_delivered=state.arms[..., 1].copy(),
            **counts,
        )
        for tally in (state.counts, state.sums, state.arms):
            tally.fill(0)
        self._taken_s = state.replicas["now_s"].copy()
        return outcome

    def begin_episode(self) -> None:
        """Clear the air and set the clocks to 0: packets on the air vanish unjudged, and all gaps are drawn afresh.

        Random numbers go on; a node that lost its packet so decides again, with fate NONE.
        """
        if self._changes_made:
            self.scenario, self._changes_made = self._first_scenario, 0
            self._tables = self._make_tables()
        state = self._state
        cut = state.nodes["on_air"] & ~state.nodes["undecided"]
        state.nodes["packet"] += state.nodes["on_air"]
        state.nodes["on_air"] = False
        state.newest.fill(-1)
        state.gates.fill(0)
        state.replicas["on_air"] = 0
        state.replicas["now_s"] = 0.0
        self._taken_s = np.zeros(self.replicas)
        for b, n in zip(*np.nonzero(cut), strict=True):
            state.due[b, state.replicas["due"][b]] = n
            state.replicas["due"][b] += 1
        state.nodes["undecided"][cut] = True
        state.nodes["last_fate"][cut] = Fate.NONE
        self._schedule_first(np.ones(cut.shape, np.bool_), 0.0)

    def recording(self, replica: int = 0) -> tuple[Packets, Receptions]:
        """The recorded packets of a replica and what the gateways heard of them."""
        if not self._record:
            raise ValueError("record: is False; only an air made with record=True keeps its packets")
        packets = self._state.packets[replica, : self._state.replicas["recorded"][replica]]
        receptions = self._state.receptions[replica, : len(packets)]
        return (
            Packets(**{name: packets[name].copy() for name in Packets.__dataclass_fields__}),
            Receptions(**{name: receptions[name].copy() for name in Receptions.__dataclass_fields__}),
        )

    def state_dict(self) -> dict[str, NDArray]:
        """Everything that a resumed run needs, as plain byte-exact arrays."""
        arrays = {name: array.view(np.uint8) if array.dtype.names else array for name, array in self._named_arrays()}
        return {name: array.copy() for name, array in arrays.items()} | {
            "taken_s": self._taken_s.copy(),
            "changes_made": np.array(self._changes_made),
            "seeds": np.array(self.seeds),
        }

    def load_state_dict(self, saved: dict[str, NDArray]) -> None:
        """Go on from `state_dict`.

        Raises:
            ValueError: another number of nodes, replicas or gateways, other seeds, or a missing array.
        """
        missing = [name for name, _ in self._named_arrays() if name not in saved]
        if missing or "seeds" not in saved:
            raise ValueError(f"air state: {missing or ['seeds']} missing; the snapshot is incomplete")
        if tuple(saved["seeds"].tolist()) != self.seeds:
            raise ValueError(f"air state: seeds are {saved['seeds'].tolist()}; this air's are {list(self.seeds)}")
        while self._changes_made < int(saved["changes_made"]):
            self._make_change()
        for name, array in self._named_arrays():
            self._load_array(name, array, np.ascontiguousarray(saved[name]))
        self._taken_s = saved["taken_s"].copy()

    def _load_array(self, name: str, array: NDArray, saved: NDArray) -> None:
        if array.dtype.names:
            saved = saved.view(array.dtype)
        if name in ("packets", "receptions"):
            self._state = self._state._replace(**{name: saved.copy()})
        elif saved.shape != array.shape:
            raise ValueError(f"air state: {name} has shape {saved.shape}; this air's is {array.shape}")
        else:
            array[...] = saved

    def _named_arrays(self) -> list[tuple[str, NDArray]]:
        return list(self._state._asdict().items())

    def _make_tables(self) -> kernel_tables.Tables:
        keys = self._state.replicas["shadowing_key"]
        return kernel_tables.make(self.scenario, keys, record=self._record, count_arms=self._count_arms)

    def _schedule_first(self, which: NDArray[np.bool_], now_s: float) -> None:
        """Draw a first packet for the nodes `which [B, N]` and put all nodes in order of time."""
        starts_s = run.first_starts_s(self._state, self._tables, now_s, which)
        heap.fill(self._state.events, np.where(which, starts_s, heap.times_by_source(self._state.events)))

    def _check_points(self, points: NDArray[np.int16]) -> None:
        shape = (self.replicas, self.nodes, 4)
        if points.dtype != np.int16 or points.shape != shape:
            raise ValueError(f"points: {points.dtype} {points.shape}; the air takes int16 {shape}")
        for f, size in enumerate(self.scenario.region.factor_sizes):
            if points[..., f].min() < 0 or points[..., f].max() >= size:
                raise ValueError(f"points[..., {f}]: outside 0 to {size - 1}, the indices of the region's values")

    def _stops_s(self, until_s: float) -> Iterator[float]:
        """Where to stop on the way: at every change of the scenario, made when reached, and at `until_s`."""
        changes = self.scenario.changes
        while self._changes_made < len(changes) and changes[self._changes_made].at_s < until_s:
            yield changes[self._changes_made].at_s
            if self._state.replicas["now_s"].min() < changes[self._changes_made].at_s:
                return
            self._make_change()
        yield until_s

    def _make_change(self) -> None:
        """Give the scenario its next values; waiting times stretch with the mean interval."""
        change = self.scenario.changes[self._changes_made]
        before = self._tables.interval_s
        self.scenario = self.scenario.with_values(change.values)
        self._changes_made += 1
        self._tables = self._make_tables()
        shape = self._state.events.shape
        old_s, new_s = np.broadcast_to(before, shape), np.broadcast_to(self._tables.interval_s, shape)
        if np.array_equal(old_s, new_s):
            return
        waiting = ~self._state.nodes["on_air"]
        times_s = heap.times_by_source(self._state.events)
        stretch = np.isfinite(old_s) & waiting & (old_s != new_s)
        times_s[stretch] = change.at_s + (times_s[stretch] - change.at_s) * (new_s[stretch] / old_s[stretch])
        heap.fill(self._state.events, times_s)
        joining = ~np.isfinite(old_s) & np.isfinite(new_s) & waiting
        if joining.any():
            self._schedule_first(joining, change.at_s)

    def _play(self, points: NDArray[np.int16], until_s: float, deciding: bool) -> int:
        """Play all replicas, threads sharing them; returns the number of decisions written."""
        if self._threads == 1:
            return self._play_slice(0, self.replicas, points, until_s, deciding)
        edges = np.linspace(0, self.replicas, self._threads + 1).astype(int)
        parts = list(zip(edges[:-1], edges[1:], strict=True))
        with ThreadPoolExecutor(self._threads) as pool:
            made = list(pool.map(lambda part: self._play_slice(*part, points, until_s, deciding), parts))
        return self._join_parts(parts, made)

    def _join_parts(self, parts: list[tuple[int, int]], made: list[int]) -> int:
        """Close the gaps between the threads' decisions and give them their replicas' numbers."""
        total = 0
        for (first, _), count in zip(parts, made, strict=True):
            rows = self._decisions[first * self.nodes : first * self.nodes + count].copy()
            rows["replica"] += first
            self._decisions[total : total + count] = rows
            total += count
        return total

    def _play_slice(self, first: int, last: int, points: NDArray[np.int16], until_s: float, deciding: bool) -> int:
        whole = last - first == self.replicas
        decisions = self._decisions if whole else self._decisions[first * self.nodes : last * self.nodes]
        made, done = 0, 0
        while True:
            state = self._state if whole else self._state.replica_slice(first, last)
            part = points if whole else points[first:last]
            made, done = run.play(state, self._tables, part, until_s, deciding, decisions, done, made)
            if done == last - first:
                return made
            self._grow_record()

    def _grow_record(self) -> None:
        """Double the room for recorded packets."""
        state = self._state
        packets = np.concatenate([state.packets, np.zeros_like(state.packets)], axis=1)
        receptions = np.concatenate([state.receptions, np.zeros_like(state.receptions)], axis=1)
        self._state = state._replace(packets=packets, receptions=receptions)
