"""Attackers of a service in service: they look at what is reported, and one of them knows everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from agents.ccs.attacks import ATTACKS, Attack, Reports, optimised
from agents.ccs.proxy import Proxy
from agents.ccs.records import Report
from agents.ccs.service import Service
from agents.ccs.snapshots import Snapshots
from agents.ccs.view import KINDS

EVERY = 6
"""Rounds between two searches of the optimised attack: half an hour, as long as moving interference stays."""


class Attacker:
    """The network that reports first in one world.

    Args:
        attack: What it does.
        seed: Of its draws.
    """

    def __init__(self, attack: Attack, seed: int) -> None:
        self.attack, self._random = attack, torch.Generator().manual_seed(seed)

    def __call__(self, honest: Sequence[Report]) -> list[Report]:
        """What all tell; Sybils come last."""
        first, attack = honest[0], self.attack
        parameters, kpis = (
            torch.from_numpy(np.stack([getattr(each, name) for each in honest]))[None]
            for name in ("parameters", "kpis")
        )
        kinds = torch.tensor([[KINDS.index(each.schema.kind) for each in honest]])
        told = attack(Reports(parameters, kpis, kinds), first.round - 1, self._random)
        operator = first.network if attack.declared else ""
        sybils = [replace(first, network=f"sybil {number}", operator=operator) for number in range(attack.sybils)]
        parts = zip([*honest, *sybils], told.parameters[0].numpy(), told.kpis[0].numpy(), strict=True)
        return [replace(each, parameters=parameters, kpis=kpis) for each, parameters, kpis in parts]


class Optimising:
    """Adds to the truth what does most harm by one round, searched anew every `EVERY` rounds.

    It is honest until the service knows all networks, whose codes it needs.

    Args:
        service: Whose coordinator and codes are known; its members are named by their places among the learners.
        now: What is true, a row for each world.
        row: Its own.
    """

    def __init__(self, service: Service, now: Callable[[], Snapshots], row: int) -> None:
        self._service, self._now, self._row, self._due = service, now, torch.tensor([row]), 0
        self._shift: Tensor | float = 0.0

    def __call__(self, honest: Reports, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `agents.ccs.attacks.Attack.falsify`."""
        names = [str(place) for place in range(honest.kinds.shape[1])]
        if round >= self._due and all(name in self._service.members for name in names):
            world, codes = self._now().rows(self._row), self._service.codes_of(names)[None]
            self._shift = optimised(self._service.coordinator, Proxy(), world, codes)
            self._due = round + EVERY
        return honest.parameters[:, 0] + self._shift, honest.kpis[:, 0]


def attackers(
    name: str, seeds: Sequence[int], services: Sequence[Service], now: Callable[[], Snapshots]
) -> list[Attacker]:
    """The attacker of every world.

    Args:
        name: Of `ATTACKS`, or `optimised`.
        seeds: One per world.
        services: Likewise.
        now: What is true of all worlds.
    """
    if name == "optimised":
        attacks = [Attack(Optimising(service, now, row)) for row, service in enumerate(services)]
    else:
        attacks = [ATTACKS[name]] * len(services)
    return [Attacker(*each) for each in zip(attacks, seeds, strict=True)]
