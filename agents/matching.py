"""Swap matching of nodes to channels at fixed spreading factors and powers.

Two nodes of different channels, i in c and j in c', may swap them. Utilities are the energy efficiency of a node, U_i,
and its sum over the nodes of a channel, U_c. From a matching on, all ordered pairs are tried again and again, until a
sweep swaps nobody:

| rule | (i, j) swap if |
|---|---|
| `literal` | nobody of i, j, c, c' loses and somebody gains (a swap-blocking pair); it ends two-sided exchange stable |
| `utilitarian` | U_c + U_c' rises, and with it the energy efficiency of the network |

Swaps keep the number of nodes of every channel, so that balanced channels keep to the quota ceil(N / C).

Source: MMALoRa, Definitions 1 to 4 and Algorithm 1. `utilitarian` is ours.
Differences: utilities that change by less than 1e-9 bits/mJ count as unchanged, against rounding.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from agents import matching_kernel as kernel
from lora_marl.core.expect.rayleigh import Rayleigh, plain
from lora_marl.core.expect.rayleigh.kernel import SMALLEST

Rule = Literal["literal", "utilitarian"]

MARGIN_BITS_PER_MJ = 1e-9


class Matching(NamedTuple):
    """Where swapping ended.

    Attributes:
        points: With the channels found. `[N, 4]`
        swaps: How many.
        sweeps: Over all pairs, the last one included.
        stable: Whether the last sweep swapped nobody.
    """

    points: NDArray[np.int16]
    swaps: int
    sweeps: int
    stable: bool


def balanced(rng: np.random.Generator, nodes: int, channels: int) -> NDArray[np.int16]:
    """Channels drawn at random, as many nodes in each as in the next, or one more `[N]`."""
    return rng.permutation(np.arange(nodes) % channels).astype(np.int16)


def matched(
    closed_form: Rayleigh, points: NDArray[np.int16], *, rule: Rule = "literal", most_sweeps: int = 100
) -> Matching:
    """Swap channels until nobody wants to.

    Args:
        closed_form: Of the network; `expect` or `meang`.
        points: The matching to begin with. `[N, 4]`
        rule: See the module's page.
        most_sweeps: After which it ends in any case, at least 1.

    Raises:
        ValueError: an unknown rule, no sweeps, channels that overlap one another, or the variant `joint`.
    """
    if rule not in get_args(Rule):
        raise ValueError(f"rule = {rule!r} is not one of {', '.join(get_args(Rule))}")
    if not (most_sweeps >= 1 and most_sweeps == int(most_sweeps)):
        raise ValueError(f"most_sweeps = {most_sweeps}: must be a whole number of at least 1")
    state = _begin(closed_form, points)
    swaps = np.array([kernel.sweep(state, rule == "literal", MARGIN_BITS_PER_MJ)])
    while swaps[-1] > 0 and len(swaps) < most_sweeps:
        swaps = np.append(swaps, kernel.sweep(state, rule == "literal", MARGIN_BITS_PER_MJ))
    found = points.copy()
    found[:, 2] = state.channel
    return Matching(found, int(swaps.sum()), len(swaps), bool(swaps[-1] == 0))


def blocking_pairs(closed_form: Rayleigh, points: NDArray[np.int16]) -> NDArray[np.int64]:
    """Pairs whose swap somebody of the two and their channels gains by and nobody loses by; none: stable. `[P, 2]`

    Source: MMALoRa, Definitions 3 and 4.
    """
    return np.argwhere(np.triu(kernel.blocking(_begin(closed_form, points), MARGIN_BITS_PER_MJ)))


def _begin(closed_form: Rayleigh, points: NDArray[np.int16]) -> kernel.State:
    t = closed_form.tables
    closed_form.product_number()
    closed_form.check_points(points)
    if not np.array_equal(t.meets, np.eye(len(t.meets), dtype=np.bool_)):
        raise ValueError("region.channels_hz: channels overlap one another; matching needs channels that do not")
    together, node, channel = points.copy(), np.arange(len(points)), points[:, 2].astype(np.int64)
    together[:, 2] = 0
    met = plain.overlap(t, together)[..., None]
    survived = 1.0 - met * plain.harm(plain.advantage(t, together), closed_form.variant)
    share = np.ascontiguousarray(np.maximum(survived, SMALLEST).swapaxes(0, 1))
    sent_mw = t.tp_mw[points[:, 3]] * t.channel_gain[:, None]
    inside = channel == np.arange(len(t.meets))[:, None]
    quota, place = inside.sum(axis=1), (inside.cumsum(axis=1) - 1)[channel, node]
    members = np.zeros((len(quota), quota.max()), np.int64)
    members[channel, place] = node
    state = kernel.State(
        channel=channel,
        members=members,
        quota=quota,
        place=place,
        share=share,
        reach=np.exp(-(t.sensitivity_mw[points[:, 0]] / sent_mw)[..., None] / t.gain),
        log_left=np.tensordot(inside.astype(np.float64), np.log(share), axes=1),
        arrival=np.empty((len(quota), *t.gain.shape)),
        bits_per_mj=t.bits_per_mj[node, points[:, 0], points[:, 3]],
        ee=np.zeros(len(points)),
    )
    for each in range(len(quota)):
        kernel.settle(state, each)
    return state
