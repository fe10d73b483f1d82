"""Data collection by TDMA: nodes transmit one after another, so that none disturbs another.

Nodes that do not disturb each other can be simulated at the same time: every node of every replica is a replica of its
own, in which it alone transmits, once a slot. The duration that is reported is that of the nodes one after another.

Shape letters: `B` replicas, `N` nodes, `n` nodes that are collected at once, `C` channels, `S` spreading factors.
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

from agents.learner import most_robust_point
from lora_marl.core.air import Air
from lora_marl.core.outcome import Outcome
from lora_marl.core.region import CHANNEL, SF
from lora_marl.core.traffic import Traffic

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

NODES_AT_ONCE = 64
"""Nodes simulated together; memory grows with this times the number of nodes."""

_SLOT_PER_AIRTIME = 1.01
"""Length of a slot over the longest airtime, so that a packet has ended before the next slot."""

_NOT_PER_NODE = ("duration_s", "downlink_airtime_s", "foreign_busy_s", "external_busy_s")
PER_NODE = tuple(f.name for f in fields(Outcome) if f.name not in _NOT_PER_NODE)
"""Fields of an outcome that are `[B, N]`."""


class DataCollection:
    """Transmissions of some nodes of all replicas, each node alone, slot by slot.

    Args:
        scenario: The network, without its later changes.
        seeds: One per replica.
        first: The first node; up to `NODES_AT_ONCE` nodes from here on are collected.
    """

    def __init__(self, scenario: Scenario, seeds: Sequence[int], first: int) -> None:
        self._region, self._first, self._seeds = scenario.region, first, len(seeds)
        self._count = min(NODES_AT_ONCE, scenario.nodes - first)
        senders = np.tile(np.arange(first, first + self._count), self._seeds)
        self._sender = (np.arange(len(senders)), senders)
        self._slot_s = _SLOT_PER_AIRTIME * float(scenario.airtime_s().max())
        air_seeds = [_collection_seed(scenario, seed) for seed in seeds for _ in range(self._count)]
        self._air = Air(_one_sender_each(scenario, self._sender, self._slot_s, self._count), air_seeds)
        self._outcomes: list[Outcome] = []
        self._points = np.tile(most_robust_point(scenario.region), (len(senders), scenario.nodes, 1))

    def rssi_dbm(self) -> NDArray[np.float64]:
        """Transmit once on every channel: received powers, nan where a packet was not decoded. `[B, n, C]` dBm"""
        columns = []
        for channel in range(len(self._region.channels_hz)):
            self._points[..., CHANNEL] = channel
            delivered = self._transmit()
            columns.append(np.where(delivered > 0, self._air.last_rssi_dbm[self._sender], np.nan))
        return self._by_seed(np.stack(columns, axis=-1))

    def delivered(self, channel: NDArray[np.intp], tests: int) -> NDArray[np.int64]:
        """Transmit `tests` packets at every spreading factor: how many were delivered. `[B, n, S]`

        Args:
            channel: Index of the channel of each node. `[B, N]`
            tests: Packets of each node at each spreading factor.
        """
        self._points[(*self._sender, CHANNEL)] = channel[:, self._first : self._first + self._count].reshape(-1)
        columns = []
        for sf in range(len(self._region.spreading_factors)):
            self._points[..., SF] = sf
            columns.append(np.sum([self._transmit() for _ in range(tests)], axis=0))
        return self._by_seed(np.stack(columns, axis=-1))

    def outcome(self) -> Outcome:
        """Everything that was sent so far, per node `[B, n]`; the duration is that of the nodes one after another."""
        total = reduce(add, self._outcomes)
        duration_s = np.full(self._seeds, self._count * len(self._outcomes) * self._slot_s)
        return replace(total, duration_s=duration_s, **{name: self._by_seed(getattr(total, name)) for name in PER_NODE})

    def _transmit(self) -> NDArray[np.int64]:
        """Simulate one slot: packets delivered, 0 or 1. `[B n]`"""
        end_s = (len(self._outcomes) + 0.5 + 0.5 / _SLOT_PER_AIRTIME) * self._slot_s
        outcome = self._air.advance(self._points, end_s)
        outcome = replace(outcome, **{name: getattr(outcome, name)[self._sender] for name in PER_NODE})
        self._outcomes.append(outcome)
        return outcome.delivered

    def _by_seed(self, array: NDArray) -> NDArray:
        """`[B n, ...]` -> `[B, n, ...]`"""
        return array.reshape(self._seeds, self._count, *array.shape[1:])


def _one_sender_each(
    scenario: Scenario, sender: tuple[NDArray, NDArray], slot_s: float, nodes_per_seed: int
) -> Scenario:
    """The scenario with a replica for each sender, in which that node alone transmits, once a slot."""
    interval_s = np.full((len(sender[0]), scenario.nodes), np.inf)
    interval_s[sender] = slot_s
    payload_bytes = np.asarray(scenario.traffic.payload_bytes)
    if payload_bytes.ndim == 2 and len(payload_bytes) > 1:
        payload_bytes = np.repeat(payload_bytes, nodes_per_seed, axis=0)
    traffic = Traffic(
        kind="periodic", interval_s=interval_s, random_phase=False, payload_bytes=payload_bytes, duty_cycle=None
    )
    by_replica: dict[str, Any] = {}
    for name in ("node_xy_m", "path_loss_db"):
        value = getattr(scenario, name)
        if value is not None and value.ndim == 3 and len(value) > 1:
            by_replica[name] = np.repeat(value, nodes_per_seed, axis=0)
    return replace(scenario, traffic=traffic, changes=(), active=None, **by_replica)


def _collection_seed(scenario: Scenario, seed: int) -> int:
    """The seed of a replica's data collection.

    It differs from the run's seed, whose draws must stay unseen. With shadowing per link it is the same, since the
    shadowing of the run's links is what the collection measures.
    """
    if scenario.propagation.shadowing == "link":
        return seed
    return int(np.random.SeedSequence([seed, zlib.crc32(b"survey")]).generate_state(1, np.uint64)[0] >> np.uint64(1))
