"""The result of every closed form: expected delivery, traffic and energy of an allocation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import metrics

PACKETS, DELIVERED, BITS, ENERGY = 0, 1, 2, 3
"""Columns of the totals over all nodes: packets, packets delivered, bits delivered and mJ, all per second."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Delivery, traffic and energy of every node under an allocation, all `[N]`.

    Attributes:
        delivery: Probability that a packet is delivered.
        packets_per_s: Rate of packets. 1/s
        energy_mj: Energy of one packet, above sleeping. mJ
        airtime_s: Airtime of one packet. s
        bits: Payload of one packet. bit
        sleep_mw: Power of a node that sleeps, a number; 0 where the energy model does not count it. mW
    """

    delivery: NDArray[np.float64]
    packets_per_s: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    airtime_s: NDArray[np.float64]
    bits: NDArray[np.float64]
    sleep_mw: float = 0.0

    @property
    def power_mw(self) -> NDArray[np.float64]:
        """Mean power of each node. `[N]` mW"""
        return self.packets_per_s * self.energy_mj + self.sleep_mw

    @property
    def pdr(self) -> float:
        """Packet delivery ratio of the network, 0 to 1."""
        return float(metrics.pdr(self.packets_per_s.sum(), self.packets_per_s @ self.delivery))

    @property
    def ee_bits_per_mj(self) -> float:
        """Energy efficiency of the network. bits/mJ"""
        delivered_bits = (self.packets_per_s * self.delivery) @ self.bits
        return float(metrics.ee_bits_per_mj(delivered_bits, self._power_mw))

    @property
    def _power_mw(self) -> float:
        """Mean power of all nodes together. mW"""
        return float(self.packets_per_s @ self.energy_mj) + self.sleep_mw * len(self.packets_per_s)

    @property
    def node_ee_bits_per_mj(self) -> NDArray[np.float64]:
        """Energy efficiency of each node; nan for nodes that are off. `[N]` bits/mJ"""
        ee: NDArray[np.float64] = metrics.ee_bits_per_mj(self.packets_per_s * self.delivery * self.bits, self.power_mw)
        return ee

    @property
    def ee_sum_bits_per_mj(self) -> float:
        """Sum of the nodes' energy efficiencies (MMALoRa). bits/mJ"""
        return float(metrics.ee_sum_bits_per_mj(self.node_ee_bits_per_mj))

    @property
    def bits_per_airtime_s(self) -> float:
        """Payload bits delivered per second of airtime. bit/s"""
        delivered_bits = (self.packets_per_s * self.delivery) @ self.bits
        return float(metrics.bits_per_airtime_s(delivered_bits, self.packets_per_s @ self.airtime_s))
