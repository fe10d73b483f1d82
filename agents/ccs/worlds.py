"""Facts of coexisting networks that the proxy of the air needs; shape letters as in `agents.ccs.proxy`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Worlds:
    """M independent worlds of S networks each; float32 unless said otherwise.

    A row is one world at one time: what changes over an episode (occupancy, rates) makes another row. A network that
    is not there has rate 0 in all groups.

    Attributes:
        rate_hz: Frames born per second in all nodes of a group. `[M, S, Q]`
        nodes: Nodes of a group. `[M, S, Q]`
        sf_share: Share of a group's nodes that use SF7, ..., SF12 at an offset (min(12, minimum SF + offset)); sums
            to 1 over V where the group has nodes. `[M, S, Q, O, V]`
        link: Mean over a group's nodes of the chance that the link to the own gateway stands, at an offset and a power:
            exp(-10^(-margin_db / 10)) under Rayleigh fading, where margin_db is mean received power, shadowing
            included, less the sensitivity of the SF used. `[M, S, Q, O, T]`
        energy_mj: Mean over a group's nodes of the energy of one attempt, receive windows included. `[M, S, Q, O, T]`
        reference_mj: The same at the minimum SF and 14 dBm, which rewards are relative to. `[M, S, Q]`
        airtime_s: Of one attempt at SF7, ..., SF12. `[M, V]`
        occupancy: Share of time with external energy, from 0 up to but not including 1. `[M, C]`
        legacy: Networks that do not learn: every attempt is uniform over the channels, at offset 0 and the highest
            power (the last T). bool `[M, S]`
    """

    rate_hz: Tensor
    nodes: Tensor
    sf_share: Tensor
    link: Tensor
    energy_mj: Tensor
    reference_mj: Tensor
    airtime_s: Tensor
    occupancy: Tensor
    legacy: Tensor

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
            "legacy": (m, s),
        }
        for name, shape in expected.items():
            given = tuple(getattr(self, name).shape)
            if given != shape:
                raise ValueError(f"worlds: {name} has shape {list(given)}; expected {list(shape)}")

    def __len__(self) -> int:
        return len(self.rate_hz)

    def rows(self, index: Tensor) -> Worlds:
        """Some worlds, in some order, also repeatedly.

        Args:
            index: int64 `[any]`
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
        """Every field by name, for a file."""
        return {field.name: getattr(self, field.name).numpy() for field in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray]) -> Worlds:
        """Of arrays by field name, whatever their real type.

        Raises:
            ValueError: a field is missing, or of a wrong shape, naming it.
        """
        for field in fields(cls):
            if field.name not in arrays:
                raise ValueError(f"worlds: {field.name} is missing")
        types = {field.name: np.dtype(bool if field.name == "legacy" else np.float32) for field in fields(cls)}
        return cls(**{name: torch.from_numpy(np.array(arrays[name], dtype=kind)) for name, kind in types.items()})

    @classmethod
    def joined(cls, worlds: list[Worlds]) -> Worlds:
        """Worlds of equally many networks, one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: torch.cat([getattr(world, name) for world in worlds]) for name in names})

    def _each(self, change: Callable[[Tensor], Tensor]) -> Worlds:
        return Worlds(**{field.name: change(getattr(self, field.name)) for field in fields(self)})
