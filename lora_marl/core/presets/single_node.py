"""A network small enough for its best operating point to be known: one node that nothing disturbs.

A packet of a node that is alone on the air is delivered when its received power reaches the sensitivity, so with
normal shadowing of every packet

    P(delivered) = Phi((TP + gain - channel loss - sensitivity(SF, BW)) / sigma)

of every operating point ("super arm") is known, and with it the expected reward of each under any reward table.

| paper | name |
|---|---|
| super arm, a combination of one value of each factor | a cell of `[S, W, C, T]` |
| r*, the expected reward of the best arm (journal Eq. (25)) | the largest of `expected_rewards(...).sum(axis=0)` |

Source: D-LoRa journal Eq. (1)-(3) for the received power; nothing of this network is in a paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.region import FACTORS, Region
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic

CHANNEL_LOSS_DB = (8.0, 0.0, 9.0, 10.0)
"""Loss of the channels: the second is the best, so that a learner that prefers first values misses it. dB"""


def single_node_network(path_loss_db: float = 138.0, *, shadowing_db: float = 4.0) -> Scenario:
    """One node with 24 operating points: SF7 or SF12, four channels of which one is good, 4, 9 or 14 dBm.

    With the defaults SF12 on the second channel delivers 99.9 % at 14 dBm, 96 % at 9 dBm and 69 % at 4 dBm, SF7 there
    40 % at 14 dBm, and SF12 on the next best channel 84 %. Delivery alone is best at 14 dBm. D-LoRa's rewards (xi 1,
    eta 1.8) are best at 9 dBm, and that is the only equilibrium (`equilibria`). Other path losses are harder: at 140 dB
    D-LoRa's rewards sum to most at 14 dBm, but its power arm prefers 9 dBm.

    Args:
        path_loss_db: Of the node to the gateway, without the channel's loss. dB
        shadowing_db: Standard deviation of every packet's shadowing. dB
    """
    channels_hz = tuple(868.1e6 + 200e3 * channel for channel in range(len(CHANNEL_LOSS_DB)))
    region = Region(name="toy", channels_hz=channels_hz, spreading_factors=(7, 12), tp_dbm=(4.0, 9.0, 14.0))
    return Scenario(
        name="toy",
        node_xy_m=np.array([[1000.0, 0.0]]),
        region=region,
        propagation=Propagation(shadowing_db=shadowing_db),
        path_loss_db=np.array([[path_loss_db]]),
        channel_loss_db=np.array(CHANNEL_LOSS_DB),
        reception=Reception(inter_sf="none"),
        traffic=Traffic(interval_s=20.0, payload_bytes=20),
    )


def delivery_probabilities(scenario: Scenario) -> NDArray[np.float64]:
    """Exact probability that a packet is delivered, by operating point.

    Args:
        scenario: One node and one gateway; `reception.inter_sf` is `none`, shadowing is drawn per packet, no fading, no
            changes.

    Returns:
        `[S, W, C, T]`

    Raises:
        ValueError: a scenario for which this closed form does not hold, naming the field.
    """
    _check_alone(scenario)
    region = scenario.region
    sensitivity_dbm = scenario.reception.sensitivities_dbm(
        np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    )
    channels = len(region.channels_hz)
    loss_db = np.zeros(channels) if scenario.channel_loss_db is None else np.asarray(scenario.channel_loss_db)
    power_dbm = np.array(region.tp_dbm) + scenario.mean_gain_db()[0, 0] - loss_db[:, None]
    margin_db = power_dbm - sensitivity_dbm[:, :, None, None]
    sigma_db = scenario.propagation.shadowing_db
    if sigma_db == 0.0:
        return np.where(margin_db >= 0.0, 1.0, 0.0)
    return np.vectorize(_standard_normal_below)(margin_db / sigma_db)


def expected_rewards(
    delivered: NDArray[np.float64], rewards: NDArray[np.float64], factors: Sequence[str]
) -> NDArray[np.float64]:
    """Expected reward of every operating point to each learned factor; their sum is the value of a super arm.

    Args:
        delivered: Probabilities of delivery. `[S, W, C, T]`
        rewards: Reward of each value by fate, one factor after another (`agents.bandits.rewards`). `[5, K]`
        factors: The learned factors in the order of `FACTORS`, F of them.

    Returns:
        `[F, S, W, C, T]`

    Raises:
        ValueError: the number of rewards is not that of the factors' values.
    """
    axes = [FACTORS.index(name) for name in factors]
    sizes = [delivered.shape[axis] for axis in axes]
    if rewards.shape[1] != sum(sizes):
        raise ValueError(f"rewards: {rewards.shape[1]} values; {', '.join(factors)} have {sum(sizes)}")
    parts = np.split(rewards, np.cumsum(sizes)[:-1], axis=1)
    expected = np.empty((len(axes), *delivered.shape))
    for factor, axis, part in zip(expected, axes, parts, strict=True):
        shape = [-1 if other == axis else 1 for other in range(delivered.ndim)]
        won, lost = (part[fate].reshape(shape) for fate in (Fate.DELIVERED, Fate.BELOW_SENSITIVITY))
        factor[...] = delivered * won + (1.0 - delivered) * lost
    return expected


def equilibria(rewards: NDArray[np.float64], factors: Sequence[str]) -> NDArray[np.bool_]:
    """Nash equilibria of the factors: operating points at which each factor's value is its best while the others stay.

    A learner with one bandit per factor can only settle on such points. The point with the largest sum need not be one.

    Args:
        rewards: As of `expected_rewards`. `[F, S, W, C, T]`
        factors: The learned factors.

    Returns:
        `[S, W, C, T]`
    """
    best = [
        reward >= reward.max(axis=FACTORS.index(name), keepdims=True)
        for name, reward in zip(factors, rewards, strict=True)
    ]
    return np.all(best, axis=0)


def _standard_normal_below(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _check_alone(scenario: Scenario) -> None:
    propagation = scenario.propagation
    wrong = {
        "node_xy_m": (scenario.nodes, 1),
        "gateway_xy_m": (scenario.gateways, 1),
        "reception.inter_sf": (scenario.reception.inter_sf, "none"),
        "propagation.fading": (propagation.fading, "none"),
        "propagation.shadowing": (propagation.shadowing, "packet"),
        "traffic.confirmed": (scenario.traffic.confirmed, False),
        "interference": (scenario.interference, None),
        "changes": (len(scenario.changes), 0),
        "mean_gain_db": (scenario.mean_gain_db().ndim, 2),
    }
    for name, (value, needed) in wrong.items():
        if value != needed:
            raise ValueError(f"scenario.{name}: {value!r}; the delivery of a node alone is known only with {needed!r}")
