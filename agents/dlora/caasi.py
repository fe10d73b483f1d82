"""CAASI, the centralised start of CD-LoRa, and CD-LoRa itself.

Before the first packet that counts, all nodes are surveyed by TDMA, so that none disturbs another:

1. Every node sends once on every channel, at the largest spreading factor and the highest power. What is decoded gives
   the matrix RSSI(n, c).
2. Q(c), the mean over nodes, ranks the channels, best first; V(n), minus the mean over channels, ranks the nodes,
   weakest first. The nodes are cut into as many consecutive groups as there are channels, sizes differing by at most 1,
   larger groups first, and group g gets channel g: the weakest nodes the best channel.
3. On its channel every node sends `tests` packets at each spreading factor, at the highest power. Spreading factors
   that deliver less than `pdr_min` of them are taken away; where all are, the largest stays.

`caasi` stops there: the smallest spreading factor left, the highest power. `cd-lora` lets CUCB (`agents.bandits.cucb`)
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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.bandits.cucb import CUCB
from agents.dlora.tdma import NODES_AT_ONCE, PER_NODE, Collection, most_robust_point
from agents.learner import Learner
from lora_marl.core.outcome import Outcome

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


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
        ValueError: `tests` or `pdr_min` outside its range, or a field of the scenario for another number of replicas.
    """
    if not (tests >= 1 and tests == int(tests)):
        raise ValueError(f"tests = {tests}: must be a whole number of at least 1")
    if not 0 <= pdr_min <= 1:
        raise ValueError(f"pdr_min = {pdr_min}: must lie in 0 to 1")
    scenario.check_replicas(len(seeds))
    firsts = range(0, scenario.nodes, NODES_AT_ONCE)
    # Channels need everybody's powers before the first test. Airs are made again for the tests and play the same
    # packets first: to keep all of them would take memory that grows with the square of the number of nodes.
    rssi_dbm = np.concatenate([Collection(scenario, seeds, first).rssi_dbm() for first in firsts], axis=1)
    channel = assigned_channels(rssi_dbm)
    tested = [_tested(Collection(scenario, seeds, first), channel, int(tests)) for first in firsts]
    delivered = np.concatenate([each for each, _ in tested], axis=1)
    outcomes = [each for _, each in tested]
    parts = {name: np.concatenate([getattr(each, name) for each in outcomes], axis=1) for name in PER_NODE}
    duration_s = np.sum([each.duration_s for each in outcomes], axis=0)
    return Survey(
        rssi_dbm=rssi_dbm,
        channel=channel,
        allowed_sf=allowed_spreading_factors(delivered, int(tests), pdr_min),
        outcome=Outcome(
            duration_s=duration_s,
            downlink_airtime_s=np.zeros((len(seeds), scenario.gateways)),
            foreign_busy_s=np.zeros((len(seeds), scenario.gateways, len(scenario.region.channels_hz))),
            external_busy_s=np.zeros((len(seeds), len(scenario.region.channels_hz))),
            **parts,
        ),
    )


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
    allowed = delivered / tests >= pdr_min
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
        points = np.tile(most_robust_point(scenario), (len(seeds), scenario.nodes, 1))
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
        points = np.tile(most_robust_point(scenario), (len(seeds), scenario.nodes, 1))
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


def _tested(collection: Collection, channel: NDArray[np.intp], tests: int) -> tuple[NDArray[np.int64], Outcome]:
    """Packets of a whole collection delivered in its tests `[B, n, S]`, and all that was sent."""
    collection.rssi_dbm()
    delivered = collection.delivered(channel, tests)
    return delivered, collection.outcome()


def _mean(rssi_dbm: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Mean of what is known; -inf where nothing is."""
    known = np.isfinite(rssi_dbm)
    count = known.sum(axis=axis)
    total = np.where(known, rssi_dbm, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(count.shape, -np.inf), where=count > 0)
