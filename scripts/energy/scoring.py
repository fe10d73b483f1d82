"""What an allocation is worth, by three judges: the closed form, its exact refinement, and packets on the air."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.planners.alone import upper_bound
from lora_marl.core import metrics
from lora_marl.core.air import Air
from lora_marl.core.expect.rayleigh import Rayleigh
from scripts.energy.networks import Network
from scripts.measures import Row

JUDGES = ("expect", "joint", "packets")
PACKETS_PER_NODE = 2000


def scores(network: Network, points: NDArray[np.int16], least_delivery: float) -> Row:
    """What each judge says, and the `bound` that no allocation without violations exceeds.

    `ee_<judge>` (sum of the nodes' EE, bits/mJ), `share_<judge>` (of the bound), `pdr_<judge>`, `violations_<judge>`.
    Violations by packets are nodes that are below by more than two standard errors of `PACKETS_PER_NODE` packets.
    """
    closed_form = network.closed_form
    delivery = {
        "expect": closed_form.delivery(points),
        "joint": Rayleigh(closed_form.scenario, variant="joint", rate=closed_form.rate).delivery(points),
        "packets": played(network, points),
    }
    slack = 2.0 * np.sqrt(least_delivery * (1.0 - least_delivery) / PACKETS_PER_NODE)
    sf, _, _, tp = points.T
    bits_per_mj = closed_form.tables.bits_per_mj[np.arange(len(points)), sf, tp]
    found = {"bound": upper_bound(closed_form, least_delivery)}
    for judge in JUDGES:
        short = delivery[judge] < least_delivery - (slack if judge == "packets" else 0.0)
        found[f"ee_{judge}"] = float(metrics.ee_sum_bits_per_mj(bits_per_mj * delivery[judge]))
        found[f"share_{judge}"] = found[f"ee_{judge}"] / found["bound"]
        found[f"pdr_{judge}"] = float(delivery[judge].mean())
        found[f"violations_{judge}"] = float(short.sum())
    return found


def played(network: Network, points: NDArray[np.int16]) -> NDArray[np.float64]:
    """Share of each node's packets that the air delivers `[N]`."""
    scenario = network.closed_form.scenario
    slowest_s = PACKETS_PER_NODE / float(network.closed_form.expect(points).packets_per_s.min())
    outcome = Air(scenario, [network.seed]).advance(points[None], slowest_s)
    return np.asarray(metrics.pdr(outcome.sent[0], outcome.delivered[0]))
