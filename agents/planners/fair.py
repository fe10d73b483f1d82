"""EF-LoRa: the largest least energy efficiency, bottleneck first.

From `distance_sf`, the node of least energy efficiency gets the channel, spreading factor and power that make the least
of all nodes largest, again and again until that does not rise: within 0.5 % of the largest there is on networks that
are small enough to try everything. Delivery is not looked at.

Source: W. Gao et al., EF-LoRa, as MMALoRa names it, a greedy for max-min fairness.
Differences: the order of its greedy is not given by MMALoRa, and results hang on it. A pass over all nodes in turn that
takes any strict improvement ends at half the least; one that breaks ties by own energy efficiency gives fairness up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.ascent import every_point
from agents.planners.alone import delivery_alone
from agents.planners.rules import distance_sf
from lora_marl.core.expect.rayleigh import Rayleigh

_GAIN = 1e-9


def ef_lora(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Points of a large least energy efficiency; nothing is drawn."""
    t = closed_form.tables
    points, every = distance_sf(closed_form, rng, least_delivery, channel), every_point(closed_form.scenario)
    on = np.flatnonzero((t.bits_per_mj > 0.0).any(axis=(1, 2)))
    most = (delivery_alone(closed_form) * t.bits_per_mj)[:, every[:, 0], every[:, 3]]
    ee = closed_form.ee_bits_per_mj(points)
    while len(on):
        node = on[ee[on].argmin()]
        least, best = ee[node] * (1.0 + _GAIN), None
        for candidate in every[most[node] > least]:
            tried = points.copy()
            tried[node] = candidate
            tried_ee = closed_form.ee_bits_per_mj(tried)
            if tried_ee[on].min() > least:
                least, best, ee = tried_ee[on].min(), tried, tried_ee
        if best is None:
            break
        points = best
    return points
