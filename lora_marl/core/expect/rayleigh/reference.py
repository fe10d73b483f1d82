"""The Rayleigh closed form, stated in NumPy over all pairs of nodes: what the compiled one is tested against.

A packet of node i is received at gateway k with power P_ik g, g exponential with mean 1. With s = sensitivity / P_ik,
c_j = (SIR needed) P_jk / P_ik and h_j the probability that a packet of j overlaps it (in its channel, after its spared
symbols),

| variant | D_ik, received by gateway k | D_i, received by any |
|---|---|---|
| `expect` | e^-s prod over j of [h_j / (1 + c_j) + 1 - h_j] | 1 - prod over k of (1 - D_ik) |
| `meang` | e^-s prod over j of [h_j e^-c_j + 1 - h_j]: the interferers' fading at its mean | the same |
| `joint` | e^-s prod over j of [1 - h_j (1 - q_jk)] | sum over gateway sets |

In `joint` the packet's own fading decides about sensitivity and all interferers together, q = 1 - c / (1 + c) e^(-s/c)
for j and k, and a set M of gateways has its interferers in common:

    D_i = sum over nonempty M of (-1)^(|M|+1) e^(-sum over M of s) prod over j of [1 - h_j (1 - prod over M of q_jk)]

Source: MMALoRa Eq. (5)-(12); `expect` is Eq. (11) averaged over the interferer's fading, `meang` is as printed with
that fading at 1, `joint` is ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh.closed_form import Tables

Matrix = NDArray[np.float64]


def power_mw(t: Tables, points: NDArray[np.int16]) -> Matrix:
    """Mean received powers `[N, G]`. mW"""
    return t.gain * (t.tp_mw[points[:, 3]] * t.channel_gain[points[:, 2]])[:, None]


def overlap(t: Tables, points: NDArray[np.int16]) -> Matrix:
    """Probability h that a packet of the column's node overlaps one of the row's; 0 on the diagonal `[N, N]`."""
    sf, channel = points[:, 0], points[:, 2]
    probability = (
        t.overlap[t.size[:, None], sf[:, None], np.arange(len(points)), sf] * t.meets[np.ix_(channel, channel)]
    )
    np.fill_diagonal(probability, 0.0)
    return probability


def advantage(t: Tables, points: NDArray[np.int16]) -> Matrix:
    """1 / c: the row's mean power over what it needs against the column's `[N, N, G]`."""
    power, sf = power_mw(t, points), points[:, 0]
    return t.inverse_sir[np.ix_(sf, sf)][..., None] * power[:, None] / power[None]


def harm(b: Matrix, variant: str) -> Matrix:
    """Probability that an overlapping packet is fatal at an advantage of 1 / c = b, in `expect` or `meang`."""
    if variant == "expect":
        return 1.0 / (1.0 + b)
    with np.errstate(divide="ignore"):  # b is 0 where any overlap is fatal
        return -np.expm1(-1.0 / b)


def gateway_delivery(t: Tables, points: NDArray[np.int16], variant: str) -> Matrix:
    """Probability D_ik that each gateway receives a packet of each node `[N, G]`."""
    s, b = t.sensitivity_mw[points[:, 0]][:, None] / power_mw(t, points), advantage(t, points)
    harmed = np.exp(-s[:, None] * b) / (1.0 + b) if variant == "joint" else harm(b, variant)
    return np.exp(-s) * np.prod(1.0 - overlap(t, points)[..., None] * harmed, axis=1)


def delivery(t: Tables, points: NDArray[np.int16], variant: str) -> Matrix:
    """Probability D_i that any gateway receives a packet of each node `[N]`."""
    if variant != "joint":
        return 1.0 - np.prod(1.0 - gateway_delivery(t, points, variant), axis=1)
    s, b = t.sensitivity_mw[points[:, 0]][:, None] / power_mw(t, points), advantage(t, points)
    spared, overlaps = 1.0 - np.exp(-s[:, None] * b) / (1.0 + b), overlap(t, points)
    probability = np.zeros(len(points))
    for mask in range(1, 1 << s.shape[1]):
        members = [g for g in range(s.shape[1]) if mask >> g & 1]
        left = np.prod(1.0 - overlaps * (1.0 - np.prod(spared[..., members], axis=2)), axis=1)
        probability -= (-1) ** len(members) * np.exp(-s[:, members].sum(axis=1)) * left
    return probability
