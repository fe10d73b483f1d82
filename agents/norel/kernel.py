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
def _learn_round(record, powers, share, s, allowed, exponents, delta, table):  # type: ignore[no-untyped-def]
    """Learn from the round that ended with a decision's record, in channel state `s`."""
    b, n = record.replica, record.node
    action = record.point[SF] * powers + record.point[TP]
    round_ = table.rounds[b, n, s] + 1
    table.rounds[b, n, s] = round_
    table.kappa[b, n, s] += float(round_) ** 2
    moved = _learn(
        table.utility[b, n, s], table.regret[b, n, s], table.strategy[b, n, s], table.beta[b, n],
        allowed[b, n], action, share, float(round_), table.kappa[b, n, s], exponents,
    )  # fmt: skip
    table.moved[b, n] = moved
    if moved > delta:
        table.restless_s[b, n, s] = record.time_s


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
        if shares[m] >= 0.0:
            _learn_round(records[m], powers, shares[m], states[m], allowed, exponents, delta, table)


@njit(cache=True)
def _weight(share, sharpness):  # type: ignore[no-untyped-def]
    """share^sharpness, without the power where it changes nothing."""
    return share if sharpness == 1.0 else share**sharpness


@njit(cache=True)
def _choose(strategy, sharpness, drawn):  # type: ignore[no-untyped-def]
    """The action at a uniform number, each as likely as strategy^sharpness `[K]`; -1: there is no strategy yet."""
    total = 0.0
    for k in range(len(strategy)):
        total += _weight(strategy[k], sharpness)
    left, action = drawn * total, -1
    for k in range(len(strategy)):
        share = _weight(strategy[k], sharpness)
        if share > 0.0:
            action = k  # the last positive one takes what rounding leaves
            left -= share
            if left <= 0.0:
                break
    return action


@njit  # no disk cache: it would not notice an edited generator
def uniforms(keys, records, drawn):  # type: ignore[no-untyped-def]
    """The next uniform number of each decision's node, counted in `drawn [B, N]`. `[M]`"""
    numbers = np.empty(len(records))
    for m in range(len(records)):
        b, n = records[m].replica, records[m].node
        numbers[m] = uniform(keys[b], n, drawn[b, n])
        drawn[b, n] += 1
    return numbers


@njit(cache=True)
def choose(numbers, records, states, strategy, sharpness):  # type: ignore[no-untyped-def]
    """An action for each decision `[M]` by its uniform number, as likely as strategy^sharpness; -1: no strategy yet."""
    actions = np.empty(len(records), np.int64)
    for m in range(len(records)):
        b, n = records[m].replica, records[m].node
        actions[m] = _choose(strategy[b, n, states[m]], sharpness, numbers[m])
    return actions


@njit(cache=True)
def decide(  # type: ignore[no-untyped-def]
    records, points, fixed, powers, packets, numbers, states, allowed, exponents, delta, sharpness, table
):
    """Learn from rounds, choose the next actions, and write them into `points`, in one pass.

    Args:
        records, powers, states, allowed, exponents, delta, table: As in `learn`.
        points: Operating points in force, written. `[B, N, 4]`
        fixed: Points of nodes without a strategy. `[B, N, 4]`
        packets: Packets that a round counts as; 0: those that were sent.
        numbers: Uniform numbers. `[M]`
        sharpness: As in `choose`.
    """
    for m in range(len(records)):
        record = records[m]
        b, n = record.replica, record.node
        if record.sent > 0:
            share = min(record.delivered / float(packets if packets > 0 else record.sent), 1.0)
            _learn_round(record, powers, share, states[m], allowed, exponents, delta, table)
        action = _choose(table.strategy[b, n, states[m]], sharpness, numbers[m])
        points[b, n] = fixed[b, n]
        if action >= 0:
            points[b, n, SF] = action // powers
            points[b, n, TP] = action % powers
