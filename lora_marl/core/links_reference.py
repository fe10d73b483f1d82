"""Measured links as a plain statement over recorded packets, to test the compiled air against.

It computes every received power anew, slow terms from their first step on.

Shape letters: `P` packets, `G` gateways.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.links import STEPS_PER_TIME_CONSTANT, Links
from lora_marl.core.outcome import Packets
from lora_marl.core.random import draw_index, exponential, normal, stream_key, uniform
from lora_marl.core.scenario import NO_LINK_DB, Scenario


def raised_db(scenario: Scenario, packets: Packets) -> NDArray[np.float64]:
    """The decibels that each packet's link and channel add to the sensitivity of a gateway. `[P, G]` dB"""
    if scenario.links is None:
        return np.zeros((len(packets.source), scenario.gateways))
    links, channel = scenario.links, packets.point[:, 2]
    own_db = np.broadcast_to(links.sensitivity_db, (scenario.nodes, scenario.gateways))[packets.source]
    return own_db + noise_db(scenario, channel)


def noise_db(scenario: Scenario, channel: NDArray[np.int16]) -> NDArray[np.float64]:
    """Noise of gateways on the channels of packets, above the noise floor. `[P]` -> `[P, G]` dB"""
    shape = scenario.gateways, len(scenario.region.channels_hz)
    links = Links() if scenario.links is None else scenario.links
    return np.broadcast_to(links.noise_db, shape).T[channel]


def unheard(scenario: Scenario, packets: Packets, seed: int) -> NDArray[np.bool_]:
    """Packets that meet a gateway that is off or misses them, or that are lost whatever their links. `[P, G]`"""
    missed = np.zeros((len(packets.source), scenario.gateways), np.bool_)
    if scenario.links is None:
        return missed
    for gateway, from_s, until_s in scenario.links.off:
        missed[:, gateway] |= (packets.start_s < until_s) & (packets.end_s > from_s)
    key = stream_key(seed, "lost")
    drawn = [uniform(key, n, index) for n, index in zip(packets.source, packets.index, strict=True)]
    share = np.broadcast_to(scenario.links.missed_share, (scenario.nodes, scenario.gateways))
    for p, (n, index) in enumerate(zip(packets.source, packets.index, strict=True)):
        for gateway in range(scenario.gateways):
            missed[p, gateway] |= uniform(key, n, draw_index(index, gateway)) < share[n, gateway]
    return missed | (np.array(drawn) < scenario.links.lost_share)[:, None]


def received_dbm(scenario: Scenario, packets: Packets, seed: int) -> NDArray[np.float64]:
    """Received power of uplinks of one episode, for shadowing that is drawn for each packet. `[P, G]` dBm"""
    links, gateways = scenario.links, scenario.gateways
    assert links is not None
    tp_dbm = np.array(scenario.region.tp_dbm)[packets.point[:, 3]]
    power_dbm = np.empty((len(tp_dbm), gateways))
    common_db, own_db = scenario.propagation.shadowing_parts_db
    spread_db = np.broadcast_to(own_db if links.spread_db is None else links.spread_db, (scenario.nodes, gateways))
    shadowing_key, fading_key = stream_key(seed, "shadowing"), stream_key(seed, "fading")
    for p, (n, index) in enumerate(zip(packets.source, packets.index, strict=True)):
        channel = int(packets.point[p, 2])
        for g in range(gateways):
            power_dbm[p, g] = tp_dbm[p] + _gain_db(scenario, links, n, g, channel)
            power_dbm[p, g] += common_db * normal(shadowing_key, n, draw_index(index, -1))
            power_dbm[p, g] += spread_db[n, g] * _packet_draw(links, shadowing_key, n, index, g, gateways)
            power_dbm[p, g] += _slow_db(scenario, links, seed, n, g, channel, packets.start_s[p])
            if scenario.propagation.fading == "rayleigh":
                power_dbm[p, g] += 10.0 * np.log10(exponential(fading_key, n, draw_index(index, g)))
    return power_dbm


def downlink_dbm(scenario: Scenario, downlinks: Packets, sent_s: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Received power of downlinks of one episode at their nodes, for shadowing that is drawn for each packet.

    The link is reciprocal: mean and slow terms are those of the uplink that the downlink answers, at its end, and the
    spread is the link's, drawn anew.

    Args:
        scenario: Its gateways send at one power on all channels.
        downlinks: `P` downlinks in RX1, on the uplink's channel.
        sent_s: End of the uplink that each answers. `[P]` s
        seed: Of the replica.

    Returns:
        `[P]` dBm
    """
    links, key = scenario.links, stream_key(seed, "downlink")
    assert links is not None
    common_db, own_db = scenario.propagation.shadowing_parts_db
    spread_db = np.broadcast_to(
        own_db if links.spread_db is None else links.spread_db, (scenario.nodes, scenario.gateways)
    )
    power_dbm = np.empty(len(sent_s))
    for p, (n, g, index) in enumerate(zip(downlinks.source, downlinks.gateway, downlinks.index, strict=True)):
        channel, counter = int(downlinks.point[p, 2]), draw_index(index + 1, g)
        power_dbm[p] = scenario.receive_windows.tp_dbm[channel] + _gain_db(scenario, links, n, g, channel)
        power_dbm[p] += _slow_db(scenario, links, seed, n, g, channel, sent_s[p])
        power_dbm[p] += math.hypot(common_db, spread_db[n, g]) * normal(key, n, counter)
        if scenario.propagation.fading == "rayleigh":
            power_dbm[p] += 10.0 * np.log10(exponential(key, n, ~counter))
    return power_dbm


def _gain_db(scenario: Scenario, links: Links, n: int, g: int, channel: int) -> float:
    """Mean gain of a link on a channel. dB"""
    channel_db = 0.0 if scenario.channel_loss_db is None else float(scenario.channel_loss_db[channel])
    if links.path_loss_db is None:
        return float(scenario.mean_gain_db()[n, g]) - channel_db
    loss_db = min(float(links.path_loss_db[n, g, channel]), NO_LINK_DB)
    return scenario.propagation.antenna_gain_db - loss_db - channel_db


def _packet_draw(links: Links, key: np.uint64, n: int, index: int, g: int, gateways: int) -> float:
    """Standard normal draw of a packet at a gateway, with the part that its group shares."""
    own, group = normal(key, n, draw_index(index, g)), links.group_of(gateways)[g]
    if group < 0:
        return float(own)
    shared = normal(key, n, draw_index(index, 2**14 + group))
    return float(math.sqrt(links.group_share) * shared + math.sqrt(1.0 - links.group_share) * own)


def _slow_db(scenario: Scenario, links: Links, seed: int, n: int, g: int, channel: int, at_s: float) -> float:
    """Both slow terms of a link at a time. dB"""
    gateways, key = scenario.gateways, stream_key(seed, "slow")
    channels, places = len(scenario.region.channels_hz), gateways + len(links.groups)
    group = links.group_of(gateways)
    total_db = 0.0
    for number, sigma, constant in (
        (0, links.slow_db, links.slow_s),
        (channel + 1, links.channel_slow_db, links.channel_slow_s),
    ):
        sigma_db = np.broadcast_to(sigma, (scenario.nodes, gateways))[n, g]
        constant_s = np.broadcast_to(constant, (scenario.nodes, gateways))[n]

        def process(place: int, member: int, number: int = number, constant_s: NDArray = constant_s) -> float:
            series = (n * places + place) * (channels + 1) + number
            return _first_order(key, series, int(at_s / (constant_s[member] / STEPS_PER_TIME_CONSTANT)))

        own = process(g, g)
        if group[g] >= 0:
            shared = process(gateways + group[g], int(np.flatnonzero(group == group[g])[0]))
            own = math.sqrt(links.group_share) * shared + math.sqrt(1.0 - links.group_share) * own
        total_db += float(sigma_db) * own
    return total_db


def _first_order(key: np.uint64, series: int, step: int) -> float:
    """An AR(1) process of variance 1 after a number of steps, each a 32nd of its time constant."""
    kept = math.exp(-1.0 / STEPS_PER_TIME_CONSTANT)
    value = float(normal(key, series, 0))
    for k in range(1, step + 1):
        value = kept * value + math.sqrt(1.0 - kept * kept) * float(normal(key, series, k))
    return value
