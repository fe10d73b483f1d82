"""NoReL, MinSF and ADR in the simulator of NoReL's authors, to reproduce their numbers (`lora_marl.core.published`).

The update is that of `agents.norel.norel`. Different from the learner on the package's air are rounds and utility
(`lora_marl.core.published.norel_rounds`), the channel state (`lora_marl.core.published.norel_network`), parameters that
act at once, and downlinks that are never refused or lost but keep the gateway from receiving for 1.71 s each.

| method | starts from | downlinks |
|---|---|---|
| `fixed` | given points, or MinSF at 14 dBm | none; with `answers` those of NoReL's rounds, but nothing is learned |
| `norel` | MinSF at 14 dBm | one a round |
| `adr` | MinSF at 14 dBm | one a command |

Source: NoReL and its authors' code. Differences: log-sum-exp in place of the code's branch for large exponents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.channel_state import STATES, binned
from agents.link_margin import feasible, least_sf
from agents.norel.kernel import Table, empty_table, learn
from lora_marl.core.checks import check_choice
from lora_marl.core.published.norel_network import RATE, SIGMA, Estimates, channel_of, initial_estimates
from lora_marl.core.published.norel_receiver import SENT, Channel
from lora_marl.core.published.norel_rounds import (
    ALL_DELIVERED,
    ALL_SENT,
    ROUND_DELIVERED,
    ROUND_PACKETS,
    Counters,
    initial_adr_state,
    run_adr,
    run_fixed,
    run_round,
    send_answer,
    zero_counters,
)
from lora_marl.core.random import stream_key, uniform
from lora_marl.core.region import SF, TP
from lora_marl.core.scenario import Scenario

Method = Literal["fixed", "norel", "adr"]

_EXPONENTS = np.array([0.8, 0.9, 1.0])
_RECORD = np.dtype([("replica", np.int32), ("node", np.int32), ("time_s", np.float64), ("point", np.int16, (4,))])


@dataclass(frozen=True)
class SimulationResult:
    """The result of a run in the authors' simulator.

    Attributes:
        points: Operating points at the end; for NoReL a draw from each node's strategy. `[N, 4]`
        sent, delivered: Numbers of uplinks. `[N]`
        downlinks: Number of downlinks that all gateways sent.
        gateway_airtime: Their airtime over the duration and the number of gateways. 0 to 1
        estimate: PL0 in dB, gamma, sigma in dB, lambda in 1/s at the end, and when. `[5]`
        table: The table that NoReL learned; None for others.
    """

    points: NDArray[np.int16]
    sent: NDArray[np.int64]
    delivered: NDArray[np.int64]
    downlinks: int
    gateway_airtime: float
    estimate: NDArray[np.float64]
    table: Table | None = None

    @property
    def delivery(self) -> float:
        """Share of uplinks delivered, mean over nodes that sent any."""
        sending = self.sent > 0
        return float((self.delivered[sending] / self.sent[sending]).mean())


def simulate(
    scenario: Scenario,
    seed: int,
    duration_s: float,
    method: Method = "norel",
    *,
    points: NDArray[np.int16] | None = None,
    answers: bool = False,
    margin_db: float | None = None,
    early_stop: bool = True,
) -> SimulationResult:
    """Run a scenario in the authors' simulator.

    Args:
        scenario: A network that `lora_marl.core.published.norel_network.channel_of` accepts.
        seed: Seed of traffic, shadowing and strategies.
        duration_s: Simulated time. s
        method: `fixed`, `norel` or `adr`: see the module's page.
        points: First points; None: MinSF. `[N, 4]`
        answers: Whether `fixed` sends the downlinks of NoReL's rounds.
        margin_db: Link margin of ADR; None: sigma_hat + 8 dB. dB
        early_stop: Whether the receiver's scan for interferers stops early, as in the authors' code
            (`lora_marl.core.published.norel_receiver`).

    Raises:
        ValueError: an unknown method, or physics that the simulator does not have.
    """
    check_choice("method", method, get_args(Method))
    first = min_sf_points(scenario) if points is None else points
    channel = channel_of(scenario, first, seed, duration_s, early_stop=early_stop)
    counters, estimates = zero_counters(scenario.nodes), initial_estimates(scenario)
    table = None
    if method == "norel":
        table = _run_norel(scenario, seed, channel, counters, estimates)
    elif method == "adr":
        run_adr(
            channel, counters, estimates, initial_adr_state(scenario.nodes), np.nan if margin_db is None else margin_db
        )
    else:
        run_fixed(channel, counters, estimates, answers)
    downlinks = int(channel.counts[SENT])
    return SimulationResult(
        points=_points_of(scenario, channel),
        sent=counters.packets[ALL_SENT],
        delivered=counters.packets[ALL_DELIVERED],
        downlinks=downlinks,
        gateway_airtime=downlinks * float(channel.airtime_s[-1]) / duration_s / scenario.gateways,
        estimate=estimates.now,
        table=table,
    )


def min_sf_points(scenario: Scenario) -> NDArray[np.int16]:
    """MinSF at the highest power `[N, 4]`."""
    points = np.zeros((scenario.nodes, 4), np.int16)
    points[:, SF], points[:, TP] = least_sf(scenario, 1)[0], len(scenario.region.tp_dbm) - 1
    return points


def _points_of(scenario: Scenario, channel: Channel) -> NDArray[np.int16]:
    """The operating points in force `[N, 4]`."""
    points = np.zeros((scenario.nodes, 4), np.int16)
    points[:, SF] = channel.sf[: scenario.nodes]
    points[:, TP] = np.searchsorted(scenario.region.tp_dbm, channel.tp_dbm[: scenario.nodes])
    return points


def _run_norel(scenario: Scenario, seed: int, channel: Channel, counters: Counters, estimates: Estimates) -> Table:
    """Run NoReL to the end; what it learned."""
    actions = feasible(scenario, 1).reshape(1, scenario.nodes, -1)
    table = empty_table(actions.shape, STATES)
    key, powers_dbm = stream_key(seed, "learner"), np.array(scenario.region.tp_dbm, np.float64)
    _run_rounds(channel, counters, estimates, actions, powers_dbm, key, np.zeros(1, _RECORD), _EXPONENTS, table)
    return table


@njit
def _draw(strategy, share):  # type: ignore[no-untyped-def]
    """The action at which the summed probabilities reach `share`; the last possible one takes what rounding leaves."""
    action = 0
    for k in range(len(strategy)):
        if strategy[k] > 0.0:
            action = k
            share -= strategy[k]
            if share <= 0.0:
                break
    return action


@njit  # no disk cache: it would not notice an edited simulator
def _run_rounds(channel, counters, estimates, actions, powers_dbm, key, records, exponents, table):  # type: ignore[no-untyped-def]
    """Run rounds until the last uplink; what was learned from one acts before the downlink that carries it."""
    shares, states, powers = np.empty(1), np.empty(1, np.int64), len(powers_dbm)
    record = records[0]
    while True:
        packet = run_round(channel, counters, estimates)
        if packet < 0:
            return
        n = channel.node[packet]
        record.node = n
        record.time_s = channel.start_s[packet]
        record.point[SF] = channel.sf[n]
        record.point[TP] = np.searchsorted(powers_dbm, channel.tp_dbm[n])
        shares[0] = counters.packets[ROUND_DELIVERED, n] / ROUND_PACKETS
        states[0] = binned(estimates.now[SIGMA], estimates.now[RATE])
        learn(records, powers, shares, states, actions, exponents, 0.01, table)
        action = _draw(table.strategy[0, n, states[0]], uniform(key, n, packet))
        channel.sf[n] = action // powers
        channel.tp_dbm[n] = powers_dbm[action % powers]
        send_answer(channel, counters, packet)
