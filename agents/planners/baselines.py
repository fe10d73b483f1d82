"""One row of a table: what an allocation is worth.

What nodes reach if nobody disturbs them: the choice that is best for each alone, and the bound that follows.

Delivery without interference is D_i^0 = 1 - prod over gateways k of (1 - e^-s_ik), s = sensitivity / mean power, and
no allocation gives a node more at the same spreading factor and power.

Source: ours; MMALoRa has no bound.

The network server's ADR as MMALoRa's tables need it: on received powers of Rayleigh links, with free commands.

From SF12 at the highest power, a command takes n = floor(margin / 3 dB) steps, margin = RSSI at the best gateway -
sensitivity(SF) - 10 dB: each lowers the spreading factor by one, and once that is the smallest, the power by 3 dB;
n below 0 raises the power by -3 n dB. Powers that the region lacks are the next higher ones.

| | RSSI | commands |
|---|---|---|
| `adr-mean` | of the mean power: fading is not credited | until they change nothing |
| `adr-max` | the highest of 20 uplinks, fading included | one |

Source: Semtech, "LoRaWAN - simple rate adaptation recommended algorithm", 2016. MMALoRa names ADR only.
Differences: sensitivities in place of SNR floors, which MMALoRa does not have. `agents.rules.adr` has the rule packet by
packet.

A table per node: every spreading factor and power once, then what paid most.

A node's reward is its marginal contribution while it reaches the least delivery, r_i = gamma_i (EE_c - EE_{c,-i}): what
its channel has with it less what the others would have without it. All nodes of all channels try their arms at the same
time, each in an order of its own, so that others' trials are noise; then each plays the arm of the highest reward
seen last, and notes what it gets now. It needs no model: the closed form only plays the environment.

Source: ours, a baseline for MMALoRa's critics; the reward is its Eq. (23) with the network's part left out.

EF-LoRa: the largest least energy efficiency, bottleneck first.

From `distance_sf`, the node of least energy efficiency gets the channel, spreading factor and power that make the least
of all nodes largest, again and again until that does not rise: within 0.5 % of the largest there is on networks that
are small enough to try everything. Delivery is not looked at.

Source: W. Gao et al., EF-LoRa, as MMALoRa names it, a greedy for max-min fairness.
Differences: the order of its greedy is not given by MMALoRa, and results hang on it. A pass over all nodes in turn that
takes any strict improvement ends at half the least; one that breaks ties by own energy efficiency gives fairness up.

Rules that look at positions at most: random choice, and the first stage of MMALoRa.

Source: MMALoRa: Table I (ranges), section V (matching at the highest power), section VII (RCST).

LS: coordinate ascent over the spreading factors and powers of all nodes, the reference of MMALoRa's tables.

Nodes are visited in random order, and each takes the point of its channel that maximises

    sum of EE_i - 1000 sum of (D_th - D_i)^+ - 300 (number of i with D_i < D_th)

until a sweep changes nothing; on MMALoRa's networks no node has more than 40 bits/mJ to win by falling short. From
three starts, `distance_sf`, `independent` and random points; the best end is kept.

Source: ours. It is a reference and no bound; `alone.upper_bound` is one, and it comes within 0.6 % of that on MMALoRa's
networks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.planners.ascent import climbed, every_point
from agents.planners.matching import matched
from lora_marl.core import metrics, units
from lora_marl.core.expect.rayleigh import Incremental, Rayleigh, Totals, Trial, reference
from lora_marl.core.topology import distances_m

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


MARGIN_DB, STEP_DB, UPLINKS = 10.0, 3.0, 20
_ROUNDING_DB = 1e-9


def adr_mean(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """ADR by mean received powers, to its fixed point; nothing is drawn."""
    points = _first(closed_form, channel)
    for _ in range(sum(closed_form.scenario.region.factor_sizes)):
        points = commanded(closed_form, points, reference.power_mw(closed_form.tables, points).max(axis=1))
    return points


def adr_max(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """ADR's first command, by the strongest of 20 uplinks."""
    points = _first(closed_form, channel)
    power_mw = reference.power_mw(closed_form.tables, points)
    faded_mw = power_mw * rng.exponential(size=(UPLINKS, *power_mw.shape))
    return commanded(closed_form, points, faded_mw.max(axis=(0, 2)))


def commanded(closed_form: Rayleigh, points: NDArray[np.int16], received_mw: NDArray[np.float64]) -> NDArray[np.int16]:
    """Points `[N, 4]` after one command for received powers `[N]`."""
    tp_dbm, after = np.array(closed_form.scenario.region.tp_dbm), points.copy()
    sensitivity_dbm = units.mw_to_dbm(closed_form.tables.sensitivity_mw)[points[:, 0]]
    margin_db = units.mw_to_dbm(received_mw) - sensitivity_dbm - MARGIN_DB
    steps = np.floor(margin_db / STEP_DB + _ROUNDING_DB)
    faster = np.clip(steps, 0, points[:, 0])
    after[:, 0] -= faster.astype(np.int16)
    wanted_dbm = tp_dbm[points[:, 3]] - STEP_DB * (steps - faster)
    after[:, 3] = np.minimum(np.searchsorted(tp_dbm, wanted_dbm - _ROUNDING_DB), len(tp_dbm) - 1)
    return after


def _first(closed_form: Rayleigh, channel: NDArray[np.int16]) -> NDArray[np.int16]:
    points = np.zeros((len(channel), 4), np.int16)
    points[:, 0], points[:, 2] = len(closed_form.tables.sensitivity_mw) - 1, channel
    points[:, 3] = len(closed_form.tables.tp_mw) - 1
    return points


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


_GAIN = 1e-9


def ef_lora(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Points of a large least energy efficiency; nothing is drawn."""
    t = closed_form.tables
    points, every = distance_sf(closed_form, rng, least_delivery, channel), every_point(closed_form.scenario)
    on = np.flatnonzero((t.bits_per_mj > 0.0).any(axis=(1, 2)))
    most = (delivery_alone(closed_form) * t.bits_per_mj)[:, every[:, 0], every[:, 3]]
    ee = closed_form.ee_bits_per_mj(points)
    while len(on):
        node = on[ee[on].argmin()]
        least, best = ee[node] * (1.0 + _GAIN), None
        for candidate in every[most[node] > least]:
            tried = points.copy()
            tried[node] = candidate
            tried_ee = closed_form.ee_bits_per_mj(tried)
            if tried_ee[on].min() > least:
                least, best, ee = tried_ee[on].min(), tried, tried_ee
        if best is None:
            break
        points = best
    return points


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


PRICE_OF_SHORTFALL, PRICE_OF_ONE_SHORT = 1000.0, 300.0
MOST_SWEEPS = 50


def energy_ascent(
    closed_form: Rayleigh, rng: np.random.Generator, least_delivery: float, channel: NDArray[np.int16]
) -> NDArray[np.int16]:
    """The best allocation that the ascents end at."""
    every = every_point(closed_form.scenario)
    candidates = np.tile(every[every[:, 2] == 0], (len(channel), 1, 1))
    candidates[..., 2] = channel[:, None]
    ends = []
    for start in (distance_sf, independent, rcst):
        begin = start(closed_form, rng, least_delivery, channel)
        begin[:, 2] = channel
        allocation = Incremental(closed_form, begin, least_delivery=least_delivery)
        climbed(allocation, penalised, MOST_SWEEPS, candidates)
        ends.append(allocation)
    return max(ends, key=lambda end: penalised(end.totals())).points


def penalised(sums: Totals | Trial) -> list[tuple[bool, float]]:
    """Energy efficiency less what short nodes cost, in the form of `ascent.rank`."""
    value = np.atleast_1d(sums.ee_sum - PRICE_OF_SHORTFALL * sums.shortfall - PRICE_OF_ONE_SHORT * sums.short)
    return [(True, each) for each in value.tolist()]


class Row(NamedTuple):
    """What every table of MMALoRa shows of an allocation; nodes that are off do not count.

    Attributes:
        ee_sum: Sum of the nodes' energy efficiencies (Eq. 14). bits/mJ
        mean_delivery: Mean of D_i, the paper's PDR.
        violations: How many nodes are below the least delivery.
        share_of_bound: `ee_sum` over `alone.upper_bound`; may exceed 1 where there are violations.
    """

    ee_sum: float
    mean_delivery: float
    violations: int
    share_of_bound: float


def row(closed_form: Rayleigh, points: NDArray[np.int16], least_delivery: float) -> Row:
    """The row of an allocation `[N, 4]`, by the closed form that is given."""
    on = (closed_form.tables.bits_per_mj > 0.0).any(axis=(1, 2))
    delivery = closed_form.delivery(points)[on]
    ee_sum = float(metrics.ee_sum_bits_per_mj(closed_form.ee_bits_per_mj(points)))
    share = ee_sum / upper_bound(closed_form, least_delivery)
    return Row(ee_sum, float(delivery.mean()), int((delivery < least_delivery).sum()), share)
