"""NoReL's update over a batch of rounds and its draws of actions, compiled; formulas in `agents.norel.norel`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lora_marl.core.random import uniform
from lora_marl.core.region import SF, TP


class Table(NamedTuple):
    """The state of NoReL by replica, node, channel state and action; the names are those of snapshots."""

    rounds: NDArray[np.int64]  # [B, N, states], rounds so far
    kappa: NDArray[np.float64]  # [B, N, states]
    utility: NDArray[np.float64]  # [B, N, states, K]
    regret: NDArray[np.float64]  # [B, N, states, K]
    strategy: NDArray[np.float64]  # [B, N, states, K], probabilities
    beta: NDArray[np.float64]  # [B, N, K], of the last round
    moved: NDArray[np.float64]  # [B, N], mean change of the strategy in the last round
    restless_s: NDArray[np.float64]  # [B, N, states], time of the last round that moved it by more than `delta`


def empty_table(shape: tuple[int, ...], states: int) -> Table:
    """A table in which nothing is learned, for `shape` (B, N, K)."""
    replicas, nodes, actions = shape
    by_action = (replicas, nodes, states, actions)
    return Table(
        rounds=np.zeros(by_action[:3], np.int64),
        kappa=np.zeros(by_action[:3]),
        utility=np.zeros(by_action),
        regret=np.zeros(by_action),
        strategy=np.zeros(by_action),
        beta=np.zeros(shape),
        moved=np.zeros((replicas, nodes)),
        restless_s=np.zeros(by_action[:3]),
    )


@njit(cache=True)
def _learn(utility, regret, strategy, beta, allowed, action, share, round_, kappa, exponents):  # type: ignore[no-untyped-def]
    """Learn from one round of one node in one state, of which `share` was delivered; the strategy's mean change."""
    utility[action] += round_ ** -exponents[0] * (share - utility[action])
    regret_step, strategy_step, largest = round_ ** -exponents[1], round_ ** -exponents[2], 0.0
    for k in range(len(utility)):
        if allowed[k]:
            regret[k] += regret_step * (utility[k] - share - regret[k])
            largest = max(largest, kappa * regret[k])
    total, actions, least = 0.0, 0, math.exp(-largest)
    for k in range(len(utility)):
        beta[k] = 0.0
        if allowed[k]:
            beta[k] = math.exp(kappa * regret[k] - largest) if regret[k] > 0.0 else least
        total += beta[k]
        actions += allowed[k]
    moved = 0.0
    for k in range(len(utility)):
        beta[k] /= total
        step = (beta[k] - strategy[k]) * strategy_step
        strategy[k] += step
        moved += abs(step)
    return moved / actions


@njit(cache=True)
def learn(records, powers, shares, states, allowed, exponents, delta, table):  # type: ignore[no-untyped-def]
    """Learn from rounds.

    Args:
        records: A decision at the end of each round. `[M]`
        powers: Number of transmit powers.
        shares: Share of each round that was delivered, the utility u; nan: there was no round. `[M]`
        states: Channel state of each round. `[M]`
        allowed: Actions that a node may choose. `[B, N, K]`
        exponents: Exponents of the steps of utilities, regrets and strategies. `[3]`
        delta: Mean change of a strategy that counts as none.
        table: The learned table, changed in place.
    """
    for m in range(len(records)):
        if not shares[m] >= 0.0:
            continue
        b, n, s = records[m].replica, records[m].node, states[m]
        action = records[m].point[SF] * powers + records[m].point[TP]
        round_ = table.rounds[b, n, s] + 1
        table.rounds[b, n, s] = round_
        table.kappa[b, n, s] += float(round_) ** 2
        moved = _learn(
            table.utility[b, n, s], table.regret[b, n, s], table.strategy[b, n, s], table.beta[b, n],
            allowed[b, n], action, shares[m], float(round_), table.kappa[b, n, s], exponents,
        )  # fmt: skip
        table.moved[b, n] = moved
        if moved > delta:
            table.restless_s[b, n, s] = records[m].time_s


@njit  # no disk cache: it would not notice an edited generator
def draw(keys, records, states, drawn, strategy, sharpness, actions):  # type: ignore[no-untyped-def]
    """Draw an action for each decision `[M]`, as likely as strategy^sharpness; -1: no strategy in that state yet."""
    for m in range(len(records)):
        b, n = records[m].replica, records[m].node
        total = 0.0
        for k in range(strategy.shape[3]):
            total += strategy[b, n, states[m], k] ** sharpness
        left = uniform(keys[b], n, drawn[b, n]) * total
        drawn[b, n] += 1
        actions[m] = -1
        for k in range(strategy.shape[3]):
            share = strategy[b, n, states[m], k] ** sharpness
            if share > 0.0:
                actions[m] = k  # the last positive one takes what rounding leaves
                left -= share
                if left <= 0.0:
                    break
