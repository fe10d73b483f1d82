"""Packet runs under random operating points, to which the proxy of the air is fitted, and a picture of the fit.

Shape letters: `M` segments of time in any world, `S` networks, `Q` groups of a network, `C` channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.ccs.fitting import Quality, Segments
from lora_marl.core.coexistence import Coexistence
from lora_marl.core.presets.ccs import INTERVAL_S, ccs_eu868, ccs_study
from lora_marl.envs.coexistence.groups import OFFSETS
from lora_marl.envs.coexistence_v0 import Coexisting, parallel_env
from scripts.runs.figures import paper_figure, save

PRESETS: dict[str, tuple[Callable[..., Coexistence], tuple[float, float]]] = {
    "ccs_study": (ccs_study, (0.25, 3.0)),
    "ccs_eu868": (ccs_eu868, (0.05, 1.5)),
}
"""Networks, and the range of the loads of their worlds, log-uniform."""

REGIMES = ("R", "RR", "RU", "RRR", "RRRR")
"""Networks of a world: R has random operating points, U does not learn and is uniform over the channels."""

HOLD = 5
"""Intervals that an operating point is in force. The first is not counted: its queues are of the one before."""

SHARPNESS = (0.0, 2.0, 6.0)
"""A channel's weight is (1 - occupancy) to one of these powers, drawn for every network and segment."""

ONE_CHANNEL_SHARE = 0.3
"""Chance that all groups of a network are on one channel."""

OFFSET_CHANCES, FULL_POWER_SHARE = (0.6, 0.25, 0.15), 0.7
"""Chances of offsets above the minimum SF, and of the higher of two powers."""

MOST_POINTS = 4_000
"""Groups that a panel of the picture shows."""


def run_segments(preset: str, regime: str, seeds: Sequence[int], count: int) -> Segments:
    """Runs every seed's world under random operating points, which change from segment to segment.

    Args:
        preset: One of `PRESETS`.
        regime: One of `REGIMES`.
        seeds: One per world.
        count: Segments of a world.
    """
    env = _environment(preset, regime, len(seeds), count)
    env.reset_array(seeds)
    rngs, game = [np.random.default_rng([seed, len(regime)]) for seed in seeds], env.game
    parts = []
    for _ in range(count):
        facts = game.facts()
        worlds = zip(rngs, facts["occupancy"], strict=True)
        actions = np.stack([operating_points(*world, len(regime), game.settings.groups) for world in worlds])
        by_agent, counts = actions[:, game.learning].reshape(len(seeds), -1), []
        for _ in range(HOLD):
            env.step_array(by_agent)
            counts.append((game.totals.attempts, game.totals.received))
        attempts, received = np.sum(counts[1:], axis=0)
        parts.append((facts, actions, attempts, received))
    return Segments.of(parts, (HOLD - 1) * INTERVAL_S)


def operating_points(rng: np.random.Generator, occupancy: NDArray, networks: int, groups: int) -> NDArray[np.int64]:
    """Draws actions, some of them crowded on few channels and some not.

    Args:
        rng: Of a world.
        occupancy: Of its channels. `[C]`
        networks, groups: S and Q.

    Returns:
        `[S, Q]`
    """
    weights = (1.0 - occupancy) ** rng.choice(SHARPNESS, (networks, 1))
    channels = np.stack([rng.choice(len(occupancy), groups, p=weight / weight.sum()) for weight in weights])
    channels = np.where(rng.random((networks, 1)) < ONE_CHANNEL_SHARE, channels[:, :1], channels)
    offsets = rng.choice(OFFSETS, channels.shape, p=OFFSET_CHANCES)
    return (channels * OFFSETS + offsets) * 2 + (rng.random(channels.shape) < FULL_POWER_SHARE)


def _environment(preset: str, regime: str, replicas: int, count: int) -> Coexisting:
    make, loads = PRESETS[preset]
    coexistence = make(len(regime))
    pairs = zip(coexistence.deployments, regime, strict=True)
    networks = tuple(replace(deployment, rule="learns" if letter == "R" else "uniform") for deployment, letter in pairs)
    return parallel_env(
        coexistence=replace(coexistence, deployments=networks, load_range=loads, moves_s=HOLD * INTERVAL_S),
        decider="group",
        replicas=replicas,
        max_cycles=count * HOLD,
    )


def draw_quality(path: Path, title: str, qualities: Mapping[str, Quality]) -> None:
    """Draws shares of attempts received, predicted against played: groups as points, tenths of them as a line.

    Args:
        path: Of the PNG file.
        title: Of the picture.
        qualities: A panel for each, by name.
    """
    figure = paper_figure(4.4 * len(qualities), 4.6)
    figure.suptitle(title)
    panels = figure.subplots(1, len(qualities), sharey=True, squeeze=False)[0]
    for axes, (name, quality) in zip(panels, qualities.items(), strict=True):
        shown = slice(None, None, max(1, len(quality.played) // MOST_POINTS))
        axes.scatter(quality.predicted[shown], quality.played[shown], s=2, alpha=0.3, lw=0)
        axes.plot(*zip(*quality.deciles, strict=True), "o-", color="C1", ms=4, label="tenths of the groups")
        axes.plot([0, 1], [0, 1], color="0.4", lw=0.8)
        axes.set(title=f"{name}: mean error {quality.error:.3f}", xlabel="predicted", xlim=(0, 1), ylim=(0, 1))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("played")
    panels[0].legend(loc="upper left")
    save(figure, path)
