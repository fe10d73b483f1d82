"""Traffic rates and checks that the closed forms share.

A rate is how often a node sends, as the overlap probabilities of a closed form count it:

| rate | packets per second of a node with mean gap 1 / lambda, airtime T and duty cycle d | |
|---|---|---|
| `linear` | lambda (1 - (1 / d - 1) T lambda) | as printed; below 0 for lambda > 1 / (99 T) at 1 % |
| `linear_clipped` | the same, at least 0 | such a node disturbs nobody |
| `renewal` | 1 / (1 / lambda + T / d) | what it sends |

A gap begins T / d after a packet's start. Packets that are generated in the off time are dropped; those that are queued
do not thin the traffic, and no rate here describes them. (`OneGateway` has no such choice: it counts what nodes send.)

Source: NoReL (linear); MMALoRa Eq. (5), whose 100 is 1 / d (linear, clipped by us).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.checks import check_choice
from lora_marl.core.region import CHANNEL, HOP
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic

Rate = Literal["linear", "linear_clipped", "renewal"]
"""How often nodes send: see the module's page."""

Vector = NDArray[np.float64]


def check_rate(rate: str) -> None:
    """Raise ValueError for an unknown rate."""
    check_choice("rate", rate, get_args(Rate))


def cycle_s(traffic: Traffic, airtime_s: Vector) -> Vector:
    """Time from a packet's start to where the gap to the next one begins, for airtimes `[...]`: `[...]`. s

    The traffic's duty cycle is a number or None, as of `Scenario.lone_traffic`.
    """
    if isinstance(traffic.duty_cycle, str):
        raise ValueError("traffic.duty_cycle: 'region' is known of a scenario only; use its lone_traffic")
    if traffic.duty_cycle is not None:
        return airtime_s / traffic.duty_cycle
    return airtime_s * traffic.after_end


def rates_per_s(rate: Rate, traffic: Traffic, interval_s: Vector, airtime_s: Vector) -> Vector:
    """Rate of packets of nodes that can overlap those of others.

    Args:
        rate: A name of the module's table.
        traffic: Its duty cycle, and where gaps begin.
        interval_s: Mean gap 1 / lambda, infinite for nodes that are off. [...] s
        airtime_s: Airtime of a packet. [...] s

    Returns:
        Rate. [...] 1/s
    """
    gap_begins_s = cycle_s(traffic, airtime_s)
    if rate == "renewal":
        return 1.0 / (interval_s + gap_begins_s)
    per_s = 1.0 / interval_s
    thinned = per_s * (1.0 - np.maximum(gap_begins_s - airtime_s, 0.0) * per_s)
    return np.maximum(thinned, 0.0) if rate == "linear_clipped" else thinned


def check_pairwise(scenario: Scenario, form: str, further: Iterable[tuple[str, Any, tuple[Any, ...]]]) -> None:
    """Raise ValueError for physics that no pairwise closed form has, or that the one of this name lacks.

    Args:
        scenario: The network.
        form: Name of the closed form, for the error.
        further: Fields that this form restricts, each with its value and the values that the form takes.
    """
    check_single_network(scenario, form)
    rule = scenario.reception
    for name, value, allowed in (
        ("reception.inter_sf", rule.inter_sf, ("sir_pairwise", "none")),
        ("reception.demodulators", rule.demodulators, (None,)),
        ("traffic.kind", scenario.traffic.kind, ("poisson",)),
        ("region.bandwidths_hz", len(scenario.region.bandwidths_hz), (1,)),
        ("region.channel_data_rates", scenario.region.channel_data_rates, ((),)),
        *further,
    ):
        if value not in allowed:
            raise ValueError(f"{name}: {value!r} has no {form} closed form; it takes {allowed[0]!r}")


def check_single_network(scenario: Scenario, form: str) -> None:
    """Raise ValueError for what no closed form has, such as other networks, interference, repeats, links, or masks."""
    for name, value, allowed in (
        ("node_network", scenario.networks, 1),
        ("interference", scenario.interference, None),
        ("links", None if scenario.links is None else "measured", None),
        ("traffic.confirmed", scenario.traffic.confirmed, False),
        ("traffic.trace", None if scenario.traffic.trace is None else "recorded", None),
        ("traffic.nb_trans", int(np.max(scenario.traffic.nb_trans)), 1),
        ("channel_mask", None if scenario.channel_mask is None else "given", None),
        ("reception.negligible_db", scenario.reception.negligible_db, None),
    ):
        if value != allowed:
            raise ValueError(f"scenario.{name}: {value!r} has no {form} closed form; it takes {allowed!r}")


def check_points(scenario: Scenario, points: NDArray[np.int16], axes: int = 2) -> None:
    """Raise ValueError for points that are not int16 `[N, 4]` or `[B, N, 4]`, or outside the region; nodes may hop."""
    sizes, nodes = scenario.region.factor_sizes, scenario.nodes
    if points.ndim != axes or points.shape[-2:] != (nodes, len(sizes)) or points.dtype != np.int16:
        shape = f"[{'B, ' * (axes - 2)}{nodes}, 4]"
        raise ValueError(f"points are {points.dtype} {points.shape}: they must be int16 {shape}")
    if points.min() < 0 or (points.reshape(-1, len(sizes)).max(axis=0) >= sizes).any():
        scenario.region.physical(points)


def check_named_channels(points: NDArray[np.int16]) -> None:
    """Raise ValueError for points `[..., 4]` of nodes that hop."""
    if (points[..., CHANNEL] == HOP).any():
        raise ValueError("points: channel is hop (-1); this closed form takes nodes that keep their channel")


def thresholds_db(scenario: Scenario) -> NDArray[np.float64]:
    """SIR needed, wanted by interfering spreading factor; -inf where they do not harm each other `[S, S]`. dB"""
    rule, sf = scenario.reception, np.array(scenario.region.spreading_factors) - 7
    needed_db = np.full((len(sf), len(sf)), -np.inf)
    if rule.inter_sf == "sir_pairwise" and rule.sir_db is not None:
        needed_db[...] = rule.sir_db[np.ix_(sf, sf)]
    np.fill_diagonal(needed_db, rule.capture_db)
    return needed_db
