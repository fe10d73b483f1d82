"""CAASI, the centralised start of CD-LoRa, and CD-LoRa itself.

Before the first packet that counts, all nodes are surveyed by TDMA, so that none disturbs another:

1. Every node sends once on every channel, at the largest spreading factor and the highest power. What is decoded gives
   the matrix RSSI(n, c).
2. Q(c), the mean over nodes, ranks the channels, best first; V(n), minus the mean over channels, ranks the nodes,
   weakest first. The nodes are cut into as many consecutive groups as there are channels, sizes differing by at most 1,
   larger groups first, and group g gets channel g: the weakest nodes the best channel.
3. On its channel every node sends `tests` packets at each spreading factor, at the highest power. Spreading factors
   that deliver less than `pdr_min` of them are taken away; where all are, the largest stays.

`caasi` stops there: the smallest spreading factor left, the highest power. `cd-lora` lets CUCB (`agents.bandits`)
choose spreading factor and power from then on; channels stay.

| paper | name | paper | name |
|---|---|---|---|
| Q(c) | `channel_quality_dbm` | PDR_min | `pdr_min` |
| V(n) | rank in `assigned_channels` | test packets | `tests` |

Source: D-LoRa journal, section IV-C and Algorithm 3.
Differences: 1. The paper's V is "the inverse of the average RSSI"; the negative is meant, since the reciprocal of a
negative number of dBm would not rank by strength. 2. The number of test packets and what happens where no spreading
factor is left are not printed: 20, and the largest. 3. What was never decoded ranks as weakest. 4. The survey's N (C +
S tests) packets, their airtime and energy are kept as the learner's `overhead`; the paper does not say whether it
counts them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.bandits import CUCB
from agents.learner import Learner
from lora_marl.core.air import Air
from lora_marl.core.outcome import Outcome
from lora_marl.core.traffic import Traffic

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario

_NODES_AT_ONCE = 64
_SLOT_PER_AIRTIME = 1.01


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the data collection found.

    Attributes:
        rssi_dbm: Received power by channel; nan where the packet was not decoded. `[B, N, C]` dBm
        channel: Assigned channel. `[B, N]`
        allowed_sf: Spreading factors that are left. `[B, N, S]`
        outcome: Everything that was sent; its duration is that of all nodes one after another.
    """

    rssi_dbm: NDArray[np.float64]
    channel: NDArray[np.intp]
    allowed_sf: NDArray[np.bool_]
    outcome: Outcome


def survey(scenario: Scenario, seeds: Sequence[int], *, tests: int = 20, pdr_min: float = 0.25) -> Survey:
    """Collects data by TDMA and assigns channels and spreading factors; what the scenario changes later is not seen.

    Args:
        scenario: The network.
        seeds: One per replica.
        tests: Packets of a node at each spreading factor, at least 1.
        pdr_min: Least share of them that must be delivered, 0 to 1.

    Raises:
        ValueError: `tests` or `pdr_min` outside its range.
    """
    if not (tests >= 1 and tests == int(tests)):
        raise ValueError(f"tests = {tests}: must be a whole number of at least 1")
    if not 0 <= pdr_min <= 1:
        raise ValueError(f"pdr_min = {pdr_min}: must lie in 0 to 1")
    collections = [Collection(scenario, seeds, first) for first in range(0, scenario.nodes, _NODES_AT_ONCE)]
    rssi_dbm = np.concatenate([each.rssi_dbm() for each in collections], axis=1)
    channel = assigned_channels(rssi_dbm)
    delivered = np.concatenate([each.delivered(channel, int(tests)) for each in collections], axis=1)
    outcomes = [each.outcome() for each in collections]
    parts = {name: np.concatenate([getattr(each, name) for each in outcomes], axis=1) for name in _PER_NODE}
    duration_s = np.sum([each.duration_s for each in outcomes], axis=0)
    return Survey(
        rssi_dbm=rssi_dbm,
        channel=channel,
        allowed_sf=allowed_spreading_factors(delivered, int(tests), pdr_min),
        outcome=Outcome(duration_s=duration_s, **parts),
    )


class Collection:
    """Some nodes of all replicas, each alone on an air of its own, slot by slot.

    Args:
        scenario, seeds: See `survey`.
        first: The first node; as many follow as are surveyed at once.
    """

    def __init__(self, scenario: Scenario, seeds: Sequence[int], first: int) -> None:
        self._region, self._first, self._seeds = scenario.region, first, len(seeds)
        self._count = min(_NODES_AT_ONCE, scenario.nodes - first)
        nodes = np.tile(np.arange(first, first + self._count), self._seeds)
        self._own = (np.arange(len(nodes)), nodes)
        self._slot_s = _SLOT_PER_AIRTIME * float(scenario.airtime_s().max())
        own_seeds = [_seed(scenario, seed) for seed in seeds for _ in range(self._count)]
        self._air = Air(_alone(scenario, self._own, self._slot_s, self._count), own_seeds)
        self._sent: list[Outcome] = []
        self._points = np.tile(_loudest(scenario), (len(nodes), scenario.nodes, 1))

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
        return replace(
            whole, duration_s=duration_s, **{name: self._by_seed(getattr(whole, name)) for name in _PER_NODE}
        )

    def _send(self) -> NDArray[np.int64]:
        """Play one slot; packets delivered, 0 or 1, by replica and node."""
        end_s = (len(self._sent) + 0.5 + 0.5 / _SLOT_PER_AIRTIME) * self._slot_s
        whole = self._air.advance(self._points, end_s)
        own = replace(whole, **{name: getattr(whole, name)[self._own] for name in _PER_NODE})
        self._sent.append(own)
        return own.delivered

    def _by_seed(self, array: NDArray) -> NDArray:
        """`[B n, ...]` -> `[B, n, ...]`"""
        return array.reshape(self._seeds, self._count, *array.shape[1:])


def channel_quality_dbm(rssi_dbm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Q(c), the mean received power of the nodes that were decoded there: `[..., N, C]` -> `[..., C]` dBm.

    -inf where none was.
    """
    return _mean(rssi_dbm, axis=-2)


def assigned_channels(rssi_dbm: NDArray[np.float64]) -> NDArray[np.intp]:
    """The weakest nodes to the best channel: received powers `[..., N, C]`, nan: unknown -> channels `[..., N]`."""
    nodes, channels = rssi_dbm.shape[-2:]
    best_first = np.argsort(-channel_quality_dbm(rssi_dbm), axis=-1, kind="stable")
    weakest_first = np.argsort(_mean(rssi_dbm, axis=-1), axis=-1, kind="stable")
    group = np.repeat(np.arange(channels), [len(part) for part in np.array_split(np.arange(nodes), channels)])
    assigned = np.empty(weakest_first.shape, np.intp)
    np.put_along_axis(assigned, weakest_first, best_first[..., group], axis=-1)
    return assigned


def allowed_spreading_factors(delivered: NDArray[np.integer], tests: int, pdr_min: float) -> NDArray[np.bool_]:
    """Spreading factors that delivered at least `pdr_min` of `tests` packets, else the largest: `[..., S]` bool."""
    allowed = delivered >= pdr_min * tests
    allowed[..., -1] |= ~allowed.any(axis=-1)
    return allowed


class Caasi(Learner):
    """CAASI alone: the channel assigned, the smallest spreading factor left, the highest power, for good.

    Args:
        scenario, seeds: See `Learner`.
        tests, pdr_min: See `survey`.
    """

    name: ClassVar[str] = "caasi"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, tests: int = 20, pdr_min: float = 0.25) -> None:
        self.survey = survey(scenario, seeds, tests=tests, pdr_min=pdr_min)
        points = np.tile(_loudest(scenario), (len(seeds), scenario.nodes, 1))
        points[..., 0] = self.survey.allowed_sf.argmax(axis=-1)
        points[..., 2] = self.survey.channel
        super().__init__(scenario, seeds, fixed_point=points)
        self.overhead = self.survey.outcome

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """What the survey found `[M, 4]`."""
        return self.fixed_points[decisions.replica, decisions.node]

    def state_arrays(self) -> dict[str, NDArray]:
        """Operating points `[B, N, 4]`."""
        return {"points": self.fixed_points}


class CDLoRa(CUCB):
    """CAASI, then CUCB on the spreading factors that are left and on power.

    Args:
        scenario, seeds: See `Learner`.
        tests, pdr_min: See `survey`.
        **parameters: Of `CUCB`, but for what is chosen.
    """

    name: ClassVar[str] = "cd-lora"

    def __init__(
        self, scenario: Scenario, seeds: Sequence[int], *, tests: int = 20, pdr_min: float = 0.25, **parameters: Any
    ) -> None:
        for name in ("factors", "fixed_point", "allowed"):
            if parameters.get(name) is not None:
                raise ValueError(f"{name} = {parameters[name]}: the survey decides it for cd-lora")
        self.survey = survey(scenario, seeds, tests=tests, pdr_min=pdr_min)
        points = np.tile(_loudest(scenario), (len(seeds), scenario.nodes, 1))
        points[..., 2] = self.survey.channel
        powers = np.ones((*self.survey.channel.shape, len(scenario.region.tp_dbm)), np.bool_)
        super().__init__(
            scenario, seeds, **parameters | {"factors": ("sf", "tp"), "fixed_point": points},
            allowed=np.concatenate([self.survey.allowed_sf, powers], axis=-1),
        )  # fmt: skip
        self.overhead = self.survey.outcome

    def state_arrays(self) -> dict[str, NDArray]:
        """CUCB's, and the operating points of what is not chosen `[B, N, 4]`."""
        return super().state_arrays() | {"fixed": self.fixed_points}


_PER_NODE = tuple(f.name for f in fields(Outcome) if f.name != "duration_s")


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


def _loudest(scenario: Scenario) -> NDArray[np.int16]:
    """Largest spreading factor, highest power, the first of the rest `[4]`."""
    return np.array([len(scenario.region.spreading_factors) - 1, 0, 0, len(scenario.region.tp_dbm) - 1], np.int16)


def _mean(rssi_dbm: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Mean of what is known; -inf where nothing is."""
    known = np.isfinite(rssi_dbm)
    count = known.sum(axis=axis)
    total = np.where(known, rssi_dbm, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(count.shape, -np.inf), where=count > 0)
