"""What nodes reach if nobody disturbs them: the choice that is best for each alone, and the bound that follows.

Delivery without interference is D_i^0 = 1 - prod over gateways k of (1 - e^-s_ik), s = sensitivity / mean power, and
no allocation gives a node more at the same spreading factor and power.

Source: ours; MMALoRa has no bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh import Rayleigh

KEPT_FOR_INTERFERENCE = 0.015
"""Share of the delivery that `independent` gives interference."""


def delivery_alone(closed_form: Rayleigh) -> NDArray[np.float64]:
    """Delivery without interference in the channel of the least path loss `[N, S, T]`."""
    best = int(closed_form.tables.channel_gain.argmax())
    return closed_form.undisturbed_delivery(np.full(closed_form.scenario.nodes, best))


def best_alone(delivery: NDArray[np.float64], ee: NDArray[np.float64], least_delivery: float) -> NDArray[np.intp]:
    """Index of the highest EE of enough delivery, else of the highest delivery, of choices `[N, K]`: `[N]`."""
    enough = delivery >= least_delivery
    return np.where(enough.any(axis=1), np.where(enough, ee, -1.0).argmax(axis=1), delivery.argmax(axis=1))


def independent(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Each node's best point if it were alone, with 1.5 % of its delivery given to interference; nothing is drawn."""
    t = closed_form.tables
    alone = closed_form.undisturbed_delivery(channel)
    nodes, powers = len(alone), alone.shape[2]
    flat, ee = alone.reshape(nodes, -1), (alone * t.bits_per_mj).reshape(nodes, -1)
    points = np.zeros((nodes, 4), np.int16)
    points[:, 0], points[:, 3] = np.divmod(best_alone((1 - KEPT_FOR_INTERFERENCE) * flat, ee, least_delivery), powers)
    points[:, 2] = channel
    return points


def upper_bound(closed_form: Rayleigh, least_delivery: float) -> float:
    """Energy efficiency that no allocation exceeds whose nodes all reach the least delivery, channels free. bits/mJ

    UB = sum over i of the largest EE_i^0 of the points with D_i^0 of at least the least delivery; of all points for a
    node that has none, which therefore may fall short.
    """
    alone = delivery_alone(closed_form)
    ee, enough = alone * closed_form.tables.bits_per_mj, alone >= least_delivery
    enough |= ~enough.any(axis=(1, 2), keepdims=True)
    return float(np.where(enough, ee, 0.0).max(axis=(1, 2)).sum())
