"""The observation of a node under `energy_v0`: its delivery, its energy efficiency and its distance to each gateway.

Shape letters: `B` replicas, `N` nodes, `G` gateways, `D` features.

Source: MMALoRa Eq. (20); the constants that scale it are ours.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh import Counterfactuals, Rayleigh
from lora_marl.core.scenario import Scenario
from lora_marl.core.topology import distances_m
from lora_marl.envs.features import Feature

EE_SCALE_BITS_PER_MJ = 10.0
"""Energy efficiency that counts as 1. bits/mJ"""

DISTANCE_SCALE_M = 12_000.0
"""Distance that counts as 1. m"""

FARTHEST = 4.0
"""Scaled distance from which on all distances look the same."""


def feature_table(model: Rayleigh) -> tuple[Feature, ...]:
    """The features of a node in the network of a closed form, in their order."""
    highest = math.ceil(model.tables.bits_per_mj.max() / EE_SCALE_BITS_PER_MJ)
    gateways = tuple(map(str, range(model.scenario.gateways)))
    km = f"{DISTANCE_SCALE_M / 1000:g} km"
    return (
        Feature("delivery", "probability", 0, 1, "D_i of the last step"),
        Feature("ee", f"{EE_SCALE_BITS_PER_MJ:g} bits/mJ", 0, highest, "EE_i of the last step"),
        Feature("distance_", km, 0, FARTHEST, "to each gateway, at most the maximum", gateways),
    )


def scaled_distances(scenario: Scenario) -> NDArray[np.float64]:
    """Distances to the gateways in units of `DISTANCE_SCALE_M`, at most `FARTHEST`. `[N, G]`"""
    distances = distances_m(scenario.node_xy_m, scenario.gateway_xy_m) / DISTANCE_SCALE_M
    return np.minimum(distances, FARTHEST)


def observation_array(expected: Counterfactuals, distances: NDArray[np.float64]) -> NDArray[np.float32]:
    """The observations of all nodes.

    Args:
        expected: The expected outcome of the last step.
        distances: See `scaled_distances`. `[N, G]`

    Returns:
        Values of `feature_table`. `[B, N, D]`
    """
    values = np.empty((*expected.delivery.shape, 2 + distances.shape[1]), np.float32)
    values[..., 0] = expected.delivery
    values[..., 1] = expected.ee / EE_SCALE_BITS_PER_MJ
    values[..., 2:] = distances
    return values
