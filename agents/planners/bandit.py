"""A table per node: every spreading factor and power once, then what paid most.

A node's reward is its marginal contribution while it reaches the least delivery, r_i = gamma_i (EE_c - EE_{c,-i}): what
its channel has with it less what the others would have without it. All nodes of all channels try their arms at the same
time, each in an order of its own, so that others' trials are noise; then each plays the arm of the highest reward
seen last, and notes what it gets now. It needs no model: the closed form only plays the environment.

Source: ours, a baseline for MMALoRa's critics; the reward is its Eq. (23) with the network's part left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh import Rayleigh

GREEDY_STEPS = 5


def table_bandit(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """The arms of highest reward, after every arm once and five greedy steps; where all are 0, slow and loud."""
    _, factors, powers = closed_form.tables.bits_per_mj.shape
    nodes, arms, node = len(channel), factors * powers, np.arange(len(channel))
    worth = np.zeros((nodes, arms))

    def played(arm: NDArray[np.intp]) -> NDArray[np.int16]:
        sf, tp = np.divmod(arms - 1 - arm, powers)
        return np.stack([sf, np.zeros(nodes), channel, tp], axis=1).astype(np.int16)

    for arm in rng.permuted(np.tile(np.arange(arms), (nodes, 1)), axis=1).T:
        worth[node, arm] = marginal_rewards(closed_form, played(arm), least_delivery)
    for _ in range(GREEDY_STEPS):
        arm = worth.argmax(axis=1)
        worth[node, arm] = marginal_rewards(closed_form, played(arm), least_delivery)
    return played(worth.argmax(axis=1))


def marginal_rewards(closed_form: Rayleigh, points: NDArray[np.int16], least_delivery: float) -> NDArray[np.float64]:
    """gamma_i (EE_c - EE_{c,-i}) of each node `[N]`. bits/mJ"""
    found = closed_form.counterfactuals(points[None])
    reached = found.delivery[0] >= least_delivery
    return np.where(reached, found.ee_sum[0] - found.ee_sum_without[0], 0.0)
