"""The compiled pass of the index bandits: update, select and write, for a batch of decisions, without allocation.

The state of a node is `arms[b, n]`: `[3, K]`, rows `VALUE`, `COUNT` and `WIDTH` = c / sqrt(2 (count + prior)), kept so
that the index of an arm costs one multiplication and one addition. `groups` `[G, 7]` says which arms compete and which
factors they set: the group's first arm, the one past its last, how far from an arm the value lies that its update
subtracts (0: its own), and the strides by which the group's arms count through the four factors (0: not set).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

VALUE, COUNT, WIDTH = 0, 1, 2
FIRST, END, SUBTRACTED, STRIDES = 0, 1, 2, 3


@njit(inline="always")
def _learn(
    arms: NDArray[np.float64],
    reward: NDArray[np.float64],
    groups: NDArray[np.int64],
    point: NDArray[np.int16],
    c: float,
    prior: float,
) -> None:
    for g in range(groups.shape[0]):
        k = groups[g, FIRST]
        for factor in range(4):
            k += groups[g, STRIDES + factor] * point[factor]
        arms[COUNT, k] += 1.0
        pulls = arms[COUNT, k] + prior
        arms[VALUE, k] += (reward[k] - arms[VALUE, k + groups[g, SUBTRACTED]]) / pulls
        arms[WIDTH, k] = c / math.sqrt(2.0 * pulls)


@njit(inline="always")
def _choose(arms: NDArray[np.float64], root: float, groups: NDArray[np.int64], point: NDArray[np.int16]) -> None:
    for g in range(groups.shape[0]):
        best = groups[g, FIRST]
        # At t = 1 and prior = 0 this is 0 * inf; nothing compares greater, so the first arm wins, as it should.
        highest = arms[VALUE, best] + root * arms[WIDTH, best]
        for k in range(groups[g, FIRST] + 1, groups[g, END]):
            index = arms[VALUE, k] + root * arms[WIDTH, k]
            if index > highest:
                highest = index
                best = k
        rest = best - groups[g, FIRST]
        for factor in range(4):
            stride = groups[g, STRIDES + factor]
            if stride > 0:
                point[factor] = rest // stride
                rest %= stride


@njit(cache=True, nogil=True)
def decide(
    decisions: NDArray[np.void],
    points: NDArray[np.int16],
    t: NDArray[np.int64],
    arms: NDArray[np.float64],
    reward: NDArray[np.float64],
    groups: NDArray[np.int64],
    fixed_point: NDArray[np.int16],
    c: float,
    prior: float,
) -> None:
    """Update and choice of every decider, in place.

    Args:
        decisions: Records of `lora_marl.core.outcome.Decisions` `[M]`, each (replica, node) at most once.
        points: Operating points `[B, N, 4]`, written for the nodes that decide.
        t: Transmissions so far, from 1 `[B, N]`.
        arms: `[B, N, 3, K]`.
        reward: By fate and arm `[5, K]`.
        groups: `[G, 7]`.
        fixed_point: What the factors of no group are set to `[4]`.
        c: Weight of exploration.
        prior: Tries that every arm starts with.
    """
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            t[b, n] += 1
            _learn(arms[b, n], reward[decision.fate], groups, decision.point, c, prior)
        points[b, n] = fixed_point
        _choose(arms[b, n], math.sqrt(math.log(t[b, n])), groups, points[b, n])
