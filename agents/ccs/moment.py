"""Networks of worlds at one time, as arrays: what snapshots are made of, and rounds of all worlds at once.

Letters in `agents.ccs.layout`; here B worlds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.ccs.codes import random_codes
from agents.ccs.coordinator import Coordinator
from agents.ccs.kpis import kpis
from agents.ccs.layout import Layout, probes_of
from agents.ccs.optimum import optimum
from agents.ccs.proxy import Proxy
from agents.ccs.rounds import coordinated
from agents.ccs.snapshots import Snapshots
from agents.ccs.view import KINDS
from agents.ccs.worlds import Worlds
from agents.lns.network import Schema
from agents.lns.team import Team


@dataclass(frozen=True)
class Moment:
    """Networks at one time.

    Attributes:
        parameters: Of networks that learn, others zeros. float32 `[B, S, P]`
        kinds: Index in `KINDS`, -1 legacy. `[B, S]`
        observations: `[B, S, Q, D]`
        kpis: Over the last intervals. `[B, S, 4]`
    """

    parameters: NDArray[np.float32]
    kinds: NDArray[np.int64]
    observations: NDArray[np.float32]
    kpis: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        team: Team,
        learning: NDArray[np.int64],
        observations: NDArray[np.float32],
        sums: Mapping[str, NDArray[np.float64]],
    ) -> Moment:
        """The networks now.

        Args:
            team: The servers of those that learn.
            learning: Their numbers. `[L]`
            observations: What their groups see. `[B, L, Q, D]`
            sums: Over the intervals that reports are about, of all networks, by the names of `kpis`. `[B, S]` each
        """
        shape = sums["attempts"].shape
        parameters = np.zeros((*shape, Schema().size), np.float32)
        kinds, seen = np.full(shape, -1, np.int64), np.zeros((*shape, *observations.shape[2:]), np.float32)
        seen[:, learning] = observations
        for servers, places in team.learners():
            parameters[:, learning[places]] = servers.parameters()
            kinds[:, learning[places]] = KINDS.index(servers.kind)
        reported = kpis(*(sums[name] for name in ("attempts", "received", "energy_mj", "frames_delivered")))
        return cls(parameters, kinds, seen, reported)

    def snapshots(self, facts: Mapping[str, NDArray]) -> Snapshots:
        """A row for each world; `facts` of the worlds now, by the names of `Worlds`."""
        names = ("parameters", "kinds", "observations", "kpis")
        return Snapshots(**{name: torch.from_numpy(getattr(self, name)) for name in names}, worlds=Worlds.of(facts))


class Rounds:
    """Rounds of all worlds at once, without records and safeguards: for rollouts that a coordinator is trained on.

    Args:
        coordinator: That takes part.
        seeds: Of the codes of each world. `[B]`
        clip: Largest norm of a residual relative to the layer.

    Attributes:
        fade: Share of what they hold of residuals that networks let go before a round.
    """

    def __init__(self, coordinator: Coordinator, seeds: Sequence[int], clip: float = 1.0) -> None:
        self._coordinator, self._seeds, self._clip = coordinator, tuple(seeds), clip
        self.fade = coordinator.design.fade

    def residuals(self, now: Moment, learning: NDArray[np.int64]) -> NDArray[np.float32]:
        """Changes of the last layers of the networks that learn. `[B, L, H, A]`"""
        count, groups = self._coordinator.design.codes_per_network, self._coordinator.layout.groups
        drawn = [
            random_codes(1, len(learning) * count, torch.Generator().manual_seed(seed)).unflatten(1, (-1, count))
            for seed in self._seeds
        ]
        codes = torch.cat(drawn).expand(-1, -1, groups, -1)
        parameters, kinds, kpi = (torch.from_numpy(p[:, learning]) for p in (now.parameters, now.kinds, now.kpis))
        return coordinated(self._coordinator, parameters, kinds, kpi, codes, clip=self._clip).numpy()


def best_actions(facts: Mapping[str, NDArray], seeds: Sequence[int], proxy: Proxy) -> NDArray[np.int64]:
    """Actions of all networks that `agents.ccs.optimum` finds for each world, from a start of its own. `[B, S, Q]`"""
    return optimum(proxy, Worlds.of(facts), seeds).numpy()


def public_probes(parts: Sequence[Snapshots], patterns: int, seed: int) -> torch.Tensor:
    """Probe observations drawn from what learning networks saw in snapshots; see `agents.ccs.layout.probes_of`."""
    views = torch.cat([part.observations[part.kinds >= 0] for part in parts])
    return probes_of(views, patterns, Layout(), torch.Generator().manual_seed(seed))
