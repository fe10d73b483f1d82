"""Makes vendors' policies: each learns in twelve worlds of one network, with loads and interference of all kinds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.lns.network import Kind, Schema
from agents.lns.pretraining import INTERVALS, beginners, pretrain
from agents.lns.vendor import save_vendor
from agents.torch_utils import threads
from lora_marl.core.presets.ccs import INTERVAL_S, ccs_study
from lora_marl.envs.coexistence_v0 import parallel_env
from scripts.runs.coexistence.networks import vendor_path

WORLDS = 12
LOADS = (0.3, 1.5)
MOVES_S = 8 * INTERVAL_S
SCHEMA_SIZES = (40, 128, 128, 48)


class NetworksAlone:
    """Replicas of one network that nobody disturbs but external interference: a `World`.

    Args:
        replicas: B.
        intervals: Of the only episode.
    """

    def __init__(self, replicas: int, intervals: int) -> None:
        self.env = parallel_env(
            coexistence=ccs_study(1, load_range=LOADS, moves_s=MOVES_S),
            decider="group",
            replicas=replicas,
            max_cycles=intervals,
        )

    def reset(self, seeds: Sequence[int]) -> ArrayLike:
        """Observations `[B, 1, Q, D]`."""
        return self.env.reset_array(seeds)[:, None]

    def step(self, actions: NDArray[np.int64]) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        """A control interval: observations `[B, 1, Q, D]`; rewards, and attempts as their weights `[B, 1, Q]`."""
        observations, rewards, _, _, infos = self.env.step_array(actions[:, 0])
        return observations[:, None], rewards[:, None], infos["attempts"][:, None].astype(np.float64)


def make_vendors(
    folder: Path, kind: Kind, vendors: Sequence[int], intervals: int = INTERVALS
) -> Iterator[dict[str, NDArray[np.floating]]]:
    """Trains vendors of a kind side by side and writes their files at the end; vendor v depends on v alone.

    Args:
        folder: For the files.
        kind: `dqn` or `pg`.
        vendors: Their numbers, which are their seeds.
        intervals: How long they learn.

    Yields:
        After every interval, what `pretrain` tells.
    """
    seeds = [int(seed) for v in vendors for seed in np.random.SeedSequence([v, WORLDS]).generate_state(WORLDS)]
    with threads(1):
        world = NetworksAlone(len(seeds), intervals)
        servers = beginners(Schema(SCHEMA_SIZES, kind), vendors, WORLDS * 4, intervals)
        yield from pretrain(servers, world, seeds, intervals)
    folder.mkdir(parents=True, exist_ok=True)
    for place, vendor in enumerate(vendors):
        save_vendor(vendor_path(folder.resolve(), kind, vendor), servers.vendor(0, place))
