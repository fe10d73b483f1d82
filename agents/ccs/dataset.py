"""Snapshots of learning networks in rollouts: what the service is trained on; letters in `agents.ccs.layout`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from agents.ccs.layout import Layout, random_orders
from agents.ccs.proxy import Worlds
from agents.ccs.view import KINDS

LETTERS = {-1: "L"} | {index: kind[0].upper() for index, kind in enumerate(KINDS)}
"""Of kinds in the name of a mixture: D, P and, of legacy networks, L."""

TENSORS = ("parameters", "kinds", "observations", "kpis")
"""Fields of snapshots beside the worlds."""


@dataclass(frozen=True)
class Snapshots:
    """M moments of worlds with the same mixture of kinds.

    Attributes:
        parameters: Flat; of legacy networks whatever. `[M, S, P]`
        kinds: Index in `KINDS`, -1 legacy, the same in every row. int64 `[M, S]`
        observations: What the groups see at that moment. `[M, S, Q, D]`
        kpis: What the networks would report. `[M, S, 4]`
        worlds: M of them.

    Raises:
        ValueError: shapes that do not fit together, unlike mixtures, or legacy flags that differ from the kinds.
    """

    parameters: Tensor
    kinds: Tensor
    observations: Tensor
    kpis: Tensor
    worlds: Worlds

    def __post_init__(self) -> None:
        shape = self.kinds.shape
        for name in ("parameters", "observations", "kpis"):
            given = getattr(self, name).shape
            if given[:2] != shape:
                raise ValueError(f"snapshots: {name} leads with {list(given[:2])}; kinds have {list(shape)}")
        if self.worlds.legacy.shape != shape or bool((self.worlds.legacy != (self.kinds < 0)).any()):
            raise ValueError("snapshots: legacy networks of the worlds are not those of kind -1")
        if bool((self.kinds != self.kinds[:1]).any()):
            raise ValueError("snapshots: kinds differ between rows; keep every mixture by itself")

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def mixture(self) -> str:
        """Its name, as `DLP`."""
        return "".join(LETTERS[kind] for kind in self.kinds[0].tolist())

    def rows(self, index: Tensor) -> Snapshots:
        """Some rows, in some order, also repeatedly."""
        return Snapshots(**{name: getattr(self, name)[index] for name in TENSORS}, worlds=self.worlds.rows(index))

    def renumbered(self, times: int, layout: Layout, seed: int) -> Snapshots:
        """What was observed and where, so many times, channels each time numbered anew; parameters stay as they are."""
        rows = self.rows(torch.arange(len(self)).repeat(times))
        orders = random_orders(len(rows), layout.channels, torch.Generator().manual_seed(seed))
        seen = layout.permuted_observations(rows.observations, orders[:, None, None])
        return replace(rows, observations=seen, worlds=rows.worlds.permuted(orders))

    def save(self, path: Path) -> None:
        """Writes a safetensors file."""
        worlds = {f"worlds.{name}": torch.from_numpy(array) for name, array in self.worlds.arrays().items()}
        own = {name: getattr(self, name) for name in TENSORS}
        save_file({name: tensor.contiguous() for name, tensor in (own | worlds).items()}, path)

    @classmethod
    def load(cls, path: Path) -> Snapshots:
        """What `save` wrote."""
        tensors = load_file(path)
        worlds = {name.removeprefix("worlds."): t.numpy() for name, t in tensors.items() if name.startswith("worlds.")}
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith("worlds.")}
        return cls(**own, worlds=Worlds.of(worlds))


def by_mixture(parts: Iterable[Snapshots]) -> dict[str, Snapshots]:
    """Snapshots joined where their mixtures are the same, by its name, names in order."""
    found: dict[str, list[Snapshots]] = {}
    for part in parts:
        found.setdefault(part.mixture, []).append(part)
    return {name: _joined(found[name]) for name in sorted(found)}


def _joined(parts: list[Snapshots]) -> Snapshots:
    tensors = {name: torch.cat([getattr(part, name) for part in parts]) for name in TENSORS}
    return Snapshots(**tensors, worlds=Worlds.joined([part.worlds for part in parts]))
