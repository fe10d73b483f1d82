"""The picture of how well the proxy of the air foretells packet runs.

Packet runs under random operating points, which the proxy of the air is fitted to.

Shape letters: `M` stretches of time in any world, `S` networks, `Q` groups of a network, `C` channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from agents.ccs.fitting import Segments
from lora_marl.core.coexistence import Coexistence
from lora_marl.core.presets.ccs import INTERVAL_S, ccs_eu868, ccs_study
from lora_marl.envs.coexistence.groups import OFFSETS
from lora_marl.envs.coexistence_v0 import Coexisting, parallel_env

if TYPE_CHECKING:
    from agents.ccs.fitting import Quality


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


def play(preset: str, regime: str, seeds: Sequence[int], count: int) -> Segments:
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
            booked.append((game.totals.attempts, game.totals.received))
        attempts, received = np.sum(booked[1:], axis=0)
        found.append((facts, actions, attempts, received))
    return Segments.of(found, (HOLD - 1) * INTERVAL_S)


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


MOST = 4_000
"""Points of a panel."""


def draw_quality(path: Path, title: str, found: Mapping[str, Quality]) -> None:
    """Share of attempts received, predicted against played: groups as points, tenths of them as a line.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        found: A panel for each, by name.
    """
    figure = Figure(figsize=(4.4 * len(found), 4.6), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, (name, quality) in zip(panels, found.items(), strict=True):
        every = slice(None, None, max(1, len(quality.played) // MOST))
        axes.scatter(quality.predicted[every], quality.played[every], s=2, alpha=0.3, lw=0)
        axes.plot(*zip(*quality.deciles, strict=True), "o-", color="C1", ms=4, label="tenths of the groups")
        axes.plot([0, 1], [0, 1], color="0.4", lw=0.8)
        axes.set(title=f"{name}: mean error {quality.error:.3f}", xlabel="predicted", xlim=(0, 1), ylim=(0, 1))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("played")
    panels[0].legend(loc="upper left")
    figure.savefig(path, dpi=110)
