"""Arrays of the air's state against each other: what compiled code takes for granted beyond the range of each number.

A heap that is none gives events out of order, a list with a ring in it never ends, a time far ahead makes a node
generate packets for ever. Everything is compared for all replicas at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import queue
from lora_marl.core.kernel.state import RECEIVING, RX1, SENDING, WAITING, State, on_air
from lora_marl.core.kernel.tables import Tables


def check_consistency(state: State, tables: Tables, waits_s: NDArray[np.float64]) -> None:
    """Raise ValueError for arrays that contradict each other.

    Args:
        state: Every number of it is within its range (`check_fields`).
        tables: Of the scenario at the state's time.
        waits_s: How far from the clock the times of a node may lie. `[b, N]` s
    """
    waits_s = np.broadcast_to(waits_s, state.nodes.shape)
    _check_events(state)
    _check_times(state, tables, waits_s)
    _check_trace(state, tables, waits_s)
    _check_lists(state)
    _check_counts(state)
    _check_due(state)
    _check_downlinks(state, tables)
    _check_queues(state, tables, waits_s)
    _check_bursts(state, tables)
    _check_slow(state, tables)
    rows = np.arange(state.heard.shape[1]) < state.replicas["heard"][:, None]
    _demand(state.heard["replica"] == np.arange(len(state.heard))[:, None], "heard.replica is another one", rows)


def _demand(holds: NDArray[np.bool_], message: str, among: NDArray[np.bool_] | bool = True) -> None:
    """Raise ValueError with the first place, among some, where something does not hold."""
    wrong = among & ~holds
    if wrong.any():
        place = [int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape)]
        raise ValueError(f"air state: {message} (first at {place}); the snapshot is damaged")


def _check_events(state: State) -> None:
    """Every source has one event, the right one, and the events are a heap of times to come."""
    events, size = state.events, state.events.shape[1]
    time_s, source = events["time_s"], events["source"]
    index = np.where(source < 0, ~source, source)
    _demand(np.sort(index, axis=1) == np.arange(size), "events.source does not name every source once")
    ends = np.empty(events.shape, np.bool_)
    np.put_along_axis(ends, index, source < 0, axis=1)
    _demand(ends == on_air(state), "events.source contradicts which packets are on the air")
    parent, child = (np.arange(1, size) - 1) // 2, np.arange(1, size)
    in_order = time_s[:, parent] < time_s[:, child]
    in_order |= (time_s[:, parent] == time_s[:, child]) & (source[:, parent] < source[:, child])
    _demand(in_order, "events is no heap")
    _demand(time_s[:, :1] >= state.replicas["now_s"][:, None], "events begin before the clock")


def _check_times(state: State, tables: Tables, waits_s: NDArray[np.float64]) -> None:
    """Times of nodes lie near the clock, and those of their events where the node's state says."""
    nodes, now_s = state.nodes, state.replicas["now_s"][:, None]
    _demand(now_s >= 0.0, "replicas.now_s is negative")
    _demand(state.replicas["taken_s"] <= state.replicas["now_s"], "replicas.taken_s lies after the clock")
    event_s = queue.times_by_source(state.events)[:, : nodes.shape[1]]
    waiting, sending = nodes["phase"] == WAITING, nodes["phase"] == SENDING
    due = np.isfinite(event_s)
    _demand(due, "events.time_s of a busy node is infinite", ~waiting)
    _demand(event_s - now_s <= waits_s, "events.time_s lies too far ahead", due)
    _demand(event_s == nodes["end_s"], "events.time_s is not the packet's end", sending)
    for name in ("start_s", "critical_s", "end_s"):
        _demand(np.abs(nodes[name] - now_s) <= waits_s, f"nodes.{name} lies too far from the clock", ~waiting)
    _demand(nodes["start_s"] <= nodes["end_s"], "nodes.end_s lies before nodes.start_s", sending)
    _demand(nodes["free_s"] - now_s <= waits_s, "nodes.free_s lies too far ahead")
    _demand(state.sub_band_free_s - now_s[..., None] <= waits_s[..., None], "sub_band_free_s lies too far ahead")
    sends = np.broadcast_to(np.isfinite(tables.interval_s), nodes.shape) & due
    _demand(nodes["generated_s"] - now_s <= waits_s, "nodes.generated_s lies too far ahead", sends)
    if not tables.rule["queued"][0]:
        _demand(now_s - nodes["generated_s"] <= waits_s, "nodes.generated_s lies too far behind the clock", sends)


def _check_trace(state: State, tables: Tables, waits_s: NDArray[np.float64]) -> None:
    """The packet that a node of a trace sends next is in the trace, at about the time that the state says."""
    if not tables.rule["trace"][0]:
        return
    nodes, parts = state.nodes, tables.trace_nodes
    due = np.isfinite(queue.times_by_source(state.events)[:, : nodes.shape[1]])
    _demand(np.broadcast_to(parts["rows"] > 0, due.shape), "events.time_s of a node without rows in the trace", due)
    _demand(nodes["generated"] >= 1, "nodes.generated is no packet of the trace", due)
    rows = np.maximum(parts["rows"], 1)
    turn, row = np.divmod(np.maximum(nodes["generated"], 1) - 1, rows)
    row = np.where(parts["rows"] > 0, parts["first"] + row, 0)
    expected_s = tables.trace["time_s"][row] + float(tables.rule["trace_repeat_s"][0]) * turn
    near = np.abs(expected_s - nodes["generated_s"]) <= waits_s
    _demand(near, "nodes.generated_s is not when the trace has the packet", due & np.isfinite(nodes["generated_s"]))


def _check_lists(state: State) -> None:
    """Packets on the air of a channel are one list from `newest` on, linked both ways, without a ring."""
    nodes, newest = state.nodes, state.newest
    sending = nodes["phase"] == SENDING
    replica, node = np.nonzero(sending)
    older, newer, channel = (nodes[name][replica, node] for name in ("older", "newer", "point"))
    channel = channel[:, 2]
    for name, other, back in (("older", older, "newer"), ("newer", newer, "older")):
        linked = other >= 0
        r, o = replica[linked], other[linked]
        same = sending[r, o] & (nodes[back][r, o] == node[linked]) & (nodes["point"][r, o, 2] == channel[linked])
        _demand(same, f"nodes.{name} is no neighbour on the air of the same channel")
    first = newer < 0
    _demand(newest[replica[first], channel[first]] == node[first], "newest is not the newest packet on the air")
    _demand((newest >= 0).sum(1) == np.bincount(replica[first], minlength=len(newest)), "newest is on no air")
    place = np.full(sending.shape, -1)
    place[replica, node] = np.arange(len(node))
    ahead = np.where(older >= 0, place[replica, older], -1)
    for _ in range(len(node).bit_length()):  # each round doubles the steps
        ahead = np.where(ahead >= 0, ahead[ahead], -1)
    _demand(ahead < 0, "nodes.older is a ring")


def _check_counts(state: State) -> None:
    """Counts that are sums of others."""
    sending = state.nodes["phase"] == SENDING
    _demand(state.replicas["on_air"] == sending.sum(1), "replicas.on_air is not the number of packets on the air")
    locked = (state.links["locked"] & sending[..., None]).sum(1)
    _demand(state.gateways["locked"] == locked, "gateways.locked is not the number of packets that are received")


def _check_due(state: State) -> None:
    """The decisions that are due are those of the nodes that are undecided, each once."""
    count, undecided = state.replicas["due"], state.nodes["undecided"]
    _demand(undecided.sum(1) == count, "replicas.due is not the number of nodes that are undecided")
    listed = np.arange(state.due.shape[1]) < count[:, None]
    _demand(np.take_along_axis(undecided, state.due, axis=1), "due names a node that is decided", listed)
    nodes = state.due.shape[1]
    ordered = np.sort(np.where(listed, state.due, nodes + np.arange(nodes)), axis=1)
    _demand(ordered[:, 1:] > ordered[:, :-1], "due names a node twice")


def _check_downlinks(state: State, tables: Tables) -> None:
    """Nodes that wait for a downlink, or receive one, were received by a gateway, which sends to them."""
    phase, gateway = state.nodes["phase"], state.nodes["gateway"]
    if not tables.rule["downlinks"][0]:
        _demand(phase <= SENDING, "nodes.phase waits for a downlink; this network sends none")
        return
    _demand(gateway >= 0, "nodes.gateway is none while the node waits for a downlink", phase >= RX1)
    replica, node = np.nonzero(phase == RECEIVING)
    down = state.downlinks[replica, gateway[replica, node]]
    _demand(down["node"] == node, "downlinks.node is not the node that receives")
    event_s = queue.times_by_source(state.events)[replica, node]
    _demand(event_s == down["end_s"], "events.time_s is not the downlink's end")


def _check_queues(state: State, tables: Tables, waits_s: NDArray[np.float64]) -> None:
    """A node of confirmed traffic that is busy has a frame, and the next frame is due near the clock."""
    if not state.queues.size:
        return
    queues, nodes, now_s = state.queues, state.nodes, state.replicas["now_s"][:, None]
    event_s = queue.times_by_source(state.events)[:, : nodes.shape[1]]
    waiting, has_frame = nodes["phase"] == WAITING, queues["size"] > 0
    started = (queues["attempts"] > 0) | queues["received"]
    _demand(has_frame, "queues.size is 0 while a frame is being sent", started)
    _demand(has_frame | (queues["next_s"] <= nodes["start_s"]), "queues.size is 0 while the node sends", ~waiting)
    to_send = waiting & np.isfinite(event_s)
    _demand(has_frame | (queues["next_s"] <= event_s), "queues.next_s lies after the node's next packet", to_send)
    due = np.isfinite(queues["next_s"])
    _demand(np.abs(queues["next_s"] - now_s) <= waits_s, "queues.next_s lies too far from the clock", due)


def _check_bursts(state: State, tables: Tables) -> None:
    """A burst on the air ends where its event is, soon."""
    bursts, now_s = state.bursts, state.replicas["now_s"][:, None]
    event_s = queue.times_by_source(state.events)[:, state.nodes.shape[1] :]
    on = bursts["on"]
    _demand(event_s == bursts["end_s"], "events.time_s is not the burst's end", on)
    longest_s = 2.0 * float(tables.rule["most_burst_s"][0])
    for name in ("start_s", "end_s"):
        _demand(np.abs(bursts[name] - now_s) <= longest_s, f"bursts.{name} lies too far from the clock", on)


def _check_slow(state: State, tables: Tables) -> None:
    """No slow term has been drawn beyond the clock."""
    if not state.slow.size:
        return
    fields = ("slow_step_s", "channel_step_s", "group_slow_step_s", "group_channel_step_s")
    steps_s = np.concatenate([tables.traits[name].ravel() for name in fields])
    shortest_s = steps_s[steps_s > 0.0].min(initial=np.inf)
    most = (state.slow_from_s[:, 0] + state.replicas["now_s"]) / shortest_s + 2.0
    _demand(state.slow["draws"] <= most[:, None, None, None], "slow.draws lies beyond the clock")
