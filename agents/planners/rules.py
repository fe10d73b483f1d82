"""Rules that look at positions at most: random choice, and the first stage of MMALoRa.

Source: MMALoRa: Table I (ranges), section V (matching at the highest power), section VII (RCST).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.matching import matched
from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.topology import distances_m

RANGE_M = 2000.0
"""SF7 serves nodes up to here, and every further spreading factor as much more (Table I)."""


def rcst(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Channel, spreading factor and power uniformly at random."""
    return rng.integers(0, closed_form.scenario.region.factor_sizes, (len(channel), 4)).astype(np.int16)


def distance_sf(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """The spreading factor of Table I for the distance to the nearest gateway, highest power; nothing is drawn."""
    region = closed_form.scenario.region
    apart_m = distances_m(closed_form.scenario.node_xy_m, closed_form.scenario.gateway_xy_m).min(axis=1)
    wanted = np.clip(np.ceil(apart_m / RANGE_M) + 6, 7, 12)
    known = np.array(region.spreading_factors)
    points = np.zeros((len(channel), 4), np.int16)
    points[:, 0] = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    points[:, 2], points[:, 3] = channel, len(region.tp_dbm) - 1
    return points


def matching(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """`distance_sf` after literal swap matching from the given channels."""
    return matched(closed_form, distance_sf(closed_form, rng, least_delivery, channel)).points
