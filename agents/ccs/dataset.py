"""Snapshots of networks in their worlds, which the service is trained on; letters in `agents.ccs.layout`.

A `FleetSnapshot` is what servers do and see at one time. Together with facts of the worlds then (`Worlds`, which the
proxy of the air needs) it becomes rows of `Snapshots`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from agents.ccs.layout import KINDS, LETTER_OF, Layout, probes_of, random_orders
from agents.ccs.protocol import KPI_SUMS, kpis
from agents.lns.network import Schema
from agents.lns.team import Team

TENSORS = ("parameters", "kinds", "observations", "kpis")
"""Fields of snapshots beside the worlds."""

_STORED_NAMES = {"non_learning": "legacy"}
"""Fields of worlds whose name in files is another one, and that name."""


@dataclass(frozen=True)
class Worlds:
    """M independent worlds of S networks each; float32 unless said otherwise.

    A row is one world at one time: what changes over an episode (occupancy, rates) makes another row. A network that
    is absent has rate 0 in all groups. Fields have the same names in files, but for `_STORED_NAMES`.

    Attributes:
        rate_hz: Frames that arise per second in all nodes of a group. `[M, S, Q]`
        nodes: Nodes of a group. `[M, S, Q]`
        sf_share: Share of a group's nodes that use SF7, ..., SF12 at an offset (min(12, minimum SF + offset)); sums
            to 1 over V where the group has nodes. `[M, S, Q, O, V]`
        link: Mean over a group's nodes of the chance that the link to the own gateway stands, at an offset and a power:
            exp(-10^(-margin_db / 10)) under Rayleigh fading, where margin_db is mean received power, shadowing
            included, less the sensitivity of the SF used. `[M, S, Q, O, T]`
        energy_mj: Mean over a group's nodes of the energy of one attempt, receive windows included. `[M, S, Q, O, T]`
        reference_mj: The same at the minimum SF and 14 dBm, which rewards are relative to. `[M, S, Q]`
        airtime_s: Airtime of one attempt at SF7, ..., SF12. `[M, V]`
        occupancy: Share of time with external energy, from 0 up to but not including 1. `[M, C]`
        non_learning: Which networks do not learn: every attempt is uniform over the channels, at offset 0 and the
            highest power (the last T). bool `[M, S]`
    """

    rate_hz: Tensor
    nodes: Tensor
    sf_share: Tensor
    link: Tensor
    energy_mj: Tensor
    reference_mj: Tensor
    airtime_s: Tensor
    occupancy: Tensor
    non_learning: Tensor

    def __post_init__(self) -> None:
        m, s, q = self.rate_hz.shape
        o, t = self.link.shape[3:]
        v, c = self.airtime_s.shape[-1], self.occupancy.shape[-1]
        group = (m, s, q)
        expected: dict[str, tuple[int, ...]] = {
            **dict.fromkeys(("rate_hz", "nodes", "reference_mj"), group),
            **dict.fromkeys(("link", "energy_mj"), (*group, o, t)),
            "sf_share": (*group, o, v),
            "airtime_s": (m, v),
            "occupancy": (m, c),
            "non_learning": (m, s),
        }
        for name, shape in expected.items():
            actual = tuple(getattr(self, name).shape)
            if actual != shape:
                raise ValueError(f"worlds: {name} has shape {list(actual)}; expected {list(shape)}")

    def __len__(self) -> int:
        return len(self.rate_hz)

    def rows(self, index: Tensor) -> Worlds:
        """Some worlds, in some order, possibly repeated.

        Args:
            index: int64 `[rows]`
        """
        return self._each(lambda tensor: tensor[index])

    def permuted(self, order: Tensor) -> Worlds:
        """Channel c of the new worlds is channel `order[c]` of these ones.

        Args:
            order: int64 `[M, C]`
        """
        changed = {field.name: getattr(self, field.name) for field in fields(self)}
        return Worlds(**(changed | {"occupancy": self.occupancy.gather(-1, order)}))

    def arrays(self) -> dict[str, NDArray]:
        """Every field by name."""
        return {field.name: getattr(self, field.name).numpy() for field in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray]) -> Worlds:
        """Worlds of arrays by field name, whatever their real type.

        Raises:
            ValueError: a field is missing, or of a wrong shape, naming it.
        """
        for part in fields(cls):
            if part.name not in arrays:
                raise ValueError(f"worlds: {part.name} is missing")
        types = {field.name: np.dtype(bool if field.name == "non_learning" else np.float32) for field in fields(cls)}
        return cls(**{name: torch.from_numpy(np.array(arrays[name], dtype=kind)) for name, kind in types.items()})

    @classmethod
    def joined(cls, worlds: list[Worlds]) -> Worlds:
        """Worlds of equally many networks, one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: torch.cat([getattr(world, name) for world in worlds]) for name in names})

    def _each(self, change: Callable[[Tensor], Tensor]) -> Worlds:
        return Worlds(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


@dataclass(frozen=True)
class Snapshots:
    """M worlds, each at one time, with the same mixture of kinds.

    Attributes:
        parameters: Flat; those of networks that do not learn have no meaning. `[M, S, P]`
        kinds: Index in `KINDS`, -1: does not learn; the same in every row. int64 `[M, S]`
        observations: What the groups see then. `[M, S, Q, D]`
        kpis: What the networks would report. `[M, S, 4]`
        worlds: M of them.

    Raises:
        ValueError: shapes that do not fit together, unlike mixtures, or worlds in which other networks learn.
    """

    parameters: Tensor
    kinds: Tensor
    observations: Tensor
    kpis: Tensor
    worlds: Worlds

    def __post_init__(self) -> None:
        shape = self.kinds.shape
        for name in ("parameters", "observations", "kpis"):
            leading = getattr(self, name).shape[:2]
            if leading != shape:
                raise ValueError(f"snapshots: {name} leads with {list(leading)}; kinds have {list(shape)}")
        if self.worlds.non_learning.shape != shape or bool((self.worlds.non_learning != (self.kinds < 0)).any()):
            raise ValueError("snapshots: non-learning networks of the worlds are not those of kind -1")
        if bool((self.kinds != self.kinds[:1]).any()):
            raise ValueError("snapshots: kinds differ between rows; keep every mixture by itself")

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def mixture(self) -> str:
        """Name of the mixture, a letter for each network, such as `DLP`."""
        return "".join(LETTER_OF[KINDS[kind] if kind >= 0 else "uniform"] for kind in self.kinds[0].tolist())

    def rows(self, index: Tensor) -> Snapshots:
        """Some rows, in some order, possibly repeated."""
        return Snapshots(**{name: getattr(self, name)[index] for name in TENSORS}, worlds=self.worlds.rows(index))

    def renumbered(self, times: int, layout: Layout, seed: int) -> Snapshots:
        """Observations and worlds repeated `times` times, with channels numbered anew each time; parameters stay."""
        rows = self.rows(torch.arange(len(self)).repeat(times))
        orders = random_orders(len(rows), layout.channels, torch.Generator().manual_seed(seed))
        seen = layout.permuted_observations(rows.observations, orders[:, None, None])
        return replace(rows, observations=seen, worlds=rows.worlds.permuted(orders))

    def save(self, path: Path) -> None:
        """Writes a safetensors file."""
        arrays = self.worlds.arrays().items()
        worlds = {f"worlds.{_STORED_NAMES.get(name, name)}": torch.from_numpy(array) for name, array in arrays}
        tensors = {name: getattr(self, name) for name in TENSORS} | worlds
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)

    @classmethod
    def load(cls, path: Path) -> Snapshots:
        """Reads what `save` wrote."""
        tensors = load_file(path)
        fields_of_worlds = (field.name for field in fields(Worlds))
        stored = {name: f"worlds.{_STORED_NAMES.get(name, name)}" for name in fields_of_worlds}
        worlds = {name: tensors[key].numpy() for name, key in stored.items() if key in tensors}
        others = {name: tensor for name, tensor in tensors.items() if not name.startswith("worlds.")}
        return cls(**others, worlds=Worlds.of(worlds))


def by_mixture(parts: Iterable[Snapshots]) -> dict[str, Snapshots]:
    """Joins snapshots of the same mixture, by its name, names in order."""
    by_name: dict[str, list[Snapshots]] = {}
    for part in parts:
        by_name.setdefault(part.mixture, []).append(part)
    return {name: _joined(by_name[name]) for name in sorted(by_name)}


def _joined(parts: list[Snapshots]) -> Snapshots:
    tensors = {name: torch.cat([getattr(part, name) for part in parts]) for name in TENSORS}
    return Snapshots(**tensors, worlds=Worlds.joined([part.worlds for part in parts]))


@dataclass(frozen=True)
class FleetSnapshot:
    """All networks of B worlds at one time, as their servers know it.

    Attributes:
        parameters: Flat parameters of networks that learn; zeros of the others. float32 `[B, S, P]`
        kinds: Index in `KINDS`, -1: does not learn. int64 `[B, S]`
        observations: What groups see. float32 `[B, S, Q, D]`
        kpis: Over the last intervals. float32 `[B, S, 4]`
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
    ) -> FleetSnapshot:
        """Takes a snapshot of the networks now.

        Args:
            team: The servers of the networks that learn.
            learning: Numbers of these networks. `[L]`
            observations: What their groups see. `[B, L, Q, D]`
            sums: Sums of all networks, over the intervals that reports summarise, by the names of `kpis`. `[B, S]` each
        """
        shape = sums["attempts"].shape
        parameters = np.zeros((*shape, Schema().size), np.float32)
        kinds, seen = np.full(shape, -1, np.int64), np.zeros((*shape, *observations.shape[2:]), np.float32)
        seen[:, learning] = observations
        for servers, places in team.learners:
            parameters[:, learning[places]] = servers.parameters()
            kinds[:, learning[places]] = KINDS.index(servers.kind)
        reported = kpis(*(sums[name] for name in KPI_SUMS))
        return cls(parameters, kinds, seen, reported)

    def snapshots(self, facts: Mapping[str, NDArray]) -> Snapshots:
        """Rows of snapshots, one for each world, with facts of the worlds now by the names of `Worlds`."""
        return Snapshots(**{name: torch.from_numpy(getattr(self, name)) for name in TENSORS}, worlds=Worlds.of(facts))


def public_probes(parts: Sequence[Snapshots], patterns: int, seed: int) -> Tensor:
    """Draws probes from what learning networks saw; see `agents.ccs.layout.probes_of`. `[patterns * Q, D]`"""
    views = torch.cat([part.observations[part.kinds >= 0] for part in parts])
    return probes_of(views, patterns, Layout(), torch.Generator().manual_seed(seed))
