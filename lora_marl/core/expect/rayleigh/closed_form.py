"""Delivery in expectation under Rayleigh fading, with any number of gateways: MMALoRa's model.

`reference` has the variants and their formulas. `expect` is the default; `joint` is exact but for what all closed forms
share. The study `mmalora-model` has their mean absolute errors against the packet air. `linear_clipped` is the paper's
rate of a node under its duty cycle, set to 0 where it would be negative (`lora_marl.core.expect.physics`). Above
lambda = 1 / (99 T), where such a node disturbs nobody, use `renewal`.

Energies are of one attempt; a node's energy efficiency is bits D_i / energy (Eq. 13), the network's the sum over nodes
(Eq. 14).

Nodes that hop: `lora_marl.core.expect.hopping`, where channels do not overlap.

Shape letters: `N` nodes, `G` gateways, `S` spreading factors, `C` channels, `T` transmit powers, `Z` payload sizes.

Source: MMALoRa Eq. (2)-(14).
Approximations: packets of different nodes overlap independently, and each node's at most once; interferers do not add
up.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import metrics, phy, units
from lora_marl.core.checks import check_choice
from lora_marl.core.energy import energy_costs
from lora_marl.core.expect.expectation import Expectation
from lora_marl.core.expect.hopping import ChannelRows, channel_rows
from lora_marl.core.expect.physics import (
    Rate,
    check_named_channels,
    check_pairwise,
    check_points,
    check_rate,
    cycle_s,
    rates_per_s,
    thresholds_db,
)
from lora_marl.core.expect.rayleigh import kernel
from lora_marl.core.expect.rayleigh.kernel import Counterfactuals
from lora_marl.core.reception import channel_overlaps
from lora_marl.core.scenario import Scenario

Variant = Literal["expect", "meang", "joint"]
_NUMBERS = {"expect": kernel.EXPECT, "meang": kernel.MEANG}
MOST_GATEWAYS = 10
"""Of the variant `joint`, whose cost doubles with each gateway."""


class Tables(NamedTuple):
    """Constants of a scenario, so that an evaluation has one exponential a link."""

    gain: NDArray[np.float64]  # [N, G], received over transmitted power
    tp_mw: NDArray[np.float64]  # [T], radiated
    channel_gain: NDArray[np.float64]  # [C]
    sensitivity_mw: NDArray[np.float64]  # [S]
    inverse_sir: NDArray[np.float64]  # [S, S], 1 / the ratio needed, wanted by interferer; inf: no harm
    size: NDArray[np.int64]  # [N], index of the payload size
    overlap: NDArray[np.float64]  # [Z, S, N, S], probability h that a packet of the node meets one of a size and SF
    meets: NDArray[np.bool_]  # [C, C], channels that overlap
    airtime_s: NDArray[np.float64]  # [N, S]
    energy_mj: NDArray[np.float64]  # [N, S, T], of one attempt, above sleeping
    bits_per_mj: NDArray[np.float64]  # [N, S, T], if every attempt were delivered; 0 for nodes that are off


class Rayleigh:
    """The closed form of a scenario; changes on schedule and downlinks are left out.

    Args:
        scenario: The network.
        variant: `expect`, `meang` or `joint`; `reference` has their formulas.
        rate: How often nodes send (`lora_marl.core.expect.physics`).
        replica: Which placement, where there are several.

    Attributes:
        scenario: The network of that replica.
        tables: Its constants.
        variant, rate: As given.

    Raises:
        ValueError: an unknown variant or rate, too many gateways for `joint`, or physics that the formula does not
            have, naming it.
    """

    def __init__(
        self, scenario: Scenario, *, variant: Variant = "expect", rate: Rate = "linear_clipped", replica: int = 0
    ) -> None:
        check_choice("variant", variant, get_args(Variant))
        check_rate(rate)
        check_scenario(scenario)
        if variant == "joint" and scenario.gateways > MOST_GATEWAYS:
            raise ValueError(
                f"scenario has {scenario.gateways} gateways; the joint closed form takes up to {MOST_GATEWAYS}"
            )
        self.variant, self.rate = variant, rate
        self.scenario = scenario.replica(replica)
        self.tables = _tables(self.scenario, rate)

    def delivery(self, points: NDArray[np.int16]) -> NDArray[np.float64]:
        """Probability that a packet of each node is delivered, D_i `[N]`, under an allocation `[N, 4]`."""
        self.check_points(points)
        rows = channel_rows(self.scenario, points, distinct=True)
        tables = _of_rows(self.tables, rows)
        if self.variant == "joint":
            return rows.mean(kernel.joint_delivery(tables, rows.points))
        return rows.mean(kernel.delivery(tables, rows.points, self.product_number()))

    def gateway_delivery(self, points: NDArray[np.int16]) -> NDArray[np.float64]:
        """Probability that each gateway receives a packet of each node, D_ik `[N, G]`.

        Raises:
            ValueError: `joint`, whose gateways are not independent, so that these say little about delivery.
        """
        self.check_points(points)
        rows = channel_rows(self.scenario, points, distinct=True)
        return rows.mean(kernel.gateway_delivery(_of_rows(self.tables, rows), rows.points, self.product_number()))

    def undisturbed_delivery(self, channel: NDArray[np.integer]) -> NDArray[np.float64]:
        """D_i of every spreading factor and power if nobody else sent, for the channels of nodes `[N]`: `[N, S, T]`."""
        t = self.tables
        gain = t.gain * t.channel_gain[channel][:, None]
        lost = -np.expm1(-(t.sensitivity_mw[:, None] / t.tp_mw)[..., None] / gain[:, None, None])
        return np.asarray(1.0 - lost.prod(axis=-1))

    def ee_bits_per_mj(self, points: NDArray[np.int16]) -> NDArray[np.float64]:
        """Energy efficiency of each node under an allocation `[N, 4]`; 0 for nodes that are off `[N]`. bits/mJ"""
        delivery, (sf, _, _, tp) = self.delivery(points), points.T
        return np.asarray(self.tables.bits_per_mj[np.arange(len(points)), sf, tp] * delivery)

    def expect(self, points: NDArray[np.int16]) -> Expectation:
        """The expectation of an allocation `[N, 4]`."""
        delivery, t, traffic = self.delivery(points), self.tables, self.scenario.lone_traffic
        node, sf = np.arange(len(points)), points[:, 0]
        airtime_s = t.airtime_s[node, sf]
        return Expectation(
            delivery=delivery,
            packets_per_s=1.0 / (self.scenario.interval_s() + cycle_s(traffic, airtime_s)),
            energy_mj=t.energy_mj[node, sf, points[:, 3]],
            airtime_s=airtime_s,
            bits=8.0 * np.broadcast_to(traffic.payload_bytes, len(points)),
            sleep_mw=energy_costs(self.scenario).sleep_mw,
        )

    def counterfactuals(self, points: NDArray[np.int16]) -> Counterfactuals:
        """Delivery and energy efficiency under allocations `[B, N, 4]`, and of each channel without each of its nodes.

        Raises:
            ValueError: `joint`, whose delivery does not follow from one factor per interferer and gateway.
        """
        number = self.product_number()
        self.check_points(points, axes=3)
        check_named_channels(points)
        return Counterfactuals(*kernel.counterfactuals(self.tables, points, number))

    def product_number(self) -> int:
        """The number in `kernel` of a variant whose D_ik are products over interferers.

        Raises:
            ValueError: `joint`, whose D_ik are not.
        """
        if self.variant == "joint":
            raise ValueError("variant: 'joint' takes gateways together; this needs expect or meang")
        return _NUMBERS[self.variant]

    def check_points(self, points: NDArray[np.int16], axes: int = 2) -> None:
        """Raise ValueError for points that are not int16 `[N, 4]` or `[B, N, 4]`, or outside the region."""
        check_points(self.scenario, points, axes)


def check_scenario(scenario: Scenario) -> None:
    """Raise ValueError for physics that the model does not have."""
    air = scenario.propagation
    fields = (
        ("propagation.fading", air.fading, ("rayleigh",)),
        ("propagation.shadowing_db", air.shadowing_db, (0.0,)),
        ("reception.spares", scenario.reception.spares, ("target",)),
    )
    check_pairwise(scenario, "Rayleigh", fields)


def _of_rows(t: Tables, rows: ChannelRows) -> Tables:
    """The tables of delivery for rows of nodes that hop, each with its share of the node's traffic."""
    if len(rows.node) == len(t.gain) and (rows.traffic == 1.0).all():
        return t
    overlap = -np.expm1(rows.traffic[:, None] * np.log1p(-np.minimum(t.overlap[:, :, rows.node], 1.0 - 1e-16)))
    return t._replace(gain=t.gain[rows.node], size=t.size[rows.node], overlap=np.ascontiguousarray(overlap))


def _tables(scenario: Scenario, rate: Rate) -> Tables:
    """The tables of a scenario without a replica axis."""
    region, traffic, nodes = scenario.region, scenario.lone_traffic, scenario.nodes
    sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    tp_dbm = np.array(region.tp_dbm, np.float64)
    sizes, size = np.unique(np.broadcast_to(traffic.payload_bytes, nodes), return_inverse=True)
    airtime_s = scenario.airtime_s(sizes)[..., 0]
    spared_s = scenario.reception.spared_preamble_symbols * phy.symbol_time_s(sf, bw_hz)
    node_airtime_s, interval_s = airtime_s[size], scenario.interval_s()
    per_s = rates_per_s(rate, traffic, interval_s[:, None], node_airtime_s)
    window_s = node_airtime_s[None, None] + (airtime_s - spared_s)[:, :, None, None]
    costs = energy_costs(scenario)
    energy_mj = node_airtime_s[..., None] * costs.tp_mw + costs.windows_mj[:, :1]
    every_s = interval_s[:, None] + cycle_s(traffic, node_airtime_s)
    asleep_mj = costs.sleep_mw * np.where(np.isfinite(every_s), every_s, 0.0)
    bits = np.where(np.isfinite(interval_s), 8.0 * sizes[size], 0.0)
    loss_db = np.zeros(len(region.channels_hz)) if scenario.channel_loss_db is None else scenario.channel_loss_db
    tables = Tables(
        gain=units.db_to_ratio(scenario.mean_gain_db()),
        tp_mw=units.dbm_to_mw(tp_dbm),
        channel_gain=units.db_to_ratio(-np.asarray(loss_db, np.float64)),
        sensitivity_mw=units.dbm_to_mw(scenario.reception.sensitivities_dbm(sf, bw_hz)[:, 0]),
        inverse_sir=units.db_to_ratio(-thresholds_db(scenario)),
        size=size.astype(np.int64),
        overlap=-np.expm1(-window_s * per_s),
        meets=channel_overlaps(np.array(region.channels_hz), bw_hz, scenario.reception.channel_overlap)[:, 0, :, 0],
        airtime_s=node_airtime_s,
        energy_mj=energy_mj,
        bits_per_mj=np.asarray(metrics.ee_bits_per_mj(bits[:, None, None], energy_mj + asleep_mj[..., None])),
    )
    return Tables(**{name: np.ascontiguousarray(array) for name, array in tables._asdict().items()})
