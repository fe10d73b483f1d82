"""LS: coordinate ascent over the spreading factors and powers of all nodes, the reference of MMALoRa's tables.

Nodes are visited in random order, and each takes the point of its channel that maximises

    sum of EE_i - 1000 sum of (D_th - D_i)^+ - 300 (number of i with D_i < D_th)

until a sweep changes nothing; on MMALoRa's networks no node has more than 40 bits/mJ to win by falling short. From
three starts, `distance_sf`, `independent` and random points; the best end is kept.

Source: ours. It is a reference and no bound; `alone.upper_bound` is one, and it comes within 0.6 % of that on MMALoRa's
networks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.ascent import climbed, every_point
from agents.planners.alone import independent
from agents.planners.rules import distance_sf, rcst
from lora_marl.core.expect.rayleigh import Incremental, Rayleigh, Totals, Trial

PRICE_OF_SHORTFALL, PRICE_OF_ONE_SHORT = 1000.0, 300.0
MOST_SWEEPS = 50


def energy_ascent(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """The best allocation that the ascents end at."""
    every = every_point(closed_form.scenario)
    candidates = np.tile(every[every[:, 2] == 0], (len(channel), 1, 1))
    candidates[..., 2] = channel[:, None]
    ends = []
    for start in (distance_sf, independent, rcst):
        begin = start(closed_form, rng, least_delivery, channel)
        begin[:, 2] = channel
        allocation = Incremental(closed_form, begin, least_delivery=least_delivery)
        climbed(allocation, penalised, MOST_SWEEPS, candidates)
        ends.append(allocation)
    return max(ends, key=lambda end: penalised(end.totals())).points


def penalised(sums: Totals | Trial) -> list[tuple[bool, float]]:
    """Energy efficiency less what short nodes cost, in the form of `ascent.rank`."""
    value = np.atleast_1d(sums.ee_sum - PRICE_OF_SHORTFALL * sums.shortfall - PRICE_OF_ONE_SHORT * sums.short)
    return [(True, each) for each in value.tolist()]
