"""Data collection by TDMA: nodes that send one after another, each alone on the packet air.

As no node hears another then, the nodes of a replica are played at the same time as replicas of their own, and the time
that they would take one after another is what is counted.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.air import Air
from lora_marl.core.outcome import Outcome
from lora_marl.core.traffic import Traffic

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

NODES_AT_ONCE = 64
_SLOT_PER_AIRTIME = 1.01

PER_GATEWAY = ("downlink_airtime_s", "foreign_busy_s", "external_busy_s")
PER_NODE = tuple(f.name for f in fields(Outcome) if f.name not in ("duration_s", *PER_GATEWAY))
"""Fields of an outcome that are `[B, N]`."""


class Collection:
    """Some nodes of all replicas, each alone on an air of its own, slot by slot.

    Args:
        scenario: The network; what it changes later is not seen.
        seeds: One per replica.
        first: The first node; as many follow as are surveyed at once.
    """

    def __init__(self, scenario: Scenario, seeds: Sequence[int], first: int) -> None:
        self._region, self._first, self._seeds = scenario.region, first, len(seeds)
        self._count = min(NODES_AT_ONCE, scenario.nodes - first)
        nodes = np.tile(np.arange(first, first + self._count), self._seeds)
        self._own = (np.arange(len(nodes)), nodes)
        self._slot_s = _SLOT_PER_AIRTIME * float(scenario.airtime_s().max())
        own_seeds = [_seed(scenario, seed) for seed in seeds for _ in range(self._count)]
        self._air = Air(_alone(scenario, self._own, self._slot_s, self._count), own_seeds)
        self._sent: list[Outcome] = []
        self._points = np.tile(most_robust_point(scenario), (len(nodes), scenario.nodes, 1))

    def rssi_dbm(self) -> NDArray[np.float64]:
        """A packet on every channel: received power, nan where it was not decoded. `[B, n, C]` dBm"""
        columns = []
        for channel in range(len(self._region.channels_hz)):
            self._points[..., 2] = channel
            delivered = self._send()
            columns.append(np.where(delivered > 0, self._air.last_rssi_dbm[self._own], np.nan))
        return self._by_seed(np.stack(columns, axis=-1))

    def delivered(self, channel: NDArray[np.intp], tests: int) -> NDArray[np.int64]:
        """Packets delivered at every spreading factor on the channels assigned `[B, N]`: `[B, n, S]`."""
        self._points[(*self._own, 2)] = channel[:, self._first : self._first + self._count].reshape(-1)
        columns = []
        for sf in range(len(self._region.spreading_factors)):
            self._points[..., 0] = sf
            columns.append(np.sum([self._send() for _ in range(tests)], axis=0))
        return self._by_seed(np.stack(columns, axis=-1))

    def outcome(self) -> Outcome:
        """What was sent, per node `[B, n]`; the duration is that of the nodes one after another."""
        whole = reduce(add, self._sent)
        duration_s = np.full(self._seeds, self._count * len(self._sent) * self._slot_s)
        return replace(whole, duration_s=duration_s, **{name: self._by_seed(getattr(whole, name)) for name in PER_NODE})

    def _send(self) -> NDArray[np.int64]:
        """Play one slot; packets delivered, 0 or 1, by replica and node."""
        end_s = (len(self._sent) + 0.5 + 0.5 / _SLOT_PER_AIRTIME) * self._slot_s
        whole = self._air.advance(self._points, end_s)
        own = replace(whole, **{name: getattr(whole, name)[self._own] for name in PER_NODE})
        self._sent.append(own)
        return own.delivered

    def _by_seed(self, array: NDArray) -> NDArray:
        """`[B n, ...]` -> `[B, n, ...]`"""
        return array.reshape(self._seeds, self._count, *array.shape[1:])


def _alone(scenario: Scenario, own: tuple[NDArray, NDArray], slot_s: float, per_seed: int) -> Scenario:
    """The scenario as replicas in which one node alone sends, once a slot: `own` are replicas and their nodes."""
    interval_s = np.full((len(own[0]), scenario.nodes), np.inf)
    interval_s[own] = slot_s
    payload = np.asarray(scenario.traffic.payload_bytes)
    changed: dict[str, Any] = {
        "payload": np.repeat(payload, per_seed, axis=0) if payload.ndim == 2 and len(payload) > 1 else payload
    }
    traffic = Traffic(kind="periodic", interval_s=interval_s, random_phase=False, payload_bytes=changed.pop("payload"))
    for name in ("node_xy_m", "path_loss_db"):
        value = getattr(scenario, name)
        if value is not None and value.ndim == 3 and len(value) > 1:
            changed[name] = np.repeat(value, per_seed, axis=0)
    return replace(scenario, traffic=traffic, changes=(), active=None, **changed)


def _seed(scenario: Scenario, seed: int) -> int:
    """Another seed than the run's, whose draws must stay unseen; but shadowing that links keep is what is measured."""
    if scenario.propagation.shadowing == "link":
        return seed
    return int(np.random.SeedSequence([seed, zlib.crc32(b"survey")]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def most_robust_point(scenario: Scenario) -> NDArray[np.int16]:
    """Largest spreading factor, highest power, the first of the rest `[4]`."""
    return np.array([len(scenario.region.spreading_factors) - 1, 0, 0, len(scenario.region.tp_dbm) - 1], np.int16)
