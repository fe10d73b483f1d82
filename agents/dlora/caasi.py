"""CAASI, which assigns channels and spreading factors centrally before a run, and CD-LoRa, which starts from it.

CAASI surveys all nodes by TDMA (`agents.dlora.tdma`):

1. Every node sends once on every channel, at the largest spreading factor and the highest power. The packets that are
   decoded give the matrix RSSI(n, c).
2. Channels are ranked by Q(c) = mean over n of RSSI(n, c), best first; nodes by V(n) = -mean over c of RSSI(n, c),
   weakest first. The ranked nodes are cut into one group for each channel, with sizes that differ by at most 1 and
   larger groups first. Group g gets the channel of rank g, so the weakest nodes get the best channel.
3. On its channel, every node sends `tests` packets at each spreading factor, at the highest power. Spreading factors
   that deliver less than a share of `pdr_min` are excluded; where all are, the largest stays.

`caasi` keeps the smallest spreading factor that is left and the highest power for the whole run. `cd-lora` lets CUCB
(`agents.bandits.cucb`) choose spreading factor and power, on the channels assigned.

| paper | name | paper | name |
|---|---|---|---|
| Q(c) | `channel_quality_dbm` | PDR_min | `pdr_min` |
| V(n) | rank in `assigned_channels` | test packets | `tests` |

Source: D-LoRa journal, section IV-C and Algorithm 3.
Differences:
    1. The paper's V is "the inverse of the average RSSI". We take the negative, since the reciprocal of a negative
       number of dBm does not rank by strength.
    2. The paper gives neither the number of test packets (20 here) nor what happens where no spreading factor is left
       (the largest stays).
    3. Nodes and channels that were never decoded rank as weakest.
    4. The survey's N (C + S tests) packets, with their airtime and energy, are the learner's `overhead`; the paper does
       not say whether it counts them.

Shape letters: `B` replicas, `N` nodes, `C` channels, `S` spreading factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.bandits.cucb import CUCB
from agents.dlora.tdma import NODES_AT_ONCE, PER_NODE, DataCollection
from agents.learner import Learner, most_robust_point
from lora_marl.core.metrics import ratio
from lora_marl.core.outcome import Outcome
from lora_marl.core.region import CHANNEL, SF

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Results of CAASI's data collection.

    Attributes:
        rssi_dbm: Received power by channel; nan where the packet was not decoded. `[B, N, C]` dBm
        channel: Index of the assigned channel. `[B, N]`
        allowed_sf: Whether a spreading factor may be used. `[B, N, S]`
        outcome: Everything that was sent; its duration is that of all nodes one after another.
    """

    rssi_dbm: NDArray[np.float64]
    channel: NDArray[np.intp]
    allowed_sf: NDArray[np.bool_]
    outcome: Outcome


def survey(scenario: Scenario, seeds: Sequence[int], *, tests: int = 20, pdr_min: float = 0.25) -> Survey:
    """Collect data by TDMA, then assign channels and spreading factors.

    Args:
        scenario: The network, without its later changes.
        seeds: One per replica.
        tests: Packets of a node at each spreading factor, at least 1.
        pdr_min: Share of them that must be delivered at least. 0 to 1

    Raises:
        ValueError: `tests` or `pdr_min` outside its range, or a field of the scenario for another number of replicas.
    """
    if not (tests >= 1 and tests == int(tests)):
        raise ValueError(f"tests = {tests}: must be a whole number of at least 1")
    if not 0 <= pdr_min <= 1:
        raise ValueError(f"pdr_min = {pdr_min}: must lie in 0 to 1")
    scenario.check_replicas(len(seeds))
    firsts = range(0, scenario.nodes, NODES_AT_ONCE)
    # Channels are assigned when the powers of all nodes are known. The tests simulate the same first packets again,
    # because keeping all airs would take memory that grows with the square of the number of nodes.
    rssi_dbm = np.concatenate([DataCollection(scenario, seeds, first).rssi_dbm() for first in firsts], axis=1)
    channel = assigned_channels(rssi_dbm)
    tested = [_tested(DataCollection(scenario, seeds, first), channel, int(tests)) for first in firsts]
    delivered = np.concatenate([part for part, _ in tested], axis=1)
    outcomes = [outcome for _, outcome in tested]
    per_node = {name: np.concatenate([getattr(part, name) for part in outcomes], axis=1) for name in PER_NODE}
    duration_s = np.sum([part.duration_s for part in outcomes], axis=0)
    return Survey(
        rssi_dbm=rssi_dbm,
        channel=channel,
        allowed_sf=allowed_spreading_factors(delivered, int(tests), pdr_min),
        outcome=Outcome(
            duration_s=duration_s,
            downlink_airtime_s=np.zeros((len(seeds), scenario.gateways)),
            foreign_busy_s=np.zeros((len(seeds), scenario.gateways, len(scenario.region.channels_hz))),
            external_busy_s=np.zeros((len(seeds), len(scenario.region.channels_hz))),
            **per_node,
        ),
    )


def channel_quality_dbm(rssi_dbm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Q(c), the mean received power of the nodes that were decoded on a channel; -inf where none was.

    Args:
        rssi_dbm: nan where a packet was not decoded. `[..., N, C]` dBm

    Returns:
        `[..., C]` dBm

    Source: D-LoRa journal, section IV-C.
    """
    return _mean_of_decoded(rssi_dbm, axis=-2)


def assigned_channels(rssi_dbm: NDArray[np.float64]) -> NDArray[np.intp]:
    """Assign the weakest nodes to the best channel, and so on (step 2 of the page above).

    Args:
        rssi_dbm: nan where a packet was not decoded. `[..., N, C]` dBm

    Returns:
        Index of each node's channel. `[..., N]`

    Source: D-LoRa journal, Algorithm 3.
    """
    nodes, channels = rssi_dbm.shape[-2:]
    best_first = np.argsort(-channel_quality_dbm(rssi_dbm), axis=-1, kind="stable")
    weakest_first = np.argsort(_mean_of_decoded(rssi_dbm, axis=-1), axis=-1, kind="stable")
    group = np.repeat(np.arange(channels), [len(part) for part in np.array_split(np.arange(nodes), channels)])
    assigned = np.empty(weakest_first.shape, np.intp)
    np.put_along_axis(assigned, weakest_first, best_first[..., group], axis=-1)
    return assigned


def allowed_spreading_factors(delivered: NDArray[np.integer], tests: int, pdr_min: float) -> NDArray[np.bool_]:
    """Whether a spreading factor delivered a share of at least `pdr_min`; where none did, the largest may be used.

    Args:
        delivered: Packets delivered. `[..., S]`
        tests: Packets sent at each spreading factor.
        pdr_min: 0 to 1

    Returns:
        `[..., S]`
    """
    allowed = delivered / tests >= pdr_min
    allowed[..., -1] |= ~allowed.any(axis=-1)
    return allowed


class Caasi(Learner):
    """CAASI alone: the assigned channel, the smallest allowed spreading factor and the highest power throughout.

    Args:
        scenario, seeds: As in `Learner`.
        tests, pdr_min: As in `survey`.
    """

    name: ClassVar[str] = "caasi"

    def __init__(self, scenario: Scenario, seeds: Sequence[int], *, tests: int = 20, pdr_min: float = 0.25) -> None:
        self.survey = survey(scenario, seeds, tests=tests, pdr_min=pdr_min)
        points = np.tile(most_robust_point(scenario.region), (len(seeds), scenario.nodes, 1))
        points[..., SF] = self.survey.allowed_sf.argmax(axis=-1)
        points[..., CHANNEL] = self.survey.channel
        super().__init__(scenario, seeds, fixed_point=points)
        self.overhead = self.survey.outcome

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The operating points that the survey assigned. `[M, 4]`"""
        return self.fixed_points[decisions.replica, decisions.node]

    def state_arrays(self) -> dict[str, NDArray]:
        """Operating points `[B, N, 4]`."""
        return {"points": self.fixed_points}


class CDLoRa(CUCB):
    """CD-LoRa: CAASI, then CUCB on the allowed spreading factors and on power.

    Args:
        scenario, seeds: As in `Learner`.
        tests, pdr_min: As in `survey`.
        **parameters: As in `CUCB`, without `factors`, `fixed_point` and `allowed`.

    Raises:
        ValueError: a parameter outside its range, or one that the survey decides.
    """

    name: ClassVar[str] = "cd-lora"

    def __init__(
        self, scenario: Scenario, seeds: Sequence[int], *, tests: int = 20, pdr_min: float = 0.25, **parameters: Any
    ) -> None:
        for name in ("factors", "fixed_point", "allowed"):
            if parameters.get(name) is not None:
                raise ValueError(f"{name} = {parameters[name]}: the survey decides it for cd-lora")
        self.survey = survey(scenario, seeds, tests=tests, pdr_min=pdr_min)
        points = np.tile(most_robust_point(scenario.region), (len(seeds), scenario.nodes, 1))
        points[..., CHANNEL] = self.survey.channel
        powers = np.ones((*self.survey.channel.shape, len(scenario.region.tp_dbm)), np.bool_)
        super().__init__(
            scenario, seeds, **parameters | {"factors": ("sf", "tp"), "fixed_point": points},
            allowed=np.concatenate([self.survey.allowed_sf, powers], axis=-1),
        )  # fmt: skip
        self.overhead = self.survey.outcome

    def state_arrays(self) -> dict[str, NDArray]:
        """The arrays of CUCB, and the values of the factors that are not chosen `[B, N, 4]`."""
        return super().state_arrays() | {"fixed": self.fixed_points}


def _tested(collection: DataCollection, channel: NDArray[np.intp], tests: int) -> tuple[NDArray[np.int64], Outcome]:
    """Steps 1 and 3 for some nodes: test packets delivered `[B, n, S]`, and everything that was sent."""
    collection.rssi_dbm()
    delivered = collection.delivered(channel, tests)
    return delivered, collection.outcome()


def _mean_of_decoded(rssi_dbm: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Mean of the received powers that are not nan; -inf where all are."""
    decoded = np.isfinite(rssi_dbm)
    total_dbm = np.where(decoded, rssi_dbm, 0.0).sum(axis=axis)
    return np.asarray(ratio(total_dbm, decoded.sum(axis=axis), empty=-np.inf))
