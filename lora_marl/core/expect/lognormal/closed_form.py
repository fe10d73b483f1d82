"""Delivery in expectation with log-normal shadowing and any number of gateways: NoReL's model and what it leaves out.

| variant | shadowing of a pair | gateways |
|---|---|---|
| `joint` | the target's own is common to all its interferers: exact (`joint`) | one and two; more: `pairwise` |
| `pairwise` | every pair by itself, sqrt(2) sigma (`pairwise`) | up to eight in a node's reach |
| `compat` | as the authors' code: 2 sigma, cut off (`reference`) | up to five in a node's reach |

Rates: `lora_marl.core.expect.physics`; `linear` stays unclipped, as printed.

One gateway costs O(N) per class of targets (`lora_marl.core.expect.integrals`); `compat` and several gateways O(N^2).
Against the packet air without downlinks, at lambda 0.001 and 0.005 per second, `joint` is within 0.3 and 0.5 points for
one and two gateways (that any node may reach). With three and more, `pairwise` takes the gateways' shadowing and the
pairs for independent, which costs 0.7 to 1.3 points of PDR at lambda 0.005 (three to five gateways, discs of 2 to
6 km).

With one gateway, `pairwise` is a lower bound of `joint`. Being heard and surviving each interferer all become likelier
with the target's own power. Such events are positively associated (Chebyshev's inequality), so that the probability of
all of them is at least the product that `pairwise` takes. With several gateways that holds for each set of gateways.
The sets enter with both signs, so that nothing bounds their sum; measured means are low there as well.

Nodes that hop: `lora_marl.core.expect.hopping`, where channels do not overlap.

Source: NoReL, section on the delivery ratio, from the INFOCOM'21 model; `joint` is ours.
Approximations: packets of different nodes overlap independently, and each node's at most once; interferers do not add
up (`sir_pairwise`, or collisions within a spreading factor alone under `none`).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import phy
from lora_marl.core.checks import check_choice
from lora_marl.core.energy import energy_costs
from lora_marl.core.expect.expectation import Expectation
from lora_marl.core.expect.hopping import channel_rows
from lora_marl.core.expect.lognormal import joint, pairwise, reference
from lora_marl.core.expect.lognormal.reference import Network
from lora_marl.core.expect.physics import (
    Rate,
    check_pairwise,
    check_points,
    check_rate,
    cycle_s,
    rates_per_s,
    thresholds_db,
)
from lora_marl.core.reception import channel_overlaps
from lora_marl.core.scenario import Scenario

Variant = Literal["joint", "pairwise", "compat"]


class LogNormal:
    """The closed form of a scenario; changes on schedule and downlinks are left out.

    Args:
        scenario: The network.
        variant: `joint`, `pairwise` or `compat`; the module's page tells them apart.
        rate: How often nodes send; None: `linear` for `compat`, else `renewal`.
        replica: Which placement, where there are several.

    Raises:
        ValueError: an unknown variant or rate, or physics that the formula does not have, naming it.
    """

    def __init__(
        self, scenario: Scenario, *, variant: Variant = "joint", rate: Rate | None = None, replica: int = 0
    ) -> None:
        check_choice("variant", variant, get_args(Variant))
        self.rate: Rate = rate or ("linear" if variant == "compat" else "renewal")
        check_rate(self.rate)
        check_scenario(scenario)
        self.scenario = scenario = scenario.replica(replica)
        self.variant = variant
        self._gain_db, self._costs = scenario.mean_gain_db(), energy_costs(scenario)
        region, traffic = scenario.region, scenario.traffic
        sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz)
        self._payload = np.broadcast_to(traffic.payload_bytes, scenario.nodes)
        self._interval_s = scenario.interval_s()
        self._airtime_s = scenario.airtime_s(self._payload)[..., 0]
        self._spared_s = scenario.reception.spared_preamble_symbols * phy.symbol_time_s(sf, bw_hz)
        self._sensitivity_dbm = scenario.reception.sensitivities_dbm(sf, bw_hz)[:, 0]
        self._threshold_db = thresholds_db(scenario)
        overlaps = channel_overlaps(np.array(region.channels_hz), bw_hz, scenario.reception.channel_overlap)
        self._meets = np.ascontiguousarray(overlaps[:, 0, :, 0])

    def network(self, points: NDArray[np.int16], nodes: NDArray[np.intp] | None = None) -> Network:
        """The formulas' network of an allocation `[N, 4]`, or of points `[M, 4]` of certain nodes `[M]`."""
        sf, _, channel, tp = np.ascontiguousarray(points.T, np.int64)
        node, region = np.arange(len(points)) if nodes is None else nodes, self.scenario.region
        loss_db = 0.0 if self.scenario.channel_loss_db is None else np.asarray(self.scenario.channel_loss_db)[channel]
        airtime_s = self._airtime_s[node, sf]
        return Network(
            mean_dbm=self._gain_db[node] + (np.array(region.tp_dbm, np.float64)[tp] - loss_db)[:, None],
            sensitivity_dbm=self._sensitivity_dbm[sf],
            sf=sf,
            channel=channel,
            airtime_s=airtime_s,
            spared_s=self._spared_s[sf],
            rate_per_s=rates_per_s(self.rate, self.scenario.lone_traffic, self._interval_s[node], airtime_s),
            threshold_db=self._threshold_db,
            meets=self._meets,
            sigma_db=float(self.scenario.propagation.shadowing_db),
        )

    def delivery(self, points: NDArray[np.int16]) -> NDArray[np.float64]:
        """Probability that a packet of each node is delivered `[N]`."""
        check_points(self.scenario, points)
        rows = channel_rows(self.scenario, points, distinct=True)
        net = self.network(rows.points, rows.node)
        net = net._replace(rate_per_s=net.rate_per_s * rows.traffic)
        return rows.mean(self._delivery(net))

    def _delivery(self, net: Network) -> NDArray[np.float64]:
        """Probability of delivery of each row of a network `[M]`."""
        if self.variant == "compat" or net.sigma_db == 0.0:
            return reference.delivery(net, compat=self.variant == "compat")
        if self.variant == "joint" and len(gateways := joint.audible(net)) <= joint.MOST_GATEWAYS:
            return joint.delivery(net, gateways)
        return pairwise.delivery(net)

    def expect(self, points: NDArray[np.int16]) -> Expectation:
        """The expectation of an allocation `[N, 4]`."""
        return self.expectation(points, np.arange(len(points)), self.delivery(points))

    def expectation(
        self, points: NDArray[np.int16], nodes: NDArray[np.intp], delivery: NDArray[np.float64]
    ) -> Expectation:
        """The expectation of points `[M, 4]` of certain nodes `[M]` with given probabilities of delivery `[M]`."""
        airtime_s = self._airtime_s[nodes, points[:, 0]]
        return Expectation(
            delivery=delivery,
            packets_per_s=1.0 / (self._interval_s[nodes] + cycle_s(self.scenario.lone_traffic, airtime_s)),
            energy_mj=self._costs.tp_mw[points[:, 3]] * airtime_s + self._costs.windows_mj[points[:, 0], 0],
            airtime_s=airtime_s,
            bits=8.0 * self._payload[nodes],
            sleep_mw=self._costs.sleep_mw,
        )


def check_scenario(scenario: Scenario) -> None:
    """Raise ValueError for physics that the model does not have."""
    air = scenario.propagation
    check_pairwise(
        scenario,
        "log-normal",
        (
            ("propagation.fading", air.fading, ("none",)),
            ("propagation.shadowing", air.shadowing if air.shadowing_db > 0 else "packet", ("packet",)),
        ),
    )
    if scenario.gateways > 1 and air.shadowing_common_share > 0.0:
        raise ValueError(
            f"propagation.shadowing_common_share: {air.shadowing_common_share} has no log-normal closed form; use 0"
        )
