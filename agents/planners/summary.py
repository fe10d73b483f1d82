"""One row of a table: what an allocation is worth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.planners.alone import upper_bound
from lora_marl.core import metrics
from lora_marl.core.expect.rayleigh import Rayleigh


class Row(NamedTuple):
    """What every table of MMALoRa shows of an allocation; nodes that are off do not count.

    Attributes:
        ee_sum: Sum of the nodes' energy efficiencies (Eq. 14). bits/mJ
        mean_delivery: Mean of D_i, the paper's PDR.
        violations: How many nodes are below the least delivery.
        share_of_bound: `ee_sum` over `alone.upper_bound`; may exceed 1 where there are violations.
    """

    ee_sum: float
    mean_delivery: float
    violations: int
    share_of_bound: float


def row(closed_form: Rayleigh, points: NDArray[np.int16], least_delivery: float) -> Row:
    """The row of an allocation `[N, 4]`, by the closed form that is given."""
    on = (closed_form.tables.bits_per_mj > 0.0).any(axis=(1, 2))
    delivery = closed_form.delivery(points)[on]
    ee_sum = float(metrics.ee_sum_bits_per_mj(closed_form.ee_bits_per_mj(points)))
    share = ee_sum / upper_bound(closed_form, least_delivery)
    return Row(ee_sum, float(delivery.mean()), int((delivery < least_delivery).sum()), share)
