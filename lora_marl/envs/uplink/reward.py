"""The reward terms of `uplink_v0`: plain functions of what came of a step.

A term takes an `Outcome`, the packets that ended in the step by node, and the `Scales` of the scenario; it returns
`[B, N]`, 0 where no packet ended. Terms of yours do the same.

Shape letters: `B` replicas, `N` nodes, `K` values of all factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import phy
from lora_marl.core.energy import sending_mw
from lora_marl.core.metric_factors import metric_bonus
from lora_marl.core.metrics import ratio
from lora_marl.core.outcome import Outcome
from lora_marl.core.region import FACTORS
from lora_marl.core.scenario import Scenario
from lora_marl.envs.rewards import Term, TermFunction


@dataclass(frozen=True)
class Scales:
    """Constants of a scenario that scale the terms.

    Attributes:
        factors: Number of chosen factors.
        bonus: D-LoRa's bonus of each factor value; 0 for factors that are not chosen. `[K]`
        best_bits_per_mj: Payload bits per energy at the region's most efficient operating point, a number or `[N]` or
            `[B, N]`. bits/mJ
        best_bits_per_airtime_s: Payload bits per airtime at its fastest operating point, a number or `[N]` or `[B, N]`.
            bits/s
    """

    factors: int
    bonus: NDArray[np.float64]
    best_bits_per_mj: NDArray[np.float64]
    best_bits_per_airtime_s: NDArray[np.float64]

    @classmethod
    def of(cls, scenario: Scenario, factors: Sequence[str], *, xi: float, zeta: float, eta: float) -> Scales:
        """The constants of a scenario.

        Args:
            scenario: The network.
            factors: The chosen factors.
            xi, zeta, eta: Metric factors of D-LoRa's bonuses (`lora_marl.core.metric_factors`).
        """
        region = scenario.region
        payload_bytes, which = np.unique(np.asarray(scenario.traffic.payload_bytes), return_inverse=True)
        airtime_s = scenario.airtime_s(payload_bytes)
        fastest = (8.0 * payload_bytes / airtime_s.min(axis=(1, 2)))[which]
        by_power_mw = (
            sending_mw(scenario, region.tp_dbm) if scenario.energy == "states"
            else phy.tx_power_mw(np.array(region.tp_dbm), scenario.energy)
        )  # fmt: skip
        least_mw = by_power_mw.min()
        by_factor = metric_bonus(region, xi=xi, zeta=zeta, eta=eta if "tp" in factors else 0.0)
        sizes = zip(FACTORS, region.factor_sizes, strict=True)
        bonus = [np.broadcast_to(by_factor.get(name, 0.0) if name in factors else 0.0, size) for name, size in sizes]
        return cls(len(factors), np.concatenate(bonus), fastest / least_mw, fastest)


def delivery(outcome: Outcome, scales: Scales) -> Term:
    """Delivered share of the packets that ended. `[B, N]`, 0 to 1"""
    return ratio(outcome.delivered, outcome.sent, empty=0.0)


def frame_delivery(outcome: Outcome, scales: Scales) -> Term:
    """Delivered share of the frames that ended, where each is sent up to several times. `[B, N]`, 0 to 1"""
    return ratio(outcome.frames_delivered, outcome.frames_delivered + outcome.frames_lost, empty=0.0)


def dlora(outcome: Outcome, scales: Scales) -> Term:
    """D-LoRa's reward: the sum over the chosen factors, averaged over the packets that ended.

    A factor's reward is +1 for a delivered and -1 for a lost packet, plus the bonus of the value used. `[B, N]`

    Source: D-LoRa, whose papers print 0 or 1 in place of -1 or +1 (see the page of `lora_marl.envs.uplink_v0`).
    """
    outcomes = scales.factors * (2.0 * outcome.delivered - outcome.sent)
    return ratio(outcomes + outcome.arm_sent @ scales.bonus, outcome.sent, empty=0.0)


def energy_efficiency(outcome: Outcome, scales: Scales) -> Term:
    """Delivered bits per energy spent, relative to the best that the region allows. `[B, N]`, 0 to 1"""
    return ratio(outcome.delivered_bits, outcome.energy_mj * scales.best_bits_per_mj, empty=0.0)


def throughput(outcome: Outcome, scales: Scales) -> Term:
    """Delivered bits per airtime, relative to the best that the region allows. `[B, N]`, 0 to 1"""
    return ratio(outcome.delivered_bits, outcome.airtime_s * scales.best_bits_per_airtime_s, empty=0.0)


TERMS: Mapping[str, TermFunction] = MappingProxyType(
    {term.__name__: term for term in (delivery, frame_delivery, dlora, energy_efficiency, throughput)}
)
"""The terms by name."""
