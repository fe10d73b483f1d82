"""Constants of the twin's model of the air, on a grid of received power.

Received power is counted in bins of `STEP_DB`, and mean powers in positions that are `FINE` times finer, both from the
grid's lower end. Shadowing is normal with one standard deviation sigma, which the twin estimates: tables are built anew
when it changes. Payloads make classes of nodes; a *kind* of packet is a class and a spreading factor,
v = class * S + sf.

Shape letters: `K` payload classes, `S` spreading factors, `V` = K S kinds, `T` powers, `X` bins.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import phy, units
from lora_marl.core.energy import energy_costs
from lora_marl.core.scenario import Scenario

STEP_DB = 0.5
"""Width of a bin. dB"""
FINE = 16
"""Positions of a bin. Mean powers are rounded to `STEP_DB / FINE`."""
SPAN_DB = 95.0
"""Range of received powers above the lowest sensitivity; stronger means are taken for its upper end. dB"""
REACH = 5.0
"""Standard deviations beyond which the normal distribution is cut off: 3e-7 on either side."""
LEAST_SIGMA_DB, MOST_SIGMA_DB = 0.3, 15.0
"""Range of sigma. Below, a bin is wider than the distribution; above, it would fill the grid. dB"""
PAYLOAD_CLASSES = 4
"""Payload classes at most; payloads between two are counted as the larger one."""
LOADS, MOST_LOAD = 512, 20.0
"""Steps and upper end of the table of `few`, in packets on the air."""
NEVER = 2**30
"""Limit of an interferer that never harms."""


class Tables(NamedTuple):
    """Constants of the model for one sigma."""

    airtime_s: NDArray[np.float64]  # [V]
    window_s: NDArray[np.float64]  # [V], airtime without spared symbols
    energy_mj: NDArray[np.float64]  # [V, T], of a packet with its receive windows, above sleeping
    bits: NDArray[np.float64]  # [V], payload
    power: NDArray[np.int64]  # [T], positions that a power adds to a gain
    floor: NDArray[np.int64]  # [S], first bin that reaches above the floor
    above_floor: NDArray[np.float64]  # [S], share of that bin that does
    limit: NDArray[np.int32]  # [S, S, X], position of the interferer that a packet in a bin just survives
    mass: NDArray[np.float64]  # probability of a bin by the distance of its middle from the mean, in positions
    cdf: NDArray[np.float64]  # normal distribution by distance in positions
    few: NDArray[np.float64]  # [S, LOADS + 1], P(few enough others on the air) by load under `db_ratio`, else 1
    load_step: float
    counts: bool  # whether the rule counts packets on the air (`db_ratio`)
    airtimes: float  # from a packet's start to where the gap begins: 0, 1, or 1 / duty cycle
    sleep_mw: float
    top: int  # highest mean position
    lowest_dbm: float  # lower end of the grid
    fine_db: float  # one position


def payload_classes(payload_bytes: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The largest payload of every class `[K]` in bytes, and each node's class `[N]`, for payloads `[N]`."""
    sizes = np.unique(payload_bytes)
    if len(sizes) > PAYLOAD_CLASSES:
        shares = np.arange(1, PAYLOAD_CLASSES + 1) / PAYLOAD_CLASSES
        sizes = np.unique(np.quantile(payload_bytes, shares, method="higher"))
    return sizes.astype(np.int64), np.searchsorted(sizes, payload_bytes).astype(np.int64)


def build_tables(public: Scenario, payload_bytes: NDArray[np.int64], sigma_db: float) -> Tables:
    """The constants of a network for a standard deviation of the shadowing.

    Args:
        public: The fields that a server knows (`agents.twin.knowledge`).
        payload_bytes: Of every class. `[K]` bytes
        sigma_db: `LEAST_SIGMA_DB` to `MOST_SIGMA_DB`. dB
    """
    region, rule, costs = public.region, public.reception, energy_costs(public)
    sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    airtime_s = public.airtime_s(payload_bytes)[..., 0].ravel()
    classes = len(payload_bytes)
    spared_s = rule.spared_preamble_symbols * phy.symbol_time_s(sf, bw_hz=bw_hz[0])
    windows_mj = np.tile(costs.windows_mj[:, 0], classes)
    floor_dbm, ratio, noise_mw = _floors(public)
    fine_db = STEP_DB / FINE
    lowest_dbm = math.floor(float(floor_dbm.min())) - 1.0
    bins = int(SPAN_DB / STEP_DB)
    floor = np.floor((floor_dbm - lowest_dbm) / STEP_DB + 1e-9).astype(np.int64)
    middle_dbm: NDArray[np.float64] = lowest_dbm + (np.arange(bins, dtype=np.float64) + 0.5) * STEP_DB
    reach = math.ceil(REACH * sigma_db / fine_db)
    distance = np.arange(-reach, reach + 1) * fine_db
    cdf = _normal_cdf(distance / sigma_db)
    mass = _normal_cdf((distance + STEP_DB / 2) / sigma_db) - _normal_cdf((distance - STEP_DB / 2) / sigma_db)
    traffic = public.lone_traffic
    return Tables(
        airtime_s=airtime_s,
        window_s=np.maximum(airtime_s - np.tile(spared_s, classes), 0.0),
        energy_mj=airtime_s[:, None] * costs.tp_mw + windows_mj[:, None],
        bits=np.repeat(8.0 * payload_bytes, len(sf)),
        power=np.rint(np.array(region.tp_dbm) / fine_db).astype(np.int64),
        floor=floor,
        above_floor=1.0 - ((floor_dbm - lowest_dbm) / STEP_DB - floor),
        limit=_limits(public, middle_dbm, ratio, noise_mw, lowest_dbm),
        mass=mass,
        cdf=cdf,
        few=_few_enough(ratio) if rule.inter_sf == "db_ratio" else np.ones((len(sf), LOADS + 1)),
        load_step=MOST_LOAD / LOADS,
        counts=rule.inter_sf == "db_ratio",
        airtimes=float(traffic.after_end) if traffic.duty_cycle is None else 1.0 / float(traffic.duty_cycle),
        sleep_mw=costs.sleep_mw,
        top=(bins - 1) * FINE - reach,
        lowest_dbm=lowest_dbm,
        fine_db=fine_db,
    )


def _floors(public: Scenario) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Weakest power that is received `[S]` in dBm, SINR that is needed `[S]`, noise in mW."""
    rule, region = public.reception, public.region
    sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz[:1])
    noise_mw = float(units.dbm_to_mw(phy.noise_dbm(bw_hz, rule.noise_figure_db))[0])
    ratio = np.asarray(units.db_to_ratio(rule.sinr_thresholds_db(sf)))
    floor_dbm = rule.sensitivities_dbm(sf, bw_hz)[:, 0]
    if rule.inter_sf == "sinr":
        floor_dbm = np.maximum(floor_dbm, units.mw_to_dbm(ratio * noise_mw))
    return floor_dbm, ratio, noise_mw


def _limits(
    public: Scenario,
    middle_dbm: NDArray[np.float64],
    ratio: NDArray[np.float64],
    noise_mw: float,
    lowest_dbm: float,
) -> NDArray[np.int32]:
    """Positions of interferers that packets of a spreading factor just survive `[wanted S, other S, X]`."""
    rule, sf = public.reception, np.array(public.region.spreading_factors) - 7
    shape = len(sf), len(sf), len(middle_dbm)
    limit_dbm = np.full(shape, np.inf)
    if rule.inter_sf == "sir_pairwise" and rule.sir_db is not None:
        limit_dbm[...] = middle_dbm - rule.sir_db[np.ix_(sf, sf)][..., None]
    elif rule.inter_sf == "sinr":
        left_mw = units.dbm_to_mw(middle_dbm) / ratio[:, None] - noise_mw
        bearable_dbm = np.where(left_mw > 0, units.mw_to_dbm(np.maximum(left_mw, 1e-30)), -np.inf)
        limit_dbm[...] = bearable_dbm[:, None]
    own = np.arange(len(sf))
    limit_dbm[own, own] = middle_dbm - rule.capture_db
    position = (limit_dbm - lowest_dbm) / (STEP_DB / FINE)
    return np.rint(np.clip(position, -NEVER, NEVER)).astype(np.int32)


def _few_enough(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(a Poisson number is at most 1 / SINR needed) by load `[S, LOADS + 1]`."""
    load = np.linspace(0.0, MOST_LOAD, LOADS + 1)
    largest = np.floor(1 / ratio + 1e-9).astype(int)
    term, few = np.exp(-load), np.zeros((len(largest), LOADS + 1))
    for count in range(largest.max() + 1):
        few[largest >= count] += term
        term = term * load / (count + 1)
    return np.minimum(few, 1.0)


def _normal_cdf(z: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in z.tolist()])
