"""The packet air: an exact, event-ordered simulation of `B` independent replicas of a scenario.

Packets are handled in order of time, so everything that happens is an event: a packet's start, its end. State lives in
arrays (`kernel.state`), formulas are computed outside and handed in as tables (`kernel.tables`), the inner loop is one
compiled function (`kernel.loop`). Random numbers are pure functions of seed, stream, node and packet, so the results
depend neither on `B`, nor on how a run is cut into calls, nor on threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.downlink import Feedback
from lora_marl.core.kernel import loop, queue, state
from lora_marl.core.kernel import tables as kernel_tables
from lora_marl.core.kernel.counters import take_counters, take_heard
from lora_marl.core.kernel.culling import culls
from lora_marl.core.kernel.engine import Engine
from lora_marl.core.kernel.state import DECISION, STREAM_KEYS, allocate, grown, on_air
from lora_marl.core.kernel.traffic import rescale_waits
from lora_marl.core.link_adr import OwnSettings, with_settings
from lora_marl.core.mixture import Mixture
from lora_marl.core.outcome import Decisions, Heard, Outcome, Packets, Receptions
from lora_marl.core.random import stream_keys
from lora_marl.core.reception import Fate
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.snapshots import check_state

_FIRST_RECORDS = 1024
_STREAMS = {
    **{f"{name}_key": name for name in ("traffic", "shadowing", "fading", "noise", "downlink", "retry", "burst")},
    "distribution_key": "choice",
}
"""Streams of random numbers, by the field of a replica that holds the stream's key."""
_ALWAYS = Feedback()
_DUTY_CYCLE = "traffic.duty_cycle"


class Air:
    """Replicas of one scenario, each with a seed of its own.

    Args:
        scenario: The network; its positions may differ per replica.
        seeds: One per replica. `[B]`
        record: Keep every packet and what each gateway heard of it (`recording`); one thread runs all replicas.
        count_arms: Count packets by the value of each factor (`Outcome.arm_sent`).
        threads: Threads that share the replicas in `advance`; the results are the same for any number. `next_decisions`
            uses one: between two decisions lie a dozen packets, less work than waking a thread.
        feedback: Who decides, after how many packets; decisions after every packet by default.
        in_force: What nodes use until a command has arrived, where a server commands by downlinks; None: the points of
            each node's first packet. `[B, N, 4]` int16

    Attributes:
        scenario: The scenario as changed so far; once it has changed, without the schedule.
        feedback: Who decides, after how many packets.

    Raises:
        ValueError: no seeds, a negative one, or fields of the scenario for another number of replicas.
    """

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        record: bool = False,
        count_arms: bool = False,
        threads: int = 1,
        feedback: Feedback = _ALWAYS,
        in_force: NDArray[np.int16] | None = None,
    ) -> None:
        self.seeds = _checked_seeds(seeds)
        if threads < 1:
            raise ValueError(f"threads: {threads} is not at least 1")
        scenario.check_replicas(self.replicas)
        self.scenario = self._first_scenario = scenario
        self._record, self._count_arms, self.feedback = record, count_arms, feedback
        self._threads = 1 if record or feedback.listens else min(threads, self.replicas)
        self._state = allocate(
            (self.replicas, scenario.nodes, scenario.gateways),
            channels=len(scenario.region.channels_hz),
            bursts=scenario.interference is not None,
            sf_energies=_sf_energies(scenario),
            arms=sum(scenario.region.factor_sizes) if count_arms else 0,
            packets=_FIRST_RECORDS if record else 0,
            heard=_FIRST_RECORDS if feedback.listens else 0,
            slow=0 if scenario.links is None else scenario.gateways + len(scenario.links.groups),
            frames=scenario.traffic.queue_frames if scenario.traffic.confirmed else 0,
            sub_bands=max(scenario.region.sub_bands) if _keeps_sub_bands(scenario) else 0,
            counters=scenario.traffic.trace is not None and scenario.traffic.trace.counter is not None,
            culled=culls(scenario, record),
        )
        added_streams = STREAM_KEYS.names or ()
        keys = iter(stream_keys(self.seeds, (*_STREAMS.values(), *added_streams)))
        for field in _STREAMS:
            self._state.replicas[field] = next(keys)
        for stream in added_streams:
            self._state.streams[stream] = next(keys)
        self._checked_points: NDArray[np.int16] | None = None
        self._checked_until_s = 0.0
        if in_force is not None:
            self._check_points(in_force)
            scenario.region.physical(in_force)
            self._state.nodes["in_force"] = in_force
        self._decisions = np.zeros(self.replicas * scenario.nodes, DECISION)
        self._changes_made = 0
        self._own_settings = OwnSettings(scenario, self.replicas)
        self._tables = self._first_tables = self._make_tables(scenario)
        self._engine = self._make_engine()
        self._schedule_first(np.ones(self._state.events.shape, np.bool_), 0.0)

    @property
    def replicas(self) -> int:
        """Number of replicas, `B`."""
        return len(self.seeds)

    @property
    def nodes(self) -> int:
        """Number of nodes, `N`."""
        return self.scenario.nodes

    @property
    def link_gain_db(self) -> NDArray[np.float64]:
        """Received minus transmitted power, with the shadowing that a link keeps, without the channel's loss.

        `[B, N, G]`, in dB.
        """
        gain_db = self._tables.gain_db
        return np.broadcast_to(gain_db, (self.replicas, *gain_db.shape[1:])).copy()

    @property
    def now_s(self) -> NDArray[np.float64]:
        """Each replica's clock `[B]`, in s."""
        return self._state.replicas["now_s"].copy()

    @property
    def last_fate(self) -> NDArray[np.int8]:
        """Fate of each node's last packet that ended; `Fate.NONE` before the first `[B, N]`."""
        return self._state.nodes["last_fate"].copy()

    @property
    def last_rssi_dbm(self) -> NDArray[np.float64]:
        """Received power of that packet at its best gateway `[B, N]`, in dBm; nan before the first."""
        return self._state.nodes["last_rssi_dbm"].copy()

    @property
    def last_point(self) -> NDArray[np.int16]:
        """Operating point of that packet, with the channel that it was sent on `[B, N, 4]`."""
        return self._state.nodes["last_point"].copy()

    def advance(
        self,
        points: NDArray[np.int16],
        until_s: float,
        mixture: Mixture | None = None,
        nb_trans: NDArray[np.int8] | None = None,
        channel_masks: NDArray[np.bool_] | None = None,
    ) -> Outcome:
        """Run all replicas to a time; every packet is sent with its node's point at its start.

        Args:
            points: Operating points, indices into the region's lists; a channel may be `HOP`. `[B, N, 4]` int16
            until_s: Where the clocks stop; an event at exactly this time belongs to the next call. s
            mixture: What every packet draws its point from; the point drawn is written into `points`.
            nb_trans: How often each unconfirmed frame is sent, 1 to 15, unless the node receives a downlink in between;
                None: as of `Traffic.nb_trans`. Transmissions are packets, each with its node's point at its start,
                `Traffic.retry_s` apart; where the server commands by downlinks, NbTrans is part of its commands.
                `[B, N]` int8
            channel_masks: Channels that nodes may use where their point says `HOP`, one at least; None: as of
                `Scenario.channel_mask`. Part of commands, as NbTrans is. `[B, N, C]` bool

        Returns:
            The outcome of the time since outcomes were last taken.

        Raises:
            ValueError: an endless `until_s` or one before a clock, points, `nb_trans` or masks of another type or shape
                or outside their range, `nb_trans` of traffic that says itself what is repeated, or a mixture for
                another network or beside commands.
        """
        self._check_points(points)
        self._set_settings(nb_trans, channel_masks)
        if mixture is not None:
            self._check_mixture(mixture)
        self._check_time(until_s)
        if until_s == np.inf:
            raise ValueError("until_s: inf has no end; advance needs a time, next_decisions does not")
        for stop_s in self._stops_s(until_s):
            self._run(points, stop_s, mixture, deciding=False)
        return self.take_outcome()

    def next_decisions(
        self,
        points: NDArray[np.int16],
        until_s: float,
        nb_trans: NDArray[np.int8] | None = None,
        channel_masks: NDArray[np.bool_] | None = None,
    ) -> Decisions:
        """Run each replica to the earliest packet of a node on which a decision is due.

        All decisions that are due in the replicas that stopped come back; the caller writes the new points of those
        nodes into `points`, and into `nb_trans` and `channel_masks` (see `advance`) if there are any, before the next
        call. Empty: all replicas have reached `until_s`. The rows are a view that the next call overwrites.

        Raises:
            ValueError: a clock beyond `until_s`, points, `nb_trans` or masks of another type or shape or outside their
                range, or `nb_trans` of traffic that says itself what is repeated.
        """
        self._check_points(points)
        self._set_settings(nb_trans, channel_masks)
        self._check_time(until_s)
        if self._changes_made == len(self._first_scenario.changes):
            return Decisions(self._decisions[: self._run(points, until_s, None, deciding=True)])
        for stop_s in self._stops_s(until_s):
            count = self._run(points, stop_s, None, deciding=True)
            if count:
                return Decisions(self._decisions[:count])
        return Decisions(self._decisions[:0])

    def take_outcome(self) -> Outcome:
        """The outcome of the time since outcomes were last taken."""
        if self.scenario.traffic.confirmed:
            self._engine.admit_all_frames()
        ahead = self._engine.drops_ahead()
        self._state.counts[..., state.DROPPED] -= ahead
        outcome = Outcome(**take_counters(self._state, float(self._tables.rule["sleep_mw"][0])))
        self._state.counts[..., state.DROPPED] = ahead
        return outcome

    def take_heard(self) -> Heard:
        """The uplinks that the network received since they were last taken, if the feedback `listens`."""
        return Heard(*take_heard(self._state))

    def begin_episode(self) -> None:
        """Clear the air and set the clocks to 0: packets on the air vanish unjudged, and all gaps are drawn afresh.

        Random numbers go on, the schedule of changes and the record of packets begin anew, and a node that lost its
        packet so decides again, with fate NONE. What was counted and not taken is part of the next outcome.
        """
        self._state.counts[..., state.DROPPED] -= self._engine.drops_ahead()
        if self._changes_made:
            self.scenario, self._changes_made = self._first_scenario, 0
            self._own_settings.take_over(self.scenario)
            self._tables = self._first_tables
            self._engine = self._make_engine()
        self._engine.clear(int(Fate.NONE))
        self._checked_until_s = 0.0
        self._schedule_first(np.ones(self._state.events.shape, np.bool_), 0.0)

    def recording(self, replica: int = 0) -> tuple[Packets, Receptions]:
        """The recorded packets of a replica and what the gateways received of them.

        Raises:
            ValueError: the air was made without `record=True`.
        """
        if not self._record:
            raise ValueError("record: is False; only an air made with record=True keeps its packets")
        packets = self._state.packets[replica, : self._state.replicas["recorded"][replica]]
        receptions = self._state.receptions[replica, : len(packets)]
        return (
            Packets(**{name: packets[name].copy() for name in Packets.__dataclass_fields__}),
            Receptions(**{name: receptions[name].copy() for name in Receptions.__dataclass_fields__}),
        )

    def state_dict(self) -> dict[str, NDArray]:
        """Everything that a resumed run needs, as plain arrays."""
        self._engine.know_powers()
        return (
            state.pack(self._state._replace(events=queue.in_order(self._state.queue)))
            | self._own_settings.pack()
            | {
                "changes_made": np.array(self._changes_made),
                "seeds": np.array(self.seeds),
                "network": np.array(self._network),
            }
        )

    def load_state_dict(self, saved: Mapping[str, NDArray]) -> None:
        """Go on from `state_dict`, bit for bit.

        Raises:
            ValueError: a missing array, other seeds, another network, or a state that no air of it can be in
                (`lora_marl.core.snapshots`); the air is as it was.
        """
        for name in ("seeds", "changes_made", "network"):
            if name not in saved:
                raise ValueError(f"air state: {name} is missing; the snapshot is incomplete")
        if saved["seeds"].tolist() != list(self.seeds):
            raise ValueError(f"air state: seeds are {saved['seeds'].tolist()}; this air's are {list(self.seeds)}")
        if saved["network"].tolist() != self._network:
            raise ValueError("air state: it is of another network or rule; positions, radio or traffic differ")
        restored = state.unpack(self._state, saved)
        changes_made = self._checked_changes(saved["changes_made"], restored.replicas["now_s"])
        scenarios = [self._first_scenario]
        for change in self._first_scenario.changes[:changes_made]:
            scenarios.append(_changed(scenarios[-1], change))
        tables = self._make_tables(scenarios[-1]) if changes_made else self._first_tables
        check_state(restored, self._state, tables, scenarios)
        self._own_settings.unpack(saved)
        self._state, self.scenario, self._changes_made = restored, scenarios[-1], changes_made
        self._tables = tables
        queue.fill(self._state.queue, queue.times_by_source(self._state.events), on_air(self._state))
        self._checked_until_s = np.inf
        self._engine = self._make_engine()
        self._engine.list_listeners()

    @property
    def _network(self) -> int:
        """The number by which a snapshot knows the network."""
        return self._own_settings.digest(self._first_tables.digest())

    def _checked_changes(self, saved: NDArray, now_s: NDArray[np.float64]) -> int:
        """How many changes a state has seen, all of them before its clocks `[B]`, and no other."""
        at_s = [change.at_s for change in self._first_scenario.changes]
        count = saved.tolist()
        if not isinstance(count, int) or not 0 <= count <= len(at_s):
            raise ValueError(f"air state: changes_made is {count}; allowed are 0 to {len(at_s)}")
        if (count and at_s[count - 1] > now_s.min()) or (count < len(at_s) and at_s[count] < now_s.min()):
            raise ValueError(f"air state: changes_made is {count}; the clock at {now_s.min():g} s has seen others")
        return count

    def _make_tables(self, scenario: Scenario) -> kernel_tables.Tables:
        keys = self._state.replicas["shadowing_key"]
        return kernel_tables.make_tables(
            scenario, keys, record=self._record, count_arms=self._count_arms, feedback=self.feedback
        )

    def _make_engine(self) -> Engine:
        return Engine(self._state, self._tables, self._decisions, self._threads)

    def _schedule_first(self, which: NDArray[np.bool_], now_s: float) -> None:
        """Draw a first packet or burst for the sources `which [B, N + C]`, and put all sources in order of time."""
        starts_s = self._engine.first_starts_s(which, now_s)
        times_s = np.where(which, starts_s, self._state.events["time_s"])
        queue.fill(self._state.queue, times_s, on_air(self._state))

    def _check_points(self, points: NDArray[np.int16]) -> None:
        if points is self._checked_points:  # most callers bring the same array again, a dozen packets later
            return
        shape = (self.replicas, self.nodes, 4)
        if points.dtype != np.int16 or points.shape != shape:
            raise ValueError(f"points: {points.dtype} {points.shape}; the air takes int16 {shape}")
        self._checked_points = points if points.flags.c_contiguous else None

    def _set_settings(self, nb_trans: NDArray[np.int8] | None, channel_masks: NDArray[np.bool_] | None) -> None:
        """Let the loop see the caller's arrays, or the scenario's; frames are counted from the first NbTrans on."""
        own = self._own_settings
        wanted = (
            own.nb_trans if nb_trans is None else nb_trans,
            own.channel_masks if channel_masks is None else channel_masks,
        )
        new_state = with_settings(self._state, self.scenario, *wanted)
        if new_state is not self._state:
            self._state = new_state
            self._engine = self._make_engine()

    def _check_mixture(self, mixture: Mixture) -> None:
        if mixture.cumulative.shape[:2] != (self.replicas, self.nodes):
            shape = (self.replicas, self.nodes)
            raise ValueError(f"mixture.cumulative: of {mixture.cumulative.shape[:2]} replicas and nodes; not {shape}")
        if self.scenario.feedback == "downlink" and self.feedback.decides == "server":
            raise ValueError(
                "mixture: nodes that a server commands by downlinks do not draw; feedback.decides is server"
            )

    def _check_time(self, until_s: float) -> None:
        if until_s >= self._checked_until_s:  # no clock has gone further than it was asked to
            self._checked_until_s = float(until_s)
            return
        now_s = self._state.replicas["now_s"].max()
        if not until_s >= now_s:
            raise ValueError(f"until_s: {until_s} lies before the clock at {now_s}")
        self._checked_until_s = float(until_s)

    def _stops_s(self, until_s: float) -> Iterator[float]:
        """Where to stop: at every change, which is applied once all replicas have reached it, and at the end."""
        changes = self._first_scenario.changes
        while self._changes_made < len(changes) and changes[self._changes_made].at_s < until_s:
            at_s = changes[self._changes_made].at_s
            yield at_s
            if self._state.replicas["now_s"].min() < at_s:
                return
            self._make_change()
        yield until_s

    def _make_change(self) -> None:
        """Apply the next change; waiting times change in proportion to the mean interval, silent channels wake."""
        change = self._first_scenario.changes[self._changes_made]
        if self.scenario.traffic.confirmed:
            self._engine.admit_all_frames()
        self._engine.know_powers()
        before = self._tables
        self.scenario = _changed(self.scenario, change)
        self._changes_made += 1
        if not {"traffic.nb_trans", "channel_mask"}.isdisjoint(change.values):
            self._own_settings.take_over(self.scenario)
        retiming = kernel_tables.RETIMING.issuperset(change.values)
        self._tables = kernel_tables.retimed(before, self.scenario) if retiming else self._make_tables(self.scenario)
        joining = np.zeros(self._state.events.shape, np.bool_)
        if not np.array_equal(before.interval_s, self._tables.interval_s):
            joining[:, : self.nodes] = self._rescale_waits(before, change.at_s)
        else:
            self._engine = self._make_engine()
        silent = np.isinf(self._state.events["time_s"][:, self.nodes :])
        joining[:, self.nodes :] = silent & np.isfinite(self._tables.mean_gap_s)
        if joining.any():
            self._schedule_first(joining, change.at_s)

    def _rescale_waits(self, before: kernel_tables.Tables, at_s: float) -> NDArray[np.bool_]:
        """Let waits follow the intervals, and drops that were counted ahead of them; returns which nodes join."""
        dropped = self._state.counts[..., state.DROPPED]
        ahead = self._engine.drops_ahead()
        joining = rescale_waits(self._state, before.interval_s, self._tables.interval_s, at_s)
        self._engine = self._make_engine()
        drops = ahead > 0
        if self.scenario.traffic.kind != "burst":  # gaps within a burst do not follow the interval
            drops |= self._state.nodes["free_s"] > at_s
        dropped += np.where(drops & ~joining, self._engine.drops_ahead(everywhere=True), 0) - ahead
        return joining

    def _run(self, points: NDArray[np.int16], until_s: float, mixture: Mixture | None, *, deciding: bool) -> int:
        """Run all replicas; returns the number of decisions written."""
        if points is not self._checked_points and not points.flags.c_contiguous:
            contiguous = np.ascontiguousarray(points)
            count = self._run(contiguous, until_s, mixture, deciding=deciding)
            points[...] = contiguous
            return count
        count, done = 0, 0
        while True:
            count, done, status = self._engine.run(points, until_s, mixture, deciding, done, count)
            if status == loop.DONE:
                return count
            self._state = grown(self._state)
            self._engine = self._make_engine()


def _changed(scenario: Scenario, change: Change) -> Scenario:
    """The scenario from the change on, without the schedule: every copy of it would be checked again."""
    return replace(scenario, changes=()).with_values(change.values)


def _sf_energies(scenario: Scenario) -> int:
    """Kinds of interferers whose energy is summed by kind: spreading factors, and bursts."""
    if scenario.reception.inter_sf != "sir_energy":
        return 0
    return len(scenario.region.spreading_factors) + (scenario.interference is not None)


def _keeps_sub_bands(scenario: Scenario) -> bool:
    """Whether nodes keep duty cycles by sub-band, from the beginning or after a change."""
    changed = (change.values[_DUTY_CYCLE] for change in scenario.changes if _DUTY_CYCLE in change.values)
    return any(
        replace(scenario, changes=()).with_values({_DUTY_CYCLE: duty_cycle}).duty_cycles_by_sub_band
        for duty_cycle in (scenario.traffic.duty_cycle, *changed)
    )


def _checked_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    if len(seeds) == 0 or any(seed != int(seed) or not 0 <= seed < 2**63 for seed in seeds):
        raise ValueError(f"seeds: {list(seeds)}; give whole numbers from 0 to 2^63 - 1, one per replica")
    return tuple(int(seed) for seed in seeds)
