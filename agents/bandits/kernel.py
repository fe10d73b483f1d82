"""The compiled passes of the index bandits: update, select and write, for a batch of decisions, without allocation.

The state of a node is `arms[b, n]`, `[3, K]`, with rows `VALUE`, `COUNT` and `WIDTH` = c / sqrt(2 (count + prior)). The
width is stored, so that the index of an arm costs one multiplication and one addition.

Every row of `groups` `[G, 7]` is a set of arms that compete:

| column | what it holds |
|---|---|
| `FIRST`, `END` | the group's first arm, and the one after its last |
| `SUBTRACTED` | offset to the arm whose value an update subtracts; 0: the arm's own, else a published bug |
| `STRIDES` to `STRIDES` + 3 | strides by which the arms count through the four factors; 0: the group does not set it |

Every pass takes, in this order:

| argument | shape | what it is |
|---|---|---|
| `decisions` | `[M]` | records of `lora_marl.core.outcome.Decisions`, each (replica, node) at most once |
| `points` | `[B, N, 4]` | operating points, written for the nodes that decide |
| `t` | `[B, N]` | transmissions so far, from 1 |
| `arms` | `[B, N, 3, K]` | the state |
| `reward` | `[5, K]` | by fate and arm |
| `groups` | `[G, 7]` | see above |
| `fixed` | `[B, N, 4]` | values of the factors that no group sets |
| `c`, `prior` | | weight of exploration; tries that every arm starts with |

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch, `G` groups, `K` arms.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

VALUE, COUNT, WIDTH = 0, 1, 2
FIRST, END, SUBTRACTED, STRIDES = 0, 1, 2, 3

Records = NDArray[np.void]
Points = NDArray[np.int16]
Floats = NDArray[np.float64]
Groups = NDArray[np.int64]


@njit(inline="always")
def arm_of(group: Groups, point: Points) -> int:
    """The arm of a group that a packet was sent with."""
    k = group[FIRST]
    for factor in range(4):
        k += group[STRIDES + factor] * point[factor]
    return k


@njit(inline="always")
def width(c: float, pulls: float) -> float:
    """Half-width of an arm's confidence interval at ln t = 1; infinite where the arm has not been tried."""
    return c / math.sqrt(2.0 * pulls) if pulls > 0.0 else np.inf


@njit(inline="always")
def learn(arms: Floats, reward: Floats, groups: Groups, point: Points, c: float, prior: float) -> None:
    """Update the arms that a packet was sent with; `reward` `[K]` is that of its fate."""
    for g in range(groups.shape[0]):
        k = arm_of(groups[g], point)
        arms[COUNT, k] += 1.0
        pulls = arms[COUNT, k] + prior
        arms[VALUE, k] += (reward[k] - arms[VALUE, k + groups[g, SUBTRACTED]]) / pulls
        arms[WIDTH, k] = width(c, pulls)


@njit(inline="always")
def set_factors(group: Groups, arm: int, point: Points) -> None:
    """Write an arm's factors into a point."""
    rest = arm - group[FIRST]
    for factor in range(4):
        stride = group[STRIDES + factor]
        if stride > 0:
            point[factor] = rest // stride
            rest %= stride


@njit(inline="always")
def choose(arms: Floats, t: float, groups: Groups, point: Points) -> None:
    """Write the arms of highest upper confidence index into a point."""
    root = math.sqrt(math.log(t))
    for g in range(groups.shape[0]):
        best = groups[g, FIRST]
        # At t = 1 and prior = 0 this is 0 * inf; nothing compares greater, so the first arm wins, as it should.
        highest = arms[VALUE, best] + root * arms[WIDTH, best]
        for k in range(groups[g, FIRST] + 1, groups[g, END]):
            index = arms[VALUE, k] + root * arms[WIDTH, k]
            if index > highest:
                highest = index
                best = k
        set_factors(groups[g], best, point)


@njit(cache=True, nogil=True)
def decide(
    decisions: Records, points: Points, t: Floats, arms: Floats, reward: Floats, groups: Groups, fixed: Points,
    c: float, prior: float,
) -> None:  # fmt: skip
    """CUCB and UCB1: all packets count alike, for ever."""
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            t[b, n] += 1.0
            learn(arms[b, n], reward[decision.fate], groups, decision.point, c, prior)
        points[b, n] = fixed[b, n]
        choose(arms[b, n], t[b, n], groups, points[b, n])


@njit(cache=True, nogil=True)
def decide_discounted(
    decisions: Records, points: Points, t: Floats, arms: Floats, reward: Floats, groups: Groups, fixed: Points,
    c: float, prior: float, discount: float,
) -> None:  # fmt: skip
    """DiscountedCUCB: every packet makes all earlier ones count less, by a factor of `discount`."""
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            t[b, n] = discount * (t[b, n] - 1.0) + 2.0
            for k in range(arms.shape[3]):
                arms[b, n, COUNT, k] *= discount
                if arms[b, n, VALUE, k] > -np.inf:
                    arms[b, n, WIDTH, k] = width(c, arms[b, n, COUNT, k] + prior)
            learn(arms[b, n], reward[decision.fate], groups, decision.point, c, prior)
        points[b, n] = fixed[b, n]
        choose(arms[b, n], t[b, n], groups, points[b, n])


@njit(inline="always")
def _unlearn(arms: Floats, reward: Floats, groups: Groups, point: Points, c: float, prior: float) -> None:
    """Take a packet out of the arms that it was sent with: the inverse of `learn`."""
    for g in range(groups.shape[0]):
        k = arm_of(groups[g], point)
        pulls = arms[COUNT, k] + prior
        arms[COUNT, k] -= 1.0
        left = pulls - 1.0
        arms[VALUE, k] = (arms[VALUE, k] * pulls - reward[k]) / left if left > 0.0 else 0.0
        arms[WIDTH, k] = width(c, left)


@njit(cache=True, nogil=True)
def decide_window(
    decisions: Records, points: Points, t: Floats, arms: Floats, reward: Floats, groups: Groups, fixed: Points,
    c: float, prior: float, past: Points, sent: NDArray[np.int64],
) -> None:  # fmt: skip
    """WindowCUCB: only the last packets count.

    `past` `[B, N, window, 5]` holds their points and fates, `sent` `[B, N]` counts all packets.
    """
    window = past.shape[2]
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            slot = past[b, n, sent[b, n] % window]
            if sent[b, n] >= window:
                _unlearn(arms[b, n], reward[slot[4]], groups, slot, c, prior)
            learn(arms[b, n], reward[decision.fate], groups, decision.point, c, prior)
            slot[:4] = decision.point
            slot[4] = decision.fate
            sent[b, n] += 1
            t[b, n] = 1.0 + min(sent[b, n], window)
        points[b, n] = fixed[b, n]
        choose(arms[b, n], t[b, n], groups, points[b, n])


@njit(inline="always")
def _update_cusum(
    arms: Floats, cusum: Floats, reward: Floats, groups: Groups, point: Points, slack: float, settled: float
) -> float:
    """Add a packet to the cumulative sums of its arms; the largest of these sums."""
    largest = 0.0
    for g in range(groups.shape[0]):
        k = arm_of(groups[g], point)
        if arms[COUNT, k] >= settled:
            cusum[k] = max(0.0, cusum[k] + arms[VALUE, k] - reward[k] - slack)
            largest = max(largest, cusum[k])
    return largest


@njit(inline="always")
def _restart(arms: Floats, cusum: Floats, groups: Groups, c: float, prior: float, keep: Floats) -> float:
    """Let what was learned count as at most `keep` `[G]` packets an arm; returns the new t."""
    counted = np.inf
    for g in range(groups.shape[0]):
        total = 0.0
        for k in range(groups[g, FIRST], groups[g, END]):
            cusum[k] = 0.0
            arms[COUNT, k] = min(arms[COUNT, k], keep[g])
            if arms[VALUE, k] > -np.inf:
                arms[WIDTH, k] = width(c, arms[COUNT, k] + prior)
            total += arms[COUNT, k]
        counted = min(counted, total)
    return 1.0 + max(counted, 1.0)  # ln t must stay above 0, or untried arms would get no bonus


@njit(cache=True, nogil=True)
def decide_restarting(
    decisions: Records, points: Points, t: Floats, arms: Floats, reward: Floats, groups: Groups, fixed: Points,
    c: float, prior: float, cusum: Floats, restarts: NDArray[np.int64],
    slack: float, threshold: float, settled: float, keep: Floats,
) -> None:  # fmt: skip
    """RestartingCUCB: all packets count alike until an arm's rewards stay below its value; then the node restarts."""
    for m in range(decisions.shape[0]):
        decision = decisions[m]
        b, n = decision.replica, decision.node
        if decision.fate >= 0:
            t[b, n] += 1.0
            largest = _update_cusum(
                arms[b, n], cusum[b, n], reward[decision.fate], groups, decision.point, slack, settled
            )
            learn(arms[b, n], reward[decision.fate], groups, decision.point, c, prior)
            if largest > threshold:
                restarts[b, n] += 1
                t[b, n] = _restart(arms[b, n], cusum[b, n], groups, c, prior, keep)
        points[b, n] = fixed[b, n]
        choose(arms[b, n], t[b, n], groups, points[b, n])
