"""Trains the policies of vendors, which the coordination service is trained on.

Shape letters: `B` worlds, `Q` groups of a network, `D` features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.lns.network import Kind, Schema
from agents.lns.pretraining import INTERVALS, pretrain, untrained_servers
from agents.lns.vendor import save_vendor
from agents.torch_utils import threads
from lora_marl.core.presets.ccs import INTERVAL_S, ccs_study
from lora_marl.envs.coexistence_v0 import parallel_env
from scripts.runs.coexistence.networks import vendor_path

VENDOR_WORLDS = 12
"""Worlds of one network that a vendor's policy learns in, side by side."""

VENDOR_LOADS, VENDOR_MOVES_S = (0.3, 1.5), 8 * INTERVAL_S
"""Loads of these worlds, log-uniform, and how often their interference moves to other channels."""


class IsolatedNetworks:
    """Replicas of one network that meets nothing but external interference: a `World` to pretrain in.

    Args:
        replicas: B.
        intervals: Of the only episode.
    """

    def __init__(self, replicas: int, intervals: int) -> None:
        self.env = parallel_env(
            coexistence=ccs_study(1, load_range=VENDOR_LOADS, moves_s=VENDOR_MOVES_S),
            decider="group",
            replicas=replicas,
            max_cycles=intervals,
        )

    def reset(self, seeds: Sequence[int]) -> ArrayLike:
        """Begins the episode and returns observations. `[B, 1, Q, D]`"""
        return self.env.reset_array(seeds)[:, None]

    def step(self, actions: NDArray[np.int64]) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        """Runs a control interval.

        Returns:
            Observations `[B, 1, Q, D]`; rewards, and attempts as their weights `[B, 1, Q]`.
        """
        observations, rewards, _, _, infos = self.env.step_array(actions[:, 0])
        return observations[:, None], rewards[:, None], infos["attempts"][:, None].astype(np.float64)


def pretrain_vendors(
    folder: Path, kind: Kind, vendors: Sequence[int], intervals: int = INTERVALS
) -> Iterator[dict[str, NDArray[np.floating]]]:
    """Trains vendors of a kind side by side and writes their files at the end; vendor v depends on v alone.

    Args:
        folder: For the files.
        kind: `dqn` or `pg`.
        vendors: Their numbers, which are their seeds.
        intervals: How long they learn.

    Yields:
        After every interval, what `pretrain` yields.
    """
    seeds = [
        int(seed)
        for vendor in vendors
        for seed in np.random.SeedSequence([vendor, VENDOR_WORLDS]).generate_state(VENDOR_WORLDS)
    ]
    with threads(1):
        world = IsolatedNetworks(len(seeds), intervals)
        servers = untrained_servers(Schema(kind=kind), vendors, VENDOR_WORLDS * 4, intervals)
        yield from pretrain(servers, world, seeds, intervals)
    folder.mkdir(parents=True, exist_ok=True)
    for place, vendor in enumerate(vendors):
        save_vendor(vendor_path(folder.resolve(), kind, vendor), servers.vendor(0, place))
