"""The reception rule as a plain statement over all pairs of recorded packets, to test the compiled loop against.

It takes `P x P` memory and uses no events, lists or running sums.

Shape letters: `P` packets in order of start, `G` gateways. Of a pair, the row is the packet that is judged and the
column the one that disturbs it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import links_reference, phy, units
from lora_marl.core.outcome import BURST_KIND, UPLINK_KIND, Packets, Receptions
from lora_marl.core.random import stream_key, uniform
from lora_marl.core.reception import Fate
from lora_marl.core.region import CHANNEL, HOP
from lora_marl.core.scenario import Scenario

Pairs = NDArray[np.bool_]


@dataclass(frozen=True)
class _Facts:
    """Times and pairs that the rule needs; `hits[i, j]`: packet j may harm packet i."""

    sf: NDArray[np.int64]
    bw: NDArray[np.int64]
    earlier: Pairs
    hits: Pairs
    same_sf: Pairs
    equal_bw: Pairs
    critical_s: NDArray[np.float64]
    burst_s: NDArray[np.float64]  # how long burst j is on packet i's channel while that packet may be harmed
    burst_first: Pairs  # whether it began before


def _facts(scenario: Scenario, packets: Packets, bursts: Packets) -> _Facts:
    rx, region = scenario.reception, scenario.region
    sf, bw, channel = (packets.point[:, f].astype(int) for f in range(3))
    order = np.arange(len(sf))
    earlier = order[None, :] < order[:, None]
    together = (packets.start_s[None, :] < packets.end_s[:, None]) & (packets.end_s[None, :] > packets.start_s[:, None])
    np.fill_diagonal(together, False)
    bw_hz, carrier_hz = np.array(region.bandwidths_hz)[bw], np.array(region.channels_hz)[channel]
    symbol_s = 2.0 ** np.array(region.spreading_factors)[sf] / bw_hz
    critical_s = packets.start_s + rx.spared_preamble_symbols * symbol_s
    critical = packets.end_s[None, :] > critical_s[:, None]
    if rx.spares == "pair":
        critical = np.where(earlier, critical, critical.T)
    equal_bw = bw[:, None] == bw[None, :]
    burst_s = np.minimum(packets.end_s[:, None], bursts.end_s) - np.maximum(critical_s[:, None], bursts.start_s)
    return _Facts(
        sf=sf,
        bw=bw,
        earlier=earlier,
        hits=together & critical & _near(carrier_hz, bw_hz, rx.channel_overlap),
        same_sf=(sf[:, None] == sf[None, :]) & (equal_bw | (not rx.same_sf_needs_equal_bw)),
        equal_bw=equal_bw,
        critical_s=critical_s,
        burst_s=np.where(channel[:, None] == bursts.point[:, 2], np.maximum(burst_s, 0.0), 0.0),
        burst_first=bursts.start_s <= packets.start_s[:, None],
    )


def _near(carrier_hz: NDArray[np.float64], bw_hz: NDArray[np.float64], rule: str) -> Pairs:
    """Which packets' spectra overlap."""
    apart_hz = np.abs(carrier_hz[:, None] - carrier_hz[None, :])
    if rule == "bandwidth":
        return apart_hz < (bw_hz[:, None] + bw_hz[None, :]) / 2
    widest_hz = np.maximum(bw_hz[:, None], bw_hz[None, :])
    return apart_hz <= np.where(widest_hz == 500e3, 120e3, np.where(widest_hz == 250e3, 60e3, 30e3))


def _meets(advantage: NDArray[np.float64], threshold: NDArray[np.float64] | float, equality: bool) -> NDArray[np.bool_]:
    """Whether an advantage meets its threshold; `equality`: one that equals it does."""
    return (advantage > threshold) | (equality & (advantage == threshold))


def _fails_db_ratio(
    scenario: Scenario, packets: Packets, facts: _Facts, rssi_dbm: NDArray[np.float64], noise: NDArray[np.float64]
) -> NDArray[np.bool_]:
    on_air = facts.earlier & (packets.end_s[None, :] > packets.start_s[:, None])
    ratio = rssi_dbm / ((on_air * rssi_dbm[None, :]).sum(1) + noise)
    sinr_db = 10.0 * np.log10(np.where(ratio < 0, 1.0, ratio))
    thresholds_db = scenario.reception.sinr_thresholds_db(np.array(scenario.region.spreading_factors))
    return sinr_db < thresholds_db[facts.sf]


def _noise_like(scenario: Scenario, facts: _Facts) -> Pairs:
    """Which hits act as noise, by the sum of their power."""
    rule = scenario.reception.inter_sf
    if rule in ("none", "db_ratio"):
        return np.zeros_like(facts.hits)
    pairs = facts.hits & ~facts.same_sf
    if rule != "sinr":
        pairs &= ~facts.equal_bw
    return pairs & facts.earlier if scenario.reception.interferers == "at_start" else pairs


def _passes_energy(
    scenario: Scenario,
    packets: Packets,
    facts: _Facts,
    power_mw: NDArray[np.float64],
    burst_mw: NDArray[np.float64],
    sir_db: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Signal energy against the summed energy of each interfering spreading factor, and against that of bursts."""
    last_s = np.minimum(packets.end_s[:, None], packets.end_s[None, :])
    first_s = np.maximum(facts.critical_s[:, None], packets.start_s[None, :])
    energy = np.where(facts.hits & facts.equal_bw, power_mw[None, :] * np.maximum(last_s - first_s, 0.0), 0.0)
    signal = power_mw * (packets.end_s - packets.start_s)
    passes = np.ones(len(signal), np.bool_)
    for other in np.unique(facts.sf):
        summed = energy[:, facts.sf == other].sum(1)
        ratio = units.db_to_ratio(sir_db[facts.sf, other])
        met = _meets(signal, ratio * summed, scenario.reception.equality_survives)
        passes &= met | (summed == 0.0)
    summed = (facts.burst_s * burst_mw).sum(1)
    met = _meets(signal, _sinr_ratio(scenario, facts) * summed, scenario.reception.equality_survives)
    return passes & (met | (summed == 0.0))


def _sinr_ratio(scenario: Scenario, facts: _Facts) -> NDArray[np.float64]:
    """Signal to noise, as a ratio, that each packet needs. `[P]`"""
    sf = np.array(scenario.region.spreading_factors)[facts.sf]
    return units.db_to_ratio(scenario.reception.sinr_thresholds_db(sf))


def _disturbed(
    scenario: Scenario,
    packets: Packets,
    facts: _Facts,
    rssi_dbm: NDArray[np.float64],
    burst_mw: NDArray[np.float64],
    lost: NDArray[np.bool_],
    noise_ratio: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which packets the others interfere with, and which they collide with, at one gateway."""
    rx = scenario.reception
    bw_hz = np.array(scenario.region.bandwidths_hz)[facts.bw]
    noise_dbm = phy.noise_dbm(bw_hz, rx.noise_figure_db)
    if rx.negligible_db is not None:
        facts = replace(facts, hits=facts.hits & (rssi_dbm >= noise_dbm - rx.negligible_db))
    power_mw = units.dbm_to_mw(rssi_dbm)
    advantage_db = rssi_dbm[:, None] - rssi_dbm[None, :]
    colliding = facts.hits & facts.same_sf & ~_meets(advantage_db, rx.capture_db, rx.equality_survives)
    if not rx.lost_packets_interfere:
        colliding &= ~np.where(facts.earlier, lost[:, None], lost[None, :])
    interfered = np.zeros(len(rssi_dbm), np.bool_)
    noise_like_mw = (_noise_like(scenario, facts) * power_mw[None, :]).sum(1)
    if rx.inter_sf != "sir_energy":
        in_burst = facts.burst_s > 0.0
        in_burst &= facts.burst_first | (rx.interferers != "at_start")
        noise_like_mw += (in_burst * burst_mw).sum(1)
    noise_mw = units.dbm_to_mw(noise_dbm) * noise_ratio
    needed = _sinr_ratio(scenario, facts)
    if rx.inter_sf == "sinr":
        interfered |= power_mw < needed * (noise_mw + noise_like_mw)
    else:
        interfered |= (noise_like_mw > 0) & (power_mw < needed * (noise_mw + noise_like_mw))
    if rx.sir_db is not None:
        sir_db = rx.sir_db[np.ix_(*[np.array(scenario.region.spreading_factors) - 7] * 2)]
        if rx.inter_sf == "sir_pairwise":
            beaten = ~_meets(advantage_db, sir_db[facts.sf[:, None], facts.sf[None, :]], rx.equality_survives)
            interfered |= (facts.hits & facts.equal_bw & ~facts.same_sf & beaten).any(1)
        if rx.inter_sf == "sir_energy":
            interfered |= ~_passes_energy(scenario, packets, facts, power_mw, burst_mw, sir_db)
            colliding &= ~facts.equal_bw
    return interfered, np.asarray(colliding.any(1))


def _refused(packets: Packets, heard: NDArray[np.bool_], demodulators: int | None) -> NDArray[np.bool_]:
    """Heard packets that find every demodulator of one gateway taken, in order of start."""
    refused = np.zeros(len(heard), np.bool_)
    for i in np.flatnonzero(heard) if demodulators is not None else ():
        locked = heard[:i] & ~refused[:i] & (packets.end_s[:i] > packets.start_s[i])
        refused[i] = locked.sum() >= demodulators
    return refused


def channels(
    scenario: Scenario,
    packets: Packets,
    points: NDArray[np.int16],
    seed: int,
    masks: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Channel of each uplink: the one that its node's operating point names, or one drawn for that packet alone.

    A node that hops uses the channels of its mask that take its data rate and whose sub-band is free; if none is, the
    first one to become free.

    Args:
        scenario: Its region and duty cycles are used.
        packets: `P` uplinks, in order of start; a node has the point from the beginning.
        points: Operating points of the nodes, the same for all packets. `[N, 4]`
        seed: Of the replica.
        masks: Channels that nodes may hop to, the same for all packets; None: all. `[N, C]`

    Returns:
        Indices of channels. `[P]`
    """
    key, channels = stream_key(seed, "hop"), np.empty(len(packets.source), np.int64)
    by_sub_band, off = scenario.duty_cycles_by_sub_band, 1.0 / scenario.channel_duty_cycles - 1.0
    band = np.array(scenario.region.sub_bands) * by_sub_band
    free_s = np.zeros((len(points), band.max() + 1))
    for i, n in enumerate(packets.source):
        if packets.kind[i] != UPLINK_KIND:
            channels[i] = packets.point[i, CHANNEL]
            continue
        chosen = points[n, CHANNEL]
        if chosen == HOP:
            takes = _channels_that_take(scenario, points[n], None if masks is None else masks[n])
            free = [c for c in takes if free_s[n, band[c]] <= packets.start_s[i]]
            free = free or [min(takes, key=lambda c: free_s[n, band[c]])]
            chosen = free[int(len(free) * uniform(key, n, packets.index[i]))]
        channels[i] = chosen
        if by_sub_band:
            airtime_s = packets.end_s[i] - packets.start_s[i]
            free_s[n, band[chosen]] = packets.end_s[i] + off[chosen] * airtime_s
    return channels


def _channels_that_take(scenario: Scenario, point: NDArray[np.int16], mask: NDArray[np.bool_] | None) -> list[int]:
    """Channels of a mask that take a point's data rate; all of it where none does."""
    region = scenario.region
    rate = (region.spreading_factors[point[0]], region.bandwidths_hz[point[1]])
    channels = len(region.channels_hz)
    everywhere = list(range(channels)) if mask is None else np.flatnonzero(mask).tolist()
    rates = region.channel_data_rates or [(rate,)] * channels
    return [c for c in everywhere if not rates[c] or rate in rates[c]] or everywhere


def fates(
    scenario: Scenario,
    packets: Packets,
    receptions: Receptions,
    noise: NDArray[np.float64] | None = None,
    unheard: NDArray[np.bool_] | None = None,
) -> NDArray[np.int8]:
    """Fate of each packet at each gateway, as if all of them had been judged.

    Args:
        scenario: Its region and reception rule are used.
        packets: `P` uplinks, and bursts of interference, in order of start.
        receptions: Their received powers.
        noise: The unit normal draws of `db_ratio`. `[P]`
        unheard: Packets to which a gateway does not listen (`lora_marl.core.links_reference`); None: there are none.
            `[P, G]`

    Returns:
        Fates; NONE at gateways of other networks, and of bursts. `[P, G]`
    """
    burst = packets.kind == BURST_KIND
    judged = np.full(receptions.rssi_dbm.shape, Fate.NONE, np.int8)
    judged[~burst] = _uplink_fates(
        scenario,
        _rows(packets, ~burst),
        receptions.rssi_dbm[~burst],
        _rows(packets, burst),
        units.dbm_to_mw(receptions.rssi_dbm[burst]),
        None if noise is None else noise[~burst],
        (np.zeros(judged.shape, np.bool_) if unheard is None else unheard)[~burst],
    )
    return judged


def _rows(packets: Packets, some: NDArray[np.bool_]) -> Packets:
    return Packets(**{field.name: getattr(packets, field.name)[some] for field in fields(Packets)})


def _uplink_fates(
    scenario: Scenario,
    packets: Packets,
    rssi_dbm: NDArray[np.float64],
    bursts: Packets,
    burst_mw: NDArray[np.float64],
    noise: NDArray[np.float64] | None,
    unheard: NDArray[np.bool_],
) -> NDArray[np.int8]:
    rx = scenario.reception
    facts = _facts(scenario, packets, bursts)
    sensitivity_dbm = rx.sensitivities_dbm(
        np.array(scenario.region.spreading_factors), np.array(scenario.region.bandwidths_hz)
    )[facts.sf, facts.bw]
    heard = rssi_dbm >= sensitivity_dbm[:, None] + links_reference.raised_db(scenario, packets)
    noise_ratio = units.db_to_ratio(links_reference.noise_db(scenario, packets.point[:, 2]))
    weak = np.zeros_like(heard)
    if rx.inter_sf == "db_ratio" and noise is not None:
        columns = [_fails_db_ratio(scenario, packets, facts, rssi, noise) for rssi in rssi_dbm.T]
        weak = np.stack(columns, axis=1)
    lost = np.asarray((~heard | weak).all(1))
    judged = np.empty(heard.shape, np.int8)
    for g in range(heard.shape[1]):
        interfered, collided = _disturbed(
            scenario, packets, facts, rssi_dbm[:, g], burst_mw[:, g], lost, noise_ratio[:, g]
        )
        refused = _refused(packets, heard[:, g] & ~unheard[:, g], rx.demodulators)
        judged[:, g] = np.select(
            [~heard[:, g], unheard[:, g], refused, interfered | weak[:, g], collided],
            [Fate.BELOW_SENSITIVITY, Fate.GATEWAY_SENDING, Fate.NO_DEMODULATOR, Fate.INTERFERED, Fate.COLLIDED],
            Fate.DELIVERED,
        )
    if scenario.node_network is not None and scenario.gateway_network is not None:
        judged[scenario.node_network[packets.source][:, None] != scenario.gateway_network] = Fate.NONE
    return judged
