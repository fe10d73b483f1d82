"""MMALoRa's baselines: each gives the nodes of a closed form operating points at once, before anything is sent.

All have the signature of `agents.planners.Planner`. Those that do not choose channels keep the channels that are given,
and those that draw nothing or do not look at the least delivery ignore these arguments. MMALoRa names most of them
only; each docstring says what we took it to be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.planners.ascent import ascend, operating_points
from agents.planners.bounds import undisturbed_delivery
from agents.planners.matching import match_channels
from lora_marl.core import units
from lora_marl.core.expect import Rayleigh, RayleighIncremental
from lora_marl.core.expect.rayleigh import Totals, Trial, reference
from lora_marl.core.region import CHANNEL, SF, TP
from lora_marl.core.topology import distances_m

RANGE_M = 2000.0
"""SF7 serves nodes up to this distance, and every further spreading factor as much more (MMALoRa, Table I)."""

ADR_MARGIN_DB, ADR_STEP_DB, ADR_UPLINKS = 10.0, 3.0, 20
_ROUNDING_DB = 1e-9

GREEDY_STEPS = 5
"""Steps of `table_bandit` after it has tried every arm."""

INTERFERENCE_SHARE = 0.015
"""Share of its delivery that a node of `independent` expects to lose to interference."""

SHORTFALL_PRICE, VIOLATION_PRICE, MOST_SWEEPS = 1000.0, 300.0, 50
"""Prices of `energy_ascent` in bits/mJ, and its most sweeps."""

_GAIN = 1e-9
"""Relative improvement that `ef_lora` asks for, against rounding."""

Points = NDArray[np.int16]
Channels = NDArray[np.int16]
"""Operating points `[N, 4]`, and the channel of each node `[N]`."""


def rcst(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """Channel, spreading factor and power, each drawn uniformly at random.

    Source: MMALoRa, section VII (RCST).
    """
    return rng.integers(0, closed_form.scenario.region.factor_sizes, (len(channel), 4)).astype(np.int16)


def distance_sf(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """The spreading factor for the distance to the nearest gateway, at the highest power.

    Source: MMALoRa, Table I (distances) and section V (the highest power).
    """
    region = closed_form.scenario.region
    nearest_m = distances_m(closed_form.scenario.node_xy_m, closed_form.scenario.gateway_xy_m).min(axis=1)
    wanted = np.clip(np.ceil(nearest_m / RANGE_M) + 6, 7, 12)
    spreading_factors = np.array(region.spreading_factors)
    points = np.zeros((len(channel), 4), np.int16)
    points[:, SF] = np.minimum(np.searchsorted(spreading_factors, wanted), len(spreading_factors) - 1)
    points[:, CHANNEL], points[:, TP] = channel, len(region.tp_dbm) - 1
    return points


def matching(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """`distance_sf` in the channels that literal swap matching finds from the given ones.

    Source: MMALoRa, Algorithm 1 (`agents.planners.matching`).
    """
    return match_channels(closed_form, distance_sf(closed_form, rng, least_delivery, channel)).points


def adr_mean(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """The network server's ADR by mean received powers, until a command changes nothing; fading is not credited."""
    points = _before_adr(closed_form, channel)
    for _ in range(sum(closed_form.scenario.region.factor_sizes)):
        points = after_adr_command(closed_form, points, reference.power_mw(closed_form.tables, points).max(axis=1))
    return points


def adr_max(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """The network server's first ADR command, by the strongest of 20 uplinks, fading included."""
    points = _before_adr(closed_form, channel)
    power_mw = reference.power_mw(closed_form.tables, points)
    faded_mw = power_mw * rng.exponential(size=(ADR_UPLINKS, *power_mw.shape))
    return after_adr_command(closed_form, points, faded_mw.max(axis=(0, 2)))


def after_adr_command(closed_form: Rayleigh, points: Points, received_mw: NDArray[np.float64]) -> Points:
    """Points after one ADR command, which costs nothing.

    A command takes n = floor(margin / 3 dB) steps, margin = RSSI at the best gateway - sensitivity(SF) - 10 dB. Each
    step lowers the spreading factor by one, and once that is the smallest, the power by 3 dB; n below 0 raises the
    power by -3 n dB. Powers that the region lacks become the next higher ones.

    Args:
        closed_form: Closed form of the network.
        points: Before the command. `[N, 4]`
        received_mw: Power at the best gateway. `[N]` mW

    Returns:
        Points. `[N, 4]`

    Source: Semtech, "LoRaWAN - simple rate adaptation recommended algorithm", 2016. MMALoRa names ADR only.
    Differences: sensitivities in place of SNR floors, which MMALoRa does not have. `agents.rules.adr` has the rule
    packet by packet.
    """
    tp_dbm, after = np.array(closed_form.scenario.region.tp_dbm), points.copy()
    sensitivity_dbm = units.mw_to_dbm(closed_form.tables.sensitivity_mw)[points[:, SF]]
    margin_db = units.mw_to_dbm(received_mw) - sensitivity_dbm - ADR_MARGIN_DB
    steps = np.floor(margin_db / ADR_STEP_DB + _ROUNDING_DB)
    faster = np.clip(steps, 0, points[:, SF])
    after[:, SF] -= faster.astype(np.int16)
    wanted_dbm = tp_dbm[points[:, TP]] - ADR_STEP_DB * (steps - faster)
    after[:, TP] = np.minimum(np.searchsorted(tp_dbm, wanted_dbm - _ROUNDING_DB), len(tp_dbm) - 1)
    return after


def _before_adr(closed_form: Rayleigh, channel: Channels) -> Points:
    """All nodes at the largest spreading factor and the highest power `[N, 4]`."""
    points = np.zeros((len(channel), 4), np.int16)
    points[:, SF], points[:, CHANNEL] = len(closed_form.tables.sensitivity_mw) - 1, channel
    points[:, TP] = len(closed_form.tables.tp_mw) - 1
    return points


def ef_lora(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """EF-LoRa: a large least energy efficiency, bottleneck first.

    From `distance_sf`, the node of least energy efficiency gets the channel, spreading factor and power that make the
    least of all nodes largest, again and again until that does not rise. It ends within 0.5 % of the optimum on
    networks that are small enough to try everything. Delivery is not looked at.

    Source: W. Gao et al., EF-LoRa, as MMALoRa names it, a greedy for max-min fairness.
    Differences: MMALoRa does not give the order of its greedy, and results depend on it. A pass over all nodes in turn
    that takes any strict improvement ends at half the least; one that breaks ties by the node's energy efficiency gives
    fairness up.
    """
    t = closed_form.tables
    points = distance_sf(closed_form, rng, least_delivery, channel)
    candidates = operating_points(closed_form.scenario)
    on = np.flatnonzero((t.bits_per_mj > 0.0).any(axis=(1, 2)))
    most = (undisturbed_delivery(closed_form) * t.bits_per_mj)[:, candidates[:, SF], candidates[:, TP]]
    ee = closed_form.ee_bits_per_mj(points)
    while len(on):
        node = on[ee[on].argmin()]
        least, best = ee[node] * (1.0 + _GAIN), None
        for candidate in candidates[most[node] > least]:
            tried = points.copy()
            tried[node] = candidate
            tried_ee = closed_form.ee_bits_per_mj(tried)
            if tried_ee[on].min() > least:
                least, best, ee = tried_ee[on].min(), tried, tried_ee
        if best is None:
            break
        points = best
    return points


def independent(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """Each node's best point if it were alone, with 1.5 % of its delivery given to interference.

    Best is the highest energy efficiency among points that reach the least delivery, else the highest delivery.

    Source: ours.
    """
    alone = closed_form.undisturbed_delivery(channel)
    nodes, powers = len(alone), alone.shape[2]
    delivery = (1 - INTERFERENCE_SHARE) * alone.reshape(nodes, -1)
    ee = (alone * closed_form.tables.bits_per_mj).reshape(nodes, -1)
    enough = delivery >= least_delivery
    best = np.where(enough.any(axis=1), np.where(enough, ee, -1.0).argmax(axis=1), delivery.argmax(axis=1))
    points = np.zeros((nodes, 4), np.int16)
    points[:, SF], points[:, TP] = np.divmod(best, powers)
    points[:, CHANNEL] = channel
    return points


def table_bandit(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """A table per node: every spreading factor and power once, then the arm of the highest reward seen last.

    A node's reward is its marginal contribution (`marginal_rewards`). All nodes of all channels try their arms at the
    same time, each in an order of its own, so that the trials of others are noise; then each plays its best arm, and
    notes what it gets now. Where all rewards are 0, that is the largest spreading factor at the highest power. No model
    is needed: the closed form only plays the environment.

    Source: ours, a baseline for MMALoRa's critics.
    """
    _, factors, powers = closed_form.tables.bits_per_mj.shape
    nodes, arms, node = len(channel), factors * powers, np.arange(len(channel))
    rewards = np.zeros((nodes, arms))

    def points_of(arm: NDArray[np.intp]) -> Points:
        sf, tp = np.divmod(arms - 1 - arm, powers)
        return np.stack([sf, np.zeros(nodes), channel, tp], axis=1).astype(np.int16)

    for arm in rng.permuted(np.tile(np.arange(arms), (nodes, 1)), axis=1).T:
        rewards[node, arm] = marginal_rewards(closed_form, points_of(arm), least_delivery)
    for _ in range(GREEDY_STEPS):
        arm = rewards.argmax(axis=1)
        rewards[node, arm] = marginal_rewards(closed_form, points_of(arm), least_delivery)
    return points_of(rewards.argmax(axis=1))


def marginal_rewards(closed_form: Rayleigh, points: Points, least_delivery: float) -> NDArray[np.float64]:
    """Marginal contribution of each node while it reaches the least delivery, else 0 `[N]`. bits/mJ

    r_i = gamma_i (EE_c - EE_{c,-i}): what the node's channel has with it, less what the others would have without it.

    Source: MMALoRa Eq. (23), the network's part left out.
    """
    outcome = closed_form.counterfactuals(points[None])
    reached = outcome.delivery[0] >= least_delivery
    return np.where(reached, outcome.ee_sum[0] - outcome.ee_sum_without[0], 0.0)


def energy_ascent(closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: Channels) -> Points:
    """LS: coordinate ascent over the spreading factors and powers of all nodes, the reference of MMALoRa's tables.

    Nodes are visited in random order, and each takes the point of its channel that maximises `penalised_ee`, until a
    sweep changes nothing. From three starts, `distance_sf`, `independent` and `rcst`; the best end is kept.

    Source: ours. It is a reference and not a bound; `bounds.upper_bound` is one, and this comes within 0.6 % of it on
    MMALoRa's networks.
    """
    of_region = operating_points(closed_form.scenario)
    candidates = np.tile(of_region[of_region[:, CHANNEL] == 0], (len(channel), 1, 1))
    candidates[..., CHANNEL] = channel[:, None]
    ends = []
    for planner in (distance_sf, independent, rcst):
        start = planner(closed_form, rng, least_delivery, channel)
        start[:, CHANNEL] = channel
        allocation = RayleighIncremental(closed_form, start, least_delivery=least_delivery)
        ascend(allocation, penalised_ee, MOST_SWEEPS, candidates)
        ends.append(allocation)
    return max(ends, key=lambda end: penalised_ee(end.totals())).points


def penalised_ee(sums: Totals | Trial) -> list[tuple[bool, float]]:
    """Energy efficiency of all nodes less the price of nodes below the least delivery, as `ascent.Rank`. bits/mJ

    sum of EE_i - 1000 sum of (D_th - D_i)^+ - 300 (number of i with D_i < D_th)

    On MMALoRa's networks no node has more than 40 bits/mJ to win by falling short.
    """
    value = np.atleast_1d(sums.ee_sum - SHORTFALL_PRICE * sums.shortfall - VIOLATION_PRICE * sums.short)
    return [(True, penalised) for penalised in value.tolist()]
