"""The network of NoReL's authors' simulator: a scenario's channel and uplinks, and what the network estimates of them.

All uplinks are drawn beforehand. From one start to the next a node waits 100 airtimes of the spreading factor that it
has *at first* (1 % duty cycle), plus an exponential time; the spreading factors that it uses later change nothing.

The network estimates channel and traffic from every packet, lost ones too, at the last gateway. With y = p - r the path
loss of an uplink at distance d and x = 10 log10(d / 1 km), over windows of L = 100 uplinks:

    (PL0, gamma)_new = least squares of y on (1, x)
    sigma_new = standard deviation of y - gamma x         (gamma as estimated *before* the window)
    lambda_new = L / (t - t_before) / N
    z <- 0.3 z + 0.7 z_new                                for all four; first values are the true ones

Shape letters: `N` nodes, `G` gateways, `P` uplinks.

Source: NoReL, section on channel and traffic estimation, and its authors' code (the paper: windows of 80).
Differences from `lora_marl.core.air`: the air takes the off time from the airtime of every single packet.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import phy
from lora_marl.core.kernel import entry_point
from lora_marl.core.propagation import path_loss_db
from lora_marl.core.published.norel_receiver import Channel
from lora_marl.core.random import stream_key
from lora_marl.core.region import SF, TP
from lora_marl.core.scenario import Scenario
from lora_marl.core.topology import distances_m

DOWNLINK_DBM = 14.0


def channel_of(
    scenario: Scenario, points: NDArray[np.int16], seed: int, duration_s: float, *, early_stop: bool = True
) -> Channel:
    """A scenario's channel before its first packet, with uplinks drawn.

    Args:
        scenario: One channel, one bandwidth, SF7 to SF12, `sir_pairwise`, one placement.
        points: The first operating points. `[N, 4]`
        seed: Of traffic and shadowing.
        duration_s: No uplink starts later. s
        early_stop: Which receiver; see `lora_marl.core.published.norel_receiver`.

    Raises:
        ValueError: physics that the simulator does not have, naming it.
    """
    check_supported(scenario)
    sf = points[:, SF].astype(np.int64)
    tp_dbm = np.array(scenario.region.tp_dbm, np.float64)[points[:, TP]]
    rng = np.random.default_rng(int(stream_key(seed, "traffic")))
    cycle_s = scenario.airtime_s()[sf, 0] / float(scenario.duty_cycle or 1.0)
    start_s, node = draw_uplinks(rng, scenario.interval_s(), cycle_s, duration_s)
    return channel_of_uplinks(scenario, sf, tp_dbm, start_s, node, seed, early_stop)


def channel_of_uplinks(
    scenario: Scenario,
    sf: NDArray[np.int64],
    tp_dbm: NDArray[np.float64],
    start_s: NDArray[np.float64],
    node: NDArray[np.int64],
    seed: int,
    early_stop: bool,
) -> Channel:
    """A scenario's channel before its first packet, with given uplinks.

    Args:
        scenario: As of `channel_of`.
        sf: Index of each node's first spreading factor. `[N]`
        tp_dbm: Each node's first power. `[N]` dBm
        start_s: Starts of the uplinks, in order. `[P]` s
        node: Who sends them. `[P]`
        seed: Of the shadowing.
        early_stop: As of `channel_of`.
    """
    rule, factors = scenario.reception, np.array(scenario.region.spreading_factors)
    bandwidths_hz, gateways = np.array(scenario.region.bandwidths_hz), scenario.gateways
    sir_db = np.array(rule.sir_db, np.float64)
    np.fill_diagonal(sir_db, rule.capture_db)
    gain_db = scenario.mean_gain_db()
    return Channel(
        start_s=start_s,
        node=node,
        down_s=np.empty(len(start_s) + 1),
        down_gateway=np.empty(len(start_s) + 1, np.int64),
        counts=np.zeros(3, np.int64),
        sf=np.concatenate([sf, np.full(gateways, len(factors) - 1)]),
        tp_dbm=np.concatenate([tp_dbm, np.full(gateways, DOWNLINK_DBM)]),
        gain_db=np.concatenate([gain_db, _between_gateways_db(scenario)]),
        nearest=gain_db.argmax(axis=1),
        airtime_s=scenario.airtime_s()[:, 0],
        spared_s=rule.spared_preamble_symbols * phy.symbol_time_s(factors, bandwidths_hz),
        sensitivity_dbm=rule.sensitivities_dbm(factors, bandwidths_hz)[:, 0].copy(),
        sir_db=sir_db,
        sigma_db=float(scenario.propagation.shadowing_db),
        key=stream_key(seed, "shadowing"),
        early_stop=early_stop,
        rssi_dbm=np.zeros(gateways),
        overlap_mw=np.zeros(gateways),
        lost=np.zeros(gateways, np.bool_),
    )


def draw_uplinks(
    rng: np.random.Generator, interval_s: NDArray[np.float64], cycle_s: NDArray[np.float64], duration_s: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Starts of all uplinks in order, and who sends them.

    Args:
        rng: Source of the exponential times.
        interval_s: Mean of the exponential part of the time between two starts. `[N]` s
        cycle_s: Its constant part. `[N]` s
        duration_s: No uplink starts later. s

    Returns:
        Starts `[P]` in s and nodes `[P]`.
    """
    starts_s, nodes = [], []
    for n, (mean_s, least_s) in enumerate(zip(interval_s, cycle_s, strict=True)):
        expected = duration_s / (mean_s + least_s)
        count = int(expected + 8.0 * np.sqrt(expected) + 20.0)  # eight deviations more than will be needed
        node_starts_s = np.cumsum(least_s + rng.exponential(mean_s, count))
        starts_s.append(node_starts_s[node_starts_s < duration_s])
        nodes.append(np.full(len(starts_s[-1]), n))
    start_s, node = np.concatenate(starts_s), np.concatenate(nodes)
    order = np.argsort(start_s, kind="stable")
    return start_s[order], node[order]


def check_supported(scenario: Scenario) -> None:
    """Raise ValueError for physics that the simulator does not have."""
    region, rule, propagation = scenario.region, scenario.reception, scenario.propagation
    for name, value, allowed in (
        ("region.channels_hz", len(region.channels_hz), 1),
        ("region.bandwidths_hz", len(region.bandwidths_hz), 1),
        ("region.spreading_factors", tuple(region.spreading_factors), (7, 8, 9, 10, 11, 12)),
        ("reception.inter_sf", rule.inter_sf, "sir_pairwise"),
        ("reception.equality_survives", rule.equality_survives, False),
        ("reception.demodulators", rule.demodulators, None),
        ("propagation.fading", propagation.fading, "none"),
        ("propagation.shadowing", propagation.shadowing, "packet"),
        ("traffic.kind", scenario.traffic.kind, "poisson"),
        ("traffic.confirmed", scenario.traffic.confirmed, False),
        ("node_network", scenario.networks, 1),
        ("interference", scenario.interference, None),
        ("changes", scenario.changes, ()),
        ("node_xy_m, axes", np.ndim(scenario.node_xy_m), 2),
    ):
        if value != allowed:
            raise ValueError(f"{name}: {value!r} is unknown to NoReL's simulator; it takes {allowed!r}")


def _between_gateways_db(scenario: Scenario) -> NDArray[np.float64]:
    """Gain from gateway to gateway; 0 dB to itself, so that its own downlink drowns everything. `[G, G]` dB"""
    apart_m = distances_m(scenario.gateway_xy_m, scenario.gateway_xy_m)
    gain_db = -np.asarray(path_loss_db(scenario.propagation, apart_m, carrier_hz=scenario.carrier_hz))
    np.fill_diagonal(gain_db, 0.0)
    return gain_db


PL0, GAMMA, SIGMA, RATE, SINCE = range(5)
"""Places in `Estimates.now`."""

WINDOW, KEPT_SHARE = 100, 0.3
"""Uplinks of a window, and the weight of the estimates before it."""

_NEAREST_M = 0.1


class Estimates(NamedTuple):
    """The network's running estimates of channel and traffic."""

    now: NDArray[np.float64]  # [5]: PL0 in dB, gamma, sigma in dB, lambda in 1/s, end of the last window in s
    x: NDArray[np.float64]  # [N], 10 log10 of the distance to the last gateway in km
    window: NDArray[np.float64]  # [2, WINDOW], x and y of the uplinks since
    filled: NDArray[np.int64]  # [1], how many of them there are


def initial_estimates(scenario: Scenario) -> Estimates:
    """The estimates before the first packet, which are the truth."""
    propagation, rate_per_s = scenario.propagation, 1.0 / float(np.max(scenario.interval_s()))
    distance_m = distances_m(scenario.node_xy_m, scenario.gateway_xy_m)[:, -1]
    return Estimates(
        now=np.array([propagation.reference_loss_db, propagation.exponent, propagation.shadowing_db, rate_per_s, 0.0]),
        x=10.0 * np.log10(np.maximum(distance_m, _NEAREST_M) / 1000.0),
        window=np.zeros((2, WINDOW)),
        filled=np.zeros(1, np.int64),
    )


@entry_point()
def add_uplink(estimates, n, loss_db, time_s):  # type: ignore[no-untyped-def]
    """Add an uplink of node `n` to the window, and renew the estimates when the window is full."""
    place = estimates.filled[0]
    estimates.window[0, place] = estimates.x[n]
    estimates.window[1, place] = loss_db
    estimates.filled[0] = place + 1
    if place + 1 == WINDOW:
        _renew(estimates, time_s)
        estimates.filled[0] = 0


@entry_point()
def _renew(estimates, time_s):  # type: ignore[no-untyped-def]
    """Smooth the estimates with those of the window that ends now."""
    now, x, y = estimates.now, estimates.window[0], estimates.window[1]
    x_mean, y_mean = x.mean(), y.mean()
    sum_xy, sum_xx, sum_residuals = 0.0, 0.0, 0.0
    for k in range(WINDOW):
        sum_xy += (x[k] - x_mean) * (y[k] - y_mean)
        sum_xx += (x[k] - x_mean) ** 2
        sum_residuals += (y[k] - y_mean - now[GAMMA] * (x[k] - x_mean)) ** 2
    gamma = sum_xy / sum_xx if sum_xx > 0.0 else now[GAMMA]
    rate_per_s = WINDOW / (time_s - now[SINCE]) / len(estimates.x)
    new = (y_mean - gamma * x_mean, gamma, math.sqrt(sum_residuals / WINDOW), rate_per_s)
    for k in range(4):
        now[k] = KEPT_SHARE * now[k] + (1.0 - KEPT_SHARE) * new[k]
    now[SINCE] = time_s
