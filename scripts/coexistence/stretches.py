"""Packet runs under random operating points, which the proxy of the air is fitted to.

Shape letters: `M` stretches of time in any world, `S` networks, `Q` groups of a network, `C` channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agents.ccs.fitting import Stretches
from lora_marl.core.coexistence import Coexistence
from lora_marl.core.presets.ccs import INTERVAL_S, ccs_eu868, ccs_study
from lora_marl.envs.coexistence_groups import OFFSETS
from lora_marl.envs.coexistence_v0 import Coexisting, parallel_env

PRESETS: dict[str, tuple[Callable[..., Coexistence], tuple[float, float]]] = {
    "ccs_study": (ccs_study, (0.25, 3.0)),
    "ccs_eu868": (ccs_eu868, (0.05, 1.5)),
}
"""And the loads of their worlds, log-uniform."""

REGIMES = ("R", "RR", "RU", "RRR", "RRRR")
"""Networks with random operating points, and legacy that is uniform over the channels."""

HOLD = 5
"""Intervals that an operating point is in force; the first is not booked, for its queues are of the one before."""

SHARPNESS = (0.0, 2.0, 6.0)
"""A channel's weight is (1 - occupancy) to one of these powers, drawn for every network and stretch."""

BUNCHED = 0.3
"""Chance that all groups of a network are on one channel."""

OFFSET_CHANCES, FULL_POWER = (0.6, 0.25, 0.15), 0.7


def play(preset: str, regime: str, seeds: Sequence[int], count: int) -> Stretches:
    """So many stretches of every seed's world, in each of which channels, spreading factors and powers are others.

    Args:
        preset: One of `PRESETS`.
        regime: One of `REGIMES`.
        seeds: One per world.
        count: Of stretches of a world.
    """
    env = _environment(preset, regime, len(seeds), count)
    env.reset_array(seeds)
    rngs, game = [np.random.default_rng([seed, len(regime)]) for seed in seeds], env.game
    found = []
    for _ in range(count):
        facts = game.facts()
        pairs = zip(rngs, facts["occupancy"], strict=True)
        actions = np.stack([operating_points(*pair, len(regime), game.settings.groups) for pair in pairs])
        flat, booked = actions[:, game.learning].reshape(len(seeds), -1), []
        for _ in range(HOLD):
            env.step_array(flat)
            booked.append((game.books.attempts, game.books.received))
        attempts, received = np.sum(booked[1:], axis=0)
        found.append((facts, actions, attempts, received))
    return Stretches.of(found, (HOLD - 1) * INTERVAL_S)


def operating_points(rng: np.random.Generator, occupancy: NDArray, networks: int, groups: int) -> NDArray[np.int64]:
    """Random actions, of which some crowd and some do not. `[S, Q]`

    Args:
        rng: Of a world.
        occupancy: Of its channels. `[C]`
        networks, groups: S and Q.
    """
    weights = (1.0 - occupancy) ** rng.choice(SHARPNESS, (networks, 1))
    channels = np.stack([rng.choice(len(occupancy), groups, p=each / each.sum()) for each in weights])
    channels = np.where(rng.random((networks, 1)) < BUNCHED, channels[:, :1], channels)
    offsets = rng.choice(OFFSETS, channels.shape, p=OFFSET_CHANCES)
    return (channels * OFFSETS + offsets) * 2 + (rng.random(channels.shape) < FULL_POWER)


def _environment(preset: str, regime: str, replicas: int, count: int) -> Coexisting:
    make, loads = PRESETS[preset]
    coexistence = make(len(regime))
    pairs = zip(coexistence.deployments, regime, strict=True)
    networks = tuple(replace(each, rule="learns" if letter == "R" else "uniform") for each, letter in pairs)
    return parallel_env(
        coexistence=replace(coexistence, deployments=networks, load_range=loads, moves_s=HOLD * INTERVAL_S),
        decider="group",
        replicas=replicas,
        max_cycles=count * HOLD,
    )
