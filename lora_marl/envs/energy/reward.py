"""The rewards of MMALoRa's game, each a sum of named terms.

gamma is 1 for a node that is delivered often enough and else 0 (Eq. 24), N_c the number of nodes of its channel, EE_c
the sum of their energy efficiencies, EE_{c,-i} what that of the others would be without node i. Everything is in bits
per mJ.

| term | formula | meaning |
|---|---|---|
| `system` | gamma EE_c / N_c | the channel's mean with the node |
| `gain` | gamma (1 - 1 / N_c) (EE_c / N_c - EE_{c,-i} / (N_c - 1)) | what that mean gains by the node |
| `own` | gamma EE_i | the node's own |
| `harm` | gamma (EE_c - EE_i - EE_{c,-i}) | what the others lose by it, at most 0 |

A term of yours takes the same as these and is 0 as well for a node that is not delivered often enough.

Source: MMALoRa Eq. (23) with its weight at 1 / N_c is `system` + `gain`; the others are ours.

Shape letters: `B` replicas, `N` nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.expect.rayleigh import Counterfactuals
from lora_marl.envs.rewards import Reward, Term, TermFunction


def system(expected: Counterfactuals, channel_nodes: NDArray[np.int64]) -> Term:
    """The channel's mean with the node. `[B, N]` bits/mJ"""
    return expected.ee_sum / channel_nodes


def gain(expected: Counterfactuals, channel_nodes: NDArray[np.int64]) -> Term:
    """What the channel's mean gains by the node, times 1 - 1 / N_c; 0 for a node alone. `[B, N]` bits/mJ"""
    return ((1.0 - 1.0 / channel_nodes) * expected.ee_sum - expected.ee_sum_without) / channel_nodes


def own(expected: Counterfactuals, channel_nodes: NDArray[np.int64]) -> Term:
    """The node's own. `[B, N]` bits/mJ"""
    return expected.ee


def harm(expected: Counterfactuals, channel_nodes: NDArray[np.int64]) -> Term:
    """What the others of its channel lose by the node, at most 0 but for rounding. `[B, N]` bits/mJ"""
    return expected.ee_sum - expected.ee - expected.ee_sum_without


TERMS: Mapping[str, TermFunction] = MappingProxyType({term.__name__: term for term in (system, gain, own, harm)})
"""The terms by name."""

REWARDS: Mapping[str, tuple[TermFunction, ...]] = MappingProxyType(
    {"printed": (system, gain), "marginal": (own, harm), "team": (system,)}
)
"""The terms of each reward that has a name."""


def reward_of(reward: str | Mapping[str, float]) -> Reward:
    """A reward by its name in `REWARDS`, or from weights by term.

    Raises:
        ValueError: an unknown name, or weights that `Reward` refuses.
    """
    if not isinstance(reward, str):
        return Reward(reward, TERMS)
    if reward not in REWARDS:
        raise ValueError(f"reward: {reward!r} is not one of {', '.join(REWARDS)}")
    return Reward({term.__name__: 1.0 for term in REWARDS[reward]}, TERMS)
