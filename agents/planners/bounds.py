"""The worth of an allocation, and a bound that no allocation exceeds.

Without interference a packet is delivered with probability D_i^0 = 1 - prod over gateways k of (1 - e^-s_ik), where
s = sensitivity / mean power. No allocation gives a node more at the same spreading factor and power.

Source: ours; MMALoRa has no bound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import metrics
from lora_marl.core.expect import Rayleigh


class Summary(NamedTuple):
    """The figures of an allocation in MMALoRa's tables; nodes that are off do not count.

    Attributes:
        ee_sum: Sum of the nodes' energy efficiencies (Eq. 14). bits/mJ
        mean_delivery: Mean of D_i, the paper's PDR. 0 to 1
        violations: Number of nodes below the least delivery.
        share_of_bound: `ee_sum` over `upper_bound`; it may exceed 1 where there are violations.
    """

    ee_sum: float
    mean_delivery: float
    violations: int
    share_of_bound: float


def summarise(closed_form: Rayleigh, points: NDArray[np.int16], least_delivery: float) -> Summary:
    """The summary of an allocation `[N, 4]` by a closed form, for a least delivery D_th of 0 to 1."""
    on = (closed_form.tables.bits_per_mj > 0.0).any(axis=(1, 2))
    delivery = closed_form.delivery(points)[on]
    ee_sum = float(metrics.ee_sum_bits_per_mj(closed_form.ee_bits_per_mj(points)))
    share = ee_sum / upper_bound(closed_form, least_delivery)
    return Summary(ee_sum, float(delivery.mean()), int((delivery < least_delivery).sum()), share)


def upper_bound(closed_form: Rayleigh, least_delivery: float) -> float:
    """Energy efficiency that no allocation exceeds whose nodes all reach the least delivery, channels free. bits/mJ

    UB = sum over i of the largest EE_i^0 of the points with D_i^0 of at least the least delivery. A node that has no
    such point may fall short, so all its points count.
    """
    delivery = undisturbed_delivery(closed_form)
    ee, enough = delivery * closed_form.tables.bits_per_mj, delivery >= least_delivery
    enough |= ~enough.any(axis=(1, 2), keepdims=True)
    return float(np.where(enough, ee, 0.0).max(axis=(1, 2)).sum())


def undisturbed_delivery(closed_form: Rayleigh) -> NDArray[np.float64]:
    """Delivery D^0 without interference, in the channel of the least path loss `[N, S, T]`."""
    best = int(closed_form.tables.channel_gain.argmax())
    return closed_form.undisturbed_delivery(np.full(closed_form.scenario.nodes, best))
