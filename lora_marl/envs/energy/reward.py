"""The rewards of MMALoRa's game, each a sum of named terms in bits per mJ.

gamma is 1 for a node that is delivered often enough, else 0 (Eq. 24). N_c is the number of nodes of the node's channel,
EE_c the sum of their energy efficiencies, and EE_{c,-i} that of the others if node i were not there.

| term | formula | meaning |
|---|---|---|
| `system` | gamma EE_c / N_c | mean energy efficiency of the channel |
| `gain` | gamma (1 - 1 / N_c) (EE_c / N_c - EE_{c,-i} / (N_c - 1)) | how much the node raises that mean |
| `own` | gamma EE_i | the node's energy efficiency |
| `harm` | gamma (EE_c - EE_i - EE_{c,-i}) | what the others lose by the node, at most 0 |

A term of yours takes the same two arguments; it is multiplied by gamma, too.

Source: MMALoRa Eq. (23) with its weight at 1 / N_c is `system` + `gain`; the others are ours.

Shape letters: `B` replicas, `N` nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.checks import check_choice
from lora_marl.core.expect.rayleigh import Counterfactuals
from lora_marl.envs.rewards import Reward, Term, TermFunction, Weights


def system(expected: Counterfactuals, channel_nodes: NDArray[np.int64]) -> Term:
    """Mean energy efficiency of the node's channel. `[B, N]` bits/mJ"""
    return expected.ee_sum / channel_nodes


def gain(expected: Counterfactuals, channel_nodes: NDArray[np.int64]) -> Term:
    """Rise of the channel's mean by the node, times 1 - 1 / N_c; 0 for a node alone. `[B, N]` bits/mJ"""
    return ((1.0 - 1.0 / channel_nodes) * expected.ee_sum - expected.ee_sum_without) / channel_nodes


def own(expected: Counterfactuals, channel_nodes: NDArray[np.int64]) -> Term:
    """Energy efficiency of the node. `[B, N]` bits/mJ"""
    return expected.ee


def harm(expected: Counterfactuals, channel_nodes: NDArray[np.int64]) -> Term:
    """Change of the others' sum on the channel by the node: at most 0, except for rounding. `[B, N]` bits/mJ"""
    return expected.ee_sum - expected.ee - expected.ee_sum_without


TERMS: Mapping[str, TermFunction] = MappingProxyType({term.__name__: term for term in (system, gain, own, harm)})
"""The terms by name."""

REWARDS: Mapping[str, tuple[TermFunction, ...]] = MappingProxyType(
    {"printed": (system, gain), "marginal": (own, harm), "team": (system,)}
)
"""The terms of each reward that has a name."""


def reward_of(reward: str | Weights) -> Reward:
    """A reward by its name in `REWARDS`, or from weights by term, or from a term alone.

    Raises:
        ValueError: an unknown name, or weights that `Reward` refuses.
    """
    if not isinstance(reward, str):
        return Reward(reward, TERMS)
    check_choice("reward", reward, REWARDS)
    return Reward({term.__name__: 1.0 for term in REWARDS[reward]}, TERMS)
