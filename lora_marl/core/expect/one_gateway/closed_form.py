"""Delivery at one gateway in expectation: log-normal shadowing, capture, interference of other spreading factors.

A packet of node n is received at power x = mu_n + sigma z, z standard normal. It is delivered if x reaches the floor
(sensitivity, and under `sinr` the noise times the SINR needed) and no other node's packet is fatal to it:

    P_n = P(x >= floor_n) E[ prod_k (1 - h_nk f_nk(x)) | x >= floor_n ]

    h_nk = b_k + (1 - b_k) (1 - exp(-V_n / g_k))       packet of k on the air at the start of V_n, or starting within it
    f_nk = Phi((mu_k - limit_nk(x)) / sigma)           its power exceeds what n's packet survives

Here g_k is the mean silence of node k between packets, b_k the share of time that it sends, and V_n the airtime of n's
packet without its spared symbols. The limit is x minus the capture threshold within a spreading factor, x minus the
SIR needed (`sir_pairwise`, at equal bandwidths), or the power that lowers the SINR to what is needed (`sinr`, and
`sir_pairwise` at unequal bandwidths, which act as noise), each interferer on its own.
The expectation is taken at the middles of `LEVELS` equally likely parts of the distribution of x above the floor.

Nodes that hop: `lora_marl.core.expect.hopping`. A node has the data rate that its channel takes
(`Region.as_sent`).

Approximations: overlaps of different nodes are independent; a node overlaps a packet once; interferers do not add up;
`spares="pair"` counts as `target`; a packet that is lost at its start interferes nevertheless. `db_ratio` (the
published code's quirk) becomes a limit on packets on the air: lost when more than 1 / (SINR needed) others are, their
number Poisson, all powers equal. Demodulators, `at_start` and downlinks are left out.

Source: thinning of independent on-off sources; D-LoRa Eq. (2)-(5) for the physics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import phy, units
from lora_marl.core.energy import energy_costs
from lora_marl.core.expect.expectation import Expectation
from lora_marl.core.expect.hopping import ChannelRows, channel_rows
from lora_marl.core.expect.physics import check_single_network
from lora_marl.core.random import normal_quantile
from lora_marl.core.reception import channel_overlaps
from lora_marl.core.region import CHANNEL
from lora_marl.core.scenario import Scenario

LEVELS = 16
"""Powers at which a packet is evaluated, equally likely."""
NONE, SINR, SIR, COUNT = 0, 1, 2, 3
_MODES = {"none": NONE, "sinr": SINR, "sir_pairwise": SIR, "db_ratio": COUNT}
LOADS = 512
"""Points of the table of the probability that few enough others are on the air."""


class Tables(NamedTuple):
    """Constants of a scenario: S spreading factors, W bandwidths, C channels, T powers, N nodes, Q levels."""

    gain_db: NDArray[np.float64]  # [N], received minus transmitted power
    airtime_s: NDArray[np.float64]  # [N, S, W]
    interval_s: NDArray[np.float64]  # [N]
    bits: NDArray[np.float64]  # [N], payload
    tp_dbm: NDArray[np.float64]  # [T]
    tp_mw: NDArray[np.float64]  # [T]
    channel_loss_db: NDArray[np.float64]  # [C]
    floor_dbm: NDArray[np.float64]  # [S, W]
    noise_mw: NDArray[np.float64]  # [W]
    sinr_ratio: NDArray[np.float64]  # [S]
    sir_db: NDArray[np.float64]  # [S, S]
    spared_s: NDArray[np.float64]  # [S, W]
    overlaps: NDArray[np.bool_]  # [C, W, C, W]
    levels: NDArray[np.float64]  # [Q], probabilities
    few: NDArray[np.float64]  # [S, LOADS + 1], P(few enough others on the air) by load under `db_ratio`, else 1
    load_step: float
    sigma_db: float
    capture_db: float
    mode: int
    equal_bw: bool  # whether collisions need equal bandwidth
    airtimes: float  # from a packet's start to where the gap begins: 0, 1, or 1 / duty cycle
    windows_mj: NDArray[np.float64]  # [S, W], of the receive windows after a packet
    sleep_mw: float


class OneGateway:
    """The closed form of a scenario with one gateway; changes on schedule are left out.

    Args:
        scenario: The network; positions and traffic of one replica.
        gain_db: Received minus transmitted power of each node in place of the scenario's mean, with what links keep of
            their shadowing. `[N]` dB

    Attributes:
        scenario: The network.
        tables: Its constants.

    Raises:
        ValueError: several gateways, several replicas, fading, shadowing that links keep (unless `gain_db` has it), or
            a rule that has no closed form here, naming the field.
    """

    def __init__(self, scenario: Scenario, gain_db: NDArray[np.float64] | None = None) -> None:
        air, reception = scenario.propagation, scenario.reception
        check_single_network(scenario, "one-gateway")
        if scenario.gateways != 1:
            raise ValueError(f"scenario has {scenario.gateways} gateways; this closed form is of one")
        if reception.inter_sf not in _MODES:
            raise ValueError(f"reception.inter_sf: {reception.inter_sf!r} has no closed form; use {', '.join(_MODES)}")
        if air.fading != "none":
            raise ValueError(f"propagation.fading: {air.fading!r} has no closed form of one gateway; use none")
        per_packet = air.shadowing == "packet"
        if gain_db is None and not per_packet and air.shadowing_db > 0:
            raise ValueError("propagation.shadowing: 'link' is drawn per replica; give gain_db with it")
        self.scenario = scenario
        self.tables = _tables(scenario, gain_db, air.shadowing_db if per_packet else 0.0)

    def expect(self, points: NDArray[np.int16]) -> Expectation:
        """The expectation of an allocation `[N, 4]`: the plain statement, all pairs at once."""
        t, node, points = self.tables, np.arange(len(points)), self.scenario.region.as_sent(points)
        sf, bw, _, tp = points.T
        airtime_s = t.airtime_s[node, sf, bw]
        busy = busy_share(airtime_s, t.interval_s, t.airtimes)
        silent_s = t.interval_s + max(t.airtimes - 1.0, 0.0) * airtime_s
        rows = channel_rows(self.scenario, points)
        survives = np.empty(len(rows.node))
        for targets, others in self._blocks(rows):
            survives[targets] = self._survives(rows, targets, others, busy, silent_s)
        return Expectation(
            delivery=rows.mean(survives) * self._few_enough(points, busy),
            packets_per_s=1 / (t.interval_s + t.airtimes * airtime_s),
            energy_mj=t.tp_mw[tp] * airtime_s + t.windows_mj[sf, bw],
            airtime_s=airtime_s,
            bits=t.bits,
            sleep_mw=t.sleep_mw,
        )

    def _blocks(self, rows: ChannelRows) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Rows that are judged together, and those that may disturb them: channel by channel where nodes hop."""
        channel, everybody = rows.points[:, CHANNEL], np.arange(len(rows.node))
        if len(everybody) == self.scenario.nodes:
            yield everybody, everybody
            return
        near = np.asarray(self.tables.overlaps.any(axis=(1, 3)))
        for c in np.unique(channel):
            yield np.flatnonzero(channel == c), np.flatnonzero(near[c, channel])

    def _survives(
        self,
        rows: ChannelRows,
        targets: NDArray[np.intp],
        others: NDArray[np.intp],
        busy: NDArray[np.float64],
        silent_s: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Probability that packets of target rows `[R]` reach the floor and survive other rows `[K]`: `[R]`.

        Args:
            rows: All rows.
            targets, others: Their places.
            busy: Share of time that each node sends `[N]`.
            silent_s: Mean silence of each node between packets `[N]`. s
        """
        t, points, node = self.tables, rows.points, rows.node
        sf, bw, _, _ = points[targets].T
        reached, x_dbm = power_levels(self._mean_dbm(rows, targets), t.floor_dbm[sf, bw], t.sigma_db, t.levels)
        window_s = np.maximum(t.airtime_s[node[targets], sf, bw] - t.spared_s[sf, bw], 0.0)
        share = rows.traffic[others]
        on_air, starts_per_s = share * busy[node[others]], share / silent_s[node[others]]
        hit = on_air + (1 - on_air) * -np.expm1(-window_s[:, None] * starts_per_s)
        limit_dbm = self._limit_dbm(points[targets], points[others], x_dbm)
        fatal = normal_cdf(self._mean_dbm(rows, others)[None, :, None] - limit_dbm, t.sigma_db)
        disturbs = self._disturbs(points[targets], points[others]) & (node[targets][:, None] != node[others])
        survived = np.prod(1 - hit[..., None] * fatal, axis=1, where=disturbs[..., None])
        mean: NDArray[np.float64] = reached * survived.mean(axis=-1)
        return mean

    def _mean_dbm(self, rows: ChannelRows, some: NDArray[np.intp]) -> NDArray[np.float64]:
        """Mean received power of some rows `[R]`. dBm"""
        t, (_, _, channel, tp) = self.tables, rows.points[some].T
        return t.gain_db[rows.node[some]] + t.tp_dbm[tp] - t.channel_loss_db[channel]

    def _disturbs(self, targets: NDArray[np.int16], others: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Whether packets of the column's point can be fatal to those of the row's `[R, K]`."""
        (_, bw, channel, _), (_, other_bw, other_channel, _) = targets.T, others.T
        overlap = self.tables.overlaps[channel[:, None], bw[:, None], other_channel, other_bw]
        return overlap & (self._collides(targets, others) | (self.tables.mode in (SINR, SIR)))

    def _collides(self, targets: NDArray[np.int16], others: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Whether two points have one spreading factor, and one bandwidth where that is needed `[R, K]`."""
        (sf, bw, _, _), (other_sf, other_bw, _, _) = targets.T, others.T
        same_bw = (bw[:, None] == other_bw) | (not self.tables.equal_bw)
        return (sf[:, None] == other_sf) & same_bw

    def _limit_dbm(
        self, targets: NDArray[np.int16], others: NDArray[np.int16], x_dbm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The power of the column's point that packets of the row's just survive `[R, K, Q]`."""
        t, (sf, bw, _, _), (other_sf, other_bw, _, _) = self.tables, targets.T, others.T
        other = sinr_limit_dbm(x_dbm, t.sinr_ratio[sf][:, None], t.noise_mw[bw][:, None])[:, None]
        if t.mode == SIR:
            equal_bw = (bw[:, None] == other_bw)[..., None]  # else the other's power acts as noise
            other = np.where(equal_bw, x_dbm[:, None] - t.sir_db[sf[:, None], other_sf][..., None], other)
        return np.where(self._collides(targets, others)[..., None], x_dbm[:, None] - t.capture_db, other)

    def _few_enough(self, points: NDArray[np.int16], busy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability that few enough others are on the air `[N]`."""
        loads, grid = busy.sum() - busy, np.arange(LOADS + 1) * self.tables.load_step
        few = [np.interp(load, grid, self.tables.few[sf]) for load, sf in zip(loads, points[:, 0], strict=True)]
        return np.array(few)


def power_levels(
    mean_dbm: NDArray[np.float64], floor_dbm: NDArray[np.float64], sigma_db: float, levels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability to reach the floor `[N]`, and powers in the middle of equally likely parts above it `[N, Q]` dBm."""
    if sigma_db == 0:
        return (mean_dbm >= floor_dbm).astype(np.float64), np.repeat(mean_dbm[:, None], len(levels), axis=1)
    below = normal_cdf(floor_dbm - mean_dbm, sigma_db)
    part = np.clip(below[:, None] + (1 - below[:, None]) * levels, 1e-15, 1 - 1e-15)
    quantile = np.array([[normal_quantile(p) for p in row] for row in part])
    return 1 - below, mean_dbm[:, None] + sigma_db * quantile


def busy_share(airtime_s: NDArray[np.float64], interval_s: NDArray[np.float64], airtimes: float) -> NDArray[np.float64]:
    """Share of time that nodes send whose gaps begin `airtimes` airtimes after a packet's start `[N]`."""
    return np.minimum(airtime_s / (interval_s + airtimes * airtime_s), 1.0)


def sinr_limit_dbm(
    x_dbm: NDArray[np.float64], sinr_ratio: NDArray[np.float64], noise_mw: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interference that lowers the SINR of a packet of power x to what it needs; -inf where noise alone does. dBm"""
    left_mw = units.dbm_to_mw(x_dbm) / sinr_ratio - noise_mw
    return np.where(left_mw > 0, units.mw_to_dbm(np.maximum(left_mw, 1e-30)), -np.inf)


def normal_cdf(difference: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Phi(difference / sigma); a step that is 1 above 0 where sigma is 0."""
    if sigma == 0:
        return (difference > 0).astype(np.float64)
    return 0.5 * _erfc(-difference / (sigma * np.sqrt(2.0)))


def _tables(scenario: Scenario, gain_db: NDArray[np.float64] | None, sigma_db: float) -> Tables:
    region, reception, traffic = scenario.region, scenario.reception, scenario.lone_traffic
    sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    nodes, costs = scenario.nodes, energy_costs(scenario)
    gain = np.asarray(scenario.mean_gain_db() if gain_db is None else gain_db)
    payload, interval_s = np.asarray(traffic.payload_bytes), scenario.interval_s()
    for name, value in {"node_xy_m": gain.reshape(-1, nodes) if gain.ndim < 3 else gain[..., 0],
                        "traffic.payload_bytes": payload, "traffic.interval_s": interval_s}.items():  # fmt: skip
        if value.ndim == 2 and len(value) > 1:
            raise ValueError(f"scenario.{name}: has {len(value)} replicas; the closed form is of one")
    noise_mw = units.dbm_to_mw(phy.noise_dbm(bw_hz, reception.noise_figure_db))
    sinr_ratio = units.db_to_ratio(reception.sinr_thresholds_db(sf))
    mode = _MODES[reception.inter_sf]
    floor_dbm = reception.sensitivities_dbm(sf, bw_hz)
    if mode == SINR:
        floor_dbm = np.maximum(floor_dbm, units.mw_to_dbm(sinr_ratio[:, None] * noise_mw))
    per_node = np.broadcast_to(payload.reshape(-1), (nodes,))
    airtime_s = scenario.airtime_s(per_node)
    interval = np.broadcast_to(interval_s.reshape(-1), (nodes,)).astype(np.float64)
    gap_begins = float(traffic.after_end and traffic.kind != "periodic")
    airtimes = gap_begins if traffic.duty_cycle is None else 1.0 / float(traffic.duty_cycle)
    most = float(busy_share(airtime_s.max(axis=(1, 2)), interval, airtimes).sum())
    return Tables(
        gain_db=gain.reshape(nodes).astype(np.float64),
        airtime_s=airtime_s,
        interval_s=interval,
        bits=8.0 * per_node,
        tp_dbm=np.array(region.tp_dbm, np.float64),
        tp_mw=costs.tp_mw,
        channel_loss_db=np.zeros(len(region.channels_hz)) if scenario.channel_loss_db is None
        else np.asarray(scenario.channel_loss_db, np.float64),
        floor_dbm=floor_dbm,
        noise_mw=noise_mw,
        sinr_ratio=sinr_ratio,
        sir_db=np.zeros((len(sf), len(sf))) if reception.sir_db is None else reception.sir_db[np.ix_(sf - 7, sf - 7)],
        spared_s=reception.spared_preamble_symbols * phy.symbol_time_s(sf[:, None], bw_hz=bw_hz),
        overlaps=channel_overlaps(np.array(region.channels_hz), bw_hz, reception.channel_overlap),
        levels=(np.arange(LEVELS) + 0.5) / LEVELS,
        few=_few_enough(sinr_ratio, most) if mode == COUNT else np.ones((len(sf), LOADS + 1)),
        load_step=max(most, 1e-9) / LOADS,
        sigma_db=sigma_db,
        capture_db=reception.capture_db,
        mode=mode,
        equal_bw=reception.same_sf_needs_equal_bw,
        airtimes=airtimes,
        windows_mj=costs.windows_mj,
        sleep_mw=costs.sleep_mw,
    )  # fmt: skip


def _few_enough(sinr_ratio: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """P(a Poisson number is at most 1 / SINR needed) by load, `[S, LOADS + 1]`."""
    load = np.linspace(0.0, max(most, 1e-9), LOADS + 1)
    largest = np.floor(1 / sinr_ratio + 1e-9).astype(int)
    term, total = np.exp(-load), np.zeros((len(largest), LOADS + 1))
    for count in range(largest.max() + 1):
        total[largest >= count] += term
        term = term * load / (count + 1)
    return np.minimum(total, 1.0)


_erfc = np.vectorize(math.erfc, otypes=[np.float64])
