"""What each field of the air's state may be, by array and field; a field without a declaration fails a test.

Indices and counts are checked against the sizes of this air's arrays and tables, keys against those of the same seeds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lora_marl.core.allowed import MOST_COUNT, Allowed, Count, Flag, Given, Index, Number, Point, check, time_s
from lora_marl.core.kernel.state import NOT_STORED, RECEIVING, STORED_NAMES, State, allocate
from lora_marl.core.kernel.tables import Tables
from lora_marl.core.outcome import BURST_KIND, REPEATED
from lora_marl.core.reception import FATES
from lora_marl.core.traffic import MOST_TRANSMISSIONS

MOST_IN_ROUND = 1_000_000
"""Packets of a node in one round of feedback: a decision hands them to its learner one by one."""

_COUNT, _FLAG, _ABOVE_0, _TIME_S = Count(), Flag(), Number(least=0.0), time_s()
_FATE = Count(len(FATES) - 1, least=-1)
_IN_ROUND = Count(MOST_IN_ROUND)
_RSSI_DBM = Number(infinite=True, nan=True)
_WINDOW_POINT = {"sf": Index("data rates of windows"), "bw": Index("bandwidths of windows")}

_LINK: Mapping[str, Allowed] = {
    "rssi_dbm": _RSSI_DBM,
    "power_mw": _ABOVE_0,
    "noise_like_mw": _ABOVE_0,
    "overlap_mw": _ABOVE_0,
    **dict.fromkeys(("locked", "deaf", "interfered", "collided", "received"), _FLAG),
}

FIELDS: Mapping[str, Allowed | Mapping[str, Allowed]] = {
    "nodes": {
        "packet": _COUNT,
        "generated": _COUNT,
        "generated_s": time_s(infinite=True),
        **dict.fromkeys(("start_s", "end_s", "critical_s", "free_s"), _TIME_S),
        "payload_bits": _ABOVE_0,
        "last_rssi_dbm": _RSSI_DBM,
        "record": Index("recorded packets"),
        "due_s": _TIME_S,
        "received_s": _TIME_S,
        **dict.fromkeys(("round_sent", "round_delivered", "due_sent", "due_delivered"), _IN_ROUND),
        "due_unanswered": _FLAG,
        "missed": Count(2**31 - 2, least=-1),
        "adr_ack_count": Count(2**31 - 2),
        "gateway": Index("gateways", none=True),
        "newer": Index("nodes", none=True),
        "older": Index("nodes", none=True),
        "point": Point(),
        "last_point": Point(),
        "in_force": Point(hop=True, unset=True),
        "command": Point(hop=True),
        "phase": Count(RECEIVING),
        **dict.fromkeys(("adr_ack_req", "undecided", "acknowledged", "lost"), _FLAG),
        "last_fate": _FATE,
    },
    "links": _LINK,
    "sub_band_free_s": _TIME_S,
    "queues": {
        "next_s": time_s(infinite=True),
        "delay_s": _ABOVE_0,
        "delivered": _COUNT,
        "lost": _COUNT,
        "size": Count("frames"),
        "first": Index("frames"),
        "attempts": Count("attempts"),
        "received": _FLAG,
    },
    "generated_s": _TIME_S,
    "frames": {
        "delivered": _COUNT,
        "lost": _COUNT,
        **dict.fromkeys(("sent", "in_force", "command"), Count(MOST_TRANSMISSIONS)),
        "received": _FLAG,
    },
    "masks_in_force": _FLAG,
    "counters": dict.fromkeys(("sent", "received"), Count(least=-1)),
    "gateways": {"locked": Count("nodes"), "on_air_dbm": Number(), "free_s": _TIME_S},
    "downlinks": {
        **dict.fromkeys(("start_s", "critical_s", "end_s"), _TIME_S),
        "record": Index("recorded packets"),
        "node": Index("nodes"),
        **_WINDOW_POINT,
        "channel": Index("channels of windows"),
    },
    "down_links": _LINK,
    "replicas": {
        **dict.fromkeys(
            (f"{name}_key" for name in (
                "traffic", "shadowing", "fading", "noise", "downlink", "retry", "burst", "distribution"
            )), Given(),
        ),
        "now_s": time_s(),
        "taken_s": time_s(),
        "on_air": Count("nodes"),
        "due": Count("nodes"),
        "recorded": Count("recorded packets"),
        "heard": Count("uplinks heard"),
    },
    "slow": {"value": Number(-40.0, 40.0), "draws": _COUNT},
    "slow_from_s": Number(0.0, time_s().most),
    "bursts": {
        **dict.fromkeys(("start_s", "end_s", "busy_s"), _TIME_S), "index": _COUNT, "on": _FLAG,
    },
    "burst_mw": _ABOVE_0,
    "events": {"time_s": time_s(infinite=True), "source": Given()},
    "newest": Index("nodes", none=True),
    "due": Index("nodes"),
    "sf_energy": _ABOVE_0,
    "counts": _COUNT,
    "sums": Number(),
    "arms": _COUNT,
    "gateway_airtime_s": _ABOVE_0,
    "foreign_busy_s": _ABOVE_0,
    "packets": {
        "source": Index("sources"),
        "gateway": Index("gateways", none=True),
        "kind": Count(BURST_KIND),
        "fate": _FATE,
        "index": Count(MOST_COUNT, least=-1),
        **dict.fromkeys(("start_s", "end_s", "critical_s"), _TIME_S),
        "point": Count(2**15 - 1),
    },
    "receptions": {"rssi_dbm": _RSSI_DBM, "overlap_mw": _ABOVE_0, "fate": _FATE},
    "heard": {
        "replica": Given(),
        "node": Index("nodes"),
        "gateway": Index("gateways"),
        "missed": Count(2**31 - 2, least=REPEATED),
        "time_s": _TIME_S,
        "since_s": time_s(nan=True),
        "rssi_dbm": _RSSI_DBM,
        "point": Point(),
    },
    "heard_nb_trans": Count(MOST_TRANSMISSIONS),
}  # fmt: skip
"""What the numbers of each stored array may be; of structured arrays by field."""


def _sizes(state: State, tables: Tables) -> dict[str, int]:
    """How many there are of what indices of the state point into, by the names that `FIELDS` uses."""
    _, factors, bandwidths = tables.airtime_s.shape
    nodes, channels = state.nodes.shape[1], state.newest.shape[1]
    return {
        "nodes": nodes,
        "gateways": state.links.shape[2],
        "channels": channels,
        "sources": max(nodes, channels),
        "spreading factors": factors,
        "bandwidths": bandwidths,
        "powers": len(tables.tp_dbm),
        "data rates of windows": tables.down_airtime_s.shape[0],
        "bandwidths of windows": tables.down_airtime_s.shape[1],
        "channels of windows": len(tables.sub_band),
        "frames": state.generated_s.shape[2],
        "attempts": int(tables.rule["max_attempts"][0]),
        "recorded packets": max(state.packets.shape[1], 1),
        "uplinks heard": state.heard.shape[1],
    }


def check_fields(state: State, fresh: State, tables: Tables) -> None:
    """Raise ValueError for a number of the state that is not allowed by its field; see `check_state`."""
    sizes = _sizes(state, tables)
    for array_name, declared in FIELDS.items():
        array, label = getattr(state, array_name), STORED_NAMES.get(array_name, array_name)
        if not isinstance(declared, Mapping):
            check(f"air state: {label}", array, declared, sizes)
            continue
        for field, allowed in declared.items():
            check(f"air state: {label}.{field}", array[field], allowed, sizes)
    for field in fresh.replicas.dtype.names or ():
        if isinstance(FIELDS["replicas"][field], Given):  # type: ignore[index]
            if not np.array_equal(state.replicas[field], fresh.replicas[field]):
                raise ValueError(f"air state: replicas.{field} is not that of the seeds")


def undeclared() -> list[str]:
    """Stored arrays and fields without a declaration, and declarations of nothing, as `array.field`."""
    smallest = allocate(
        (1, 1, 1),
        channels=1,
        bursts=True,
        sf_energies=1,
        arms=1,
        packets=1,
        heard=1,
        frames=1,
        slow=1,
        sub_bands=1,
        counters=True,
    )
    stored = {
        f"{name}.{field}"
        for name, array in smallest._asdict().items()
        if name not in NOT_STORED
        for field in array.dtype.names or ("",)
    }
    declared = {
        f"{name}.{field}"
        for name, fields in FIELDS.items()
        for field in (fields if isinstance(fields, Mapping) else ("",))
    }
    return sorted(stored ^ declared)
