"""Participants that mean harm: what they report instead of the truth; letters in `agents.ccs.layout`.

An attack is a function of what everybody would report. The networks of the attacker are told by their places; what they
do on the air is theirs to choose, and is no part of it.

Attackers of a service in service: they look at what is reported, and one of them knows everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs.dataset import Snapshots
from agents.ccs.layout import KINDS, Layout, temperatures
from agents.ccs.model import Coordinator
from agents.ccs.protocol import Report
from agents.ccs.proxy import Proxy
from agents.ccs.round import own_policies, prepared, unrolled
from agents.ccs.service import Service
from agents.ccs.training import task_loss
from agents.lns.network import Schema, flatten, unflatten

INSISTENCE = 30.0
"""Logits by which a channel is preferred that is taken whatever is seen."""


class Reports(NamedTuple):
    """What all networks of a world report.

    Attributes:
        parameters: Flat. `[M, S, P]`
        kpis: `[M, S, 4]`
        kinds: Index in `agents.ccs.layout.KINDS`, which nobody lies about. `[M, S]`
    """

    parameters: Tensor
    kpis: Tensor
    kinds: Tensor


@dataclass(frozen=True)
class Attack:
    """How the network at place 0 attacks; all others are honest.

    Attributes:
        falsify: From honest reports, the number of the round and a generator to what place 0 reports: its parameters
            `[M, P]` and summary `[M, 4]`.
        sybils: Further participants that report the same as the attacker, with a little noise, and have no nodes.
        applies: Whether the attacker adds its residual to its own policy.
        declared: Whether sybils say whose they are.
    """

    falsify: Callable[[Reports, int, torch.Generator], tuple[Tensor, Tensor]]
    sybils: int = 0
    applies: bool = True
    declared: bool = True

    def __call__(self, honest: Reports, round: int, generator: torch.Generator) -> Reports:
        """What the service is told: place 0 the attacker, sybils at the end `[M, S + sybils, ...]`."""
        mine = self.falsify(honest, round, generator)
        told = [torch.cat([own[:, None], rest[:, 1:]], 1) for own, rest in zip(mine, honest)]
        more = [own[:, None].expand(-1, self.sybils, -1) for own in mine]
        more[0] = more[0] * (1.0 + 1e-3 * torch.randn(more[0].shape, generator=generator))
        parameters, kpis = (torch.cat(both, 1) for both in zip(told, more))
        return Reports(parameters, kpis, torch.cat([honest.kinds, honest.kinds[:, :1].expand(-1, self.sybils)], 1))


def noise_of(scale: float) -> Attack:
    """Random weights, `scale` times as large as the own ones."""

    def falsify(honest: Reports, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        own = honest.parameters[:, 0]
        size = scale * own.square().mean(-1, keepdim=True).sqrt()
        return size * torch.randn(own.shape, generator=generator), honest.kpis[:, 0]

    return Attack(falsify)


def lying(kpis: tuple[float, float, float, float]) -> Attack:
    """The truth but for the summary."""

    def falsify(honest: Reports, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return honest.parameters[:, 0], torch.tensor(kpis).expand_as(honest.kpis[:, 0])

    return Attack(falsify)


def sending(choose: Callable[[Tensor], Tensor], sybils: int = 0, applies: bool = True) -> Attack:
    """Parameters `[M, P]` chosen by looking at those of all `[M, S, P]`, with the true summary."""

    def falsify(honest: Reports, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return choose(honest.parameters), honest.kpis[:, 0]

    return Attack(falsify, sybils, applies)


def drifting(channel: int, layout: Layout, per_round: float = 0.02) -> Attack:
    """Slowly from the own policy to one that takes a channel whatever it sees: no report looks unlike the last one."""

    def falsify(honest: Reports, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        own, kinds = honest.parameters[:, 0], honest.kinds[:, 0]
        return own.lerp(insisting(own, kinds, channel, layout), min(1.0, per_round * (round + 1))), honest.kpis[:, 0]

    return Attack(falsify)


def optimised(
    coordinator: Coordinator, proxy: Proxy, world: Snapshots, codes: Tensor, steps: int = 60, rate: float = 0.03
) -> Tensor:
    """Lies of the first learner that make one round worst for the others, by gradient through the frozen service.

    The attacker knows everything: the service, its codes, the others' snapshots and the proxy of the air; and it means
    what it does on the air to stay as it is.

    Args:
        coordinator: Frozen.
        proxy: Of the air.
        world: What all would report; at least two learn. M rows
        codes: That the service has given. `[M, L, Q, Z]`
        steps: Of Adam.
        rate: Of Adam, relative to the root mean square of the weights.

    Returns:
        What it adds to its parameters when it reports. `[M, P]`
    """
    straight = torch.arange(coordinator.layout.channels).expand(len(world), -1)
    networks = world.kinds.shape[1]
    truth = prepared(world, codes, straight, coordinator)
    first, others = truth.learners[:1], torch.arange(networks) != truth.learners[0]
    honest = own_policies(unrolled(coordinator, truth, 1, clip=0.0)[0].policy, truth.learners, networks).detach()
    own = world.parameters[:, first]
    size = own.square().mean(-1, keepdim=True).sqrt()
    shift = torch.zeros_like(own).requires_grad_()
    adam = torch.optim.Adam([shift], lr=rate)
    for _ in range(steps):
        adam.zero_grad()
        told = world.parameters.index_copy(1, first, own + size * shift)
        seen = prepared(replace(world, parameters=told), codes, straight, coordinator)
        acted = own_policies(unrolled(coordinator, seen, 1, clip=1.0)[0].policy, seen.learners, networks)
        played = acted.index_copy(1, first, honest[:, first])
        harm = task_loss(proxy(played, world.worlds).utility[:, others], seen.learners[1:] - 1)
        (-harm.sum()).backward()
        adam.step()
    return (size * shift)[:, 0].detach()


def insisting(parameters: Tensor, kinds: Tensor, channel: int, layout: Layout) -> Tensor:
    """Networks `[M, P]` of kinds `[M]` that take one channel whatever they see: where slow drift leads."""
    layers = unflatten(parameters.clone(), Schema())
    bias = layers.biases[-1].unflatten(-1, (layout.channels, -1))
    bias[..., channel, :] += INSISTENCE * temperatures(kinds)[..., None]
    return flatten(layers)


ATTACKS: dict[str, Attack] = {
    "random": noise_of(1.0),
    "random_10": noise_of(10.0),
    "random_100": noise_of(100.0),
    "copy": sending(lambda parameters: parameters[:, 1]),
    "mean": sending(lambda parameters: parameters[:, 1:].mean(1)),
    "zeros": sending(lambda parameters: torch.zeros_like(parameters[:, 0])),
    "kpi_worst": lying((0.0, 4.0, 2.0, -0.5)),
    "kpi_best": lying((1.0, 0.0, 0.5, 1.0)),
    "kpi_absurd": lying((1000.0, 1000.0, 1000.0, 1000.0)),
    "sybils": sending(lambda parameters: parameters[:, 0], sybils=8),
    "sybils_hidden": replace(sending(lambda parameters: parameters[:, 0], sybils=8), declared=False),
    "sybils_lying": replace(lying((1.0, 0.0, 0.5, 1.0)), sybils=8, declared=False),
    "sybil_copies": sending(lambda parameters: parameters[:, 1], sybils=8),
    "free_rider": sending(lambda parameters: parameters[:, 0], applies=False),
    "drift": drifting(0, Layout()),
}
"""By name; `optimised` needs more than reports."""


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

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes, as plain arrays by name."""
        state = {"random": self._random.get_state().numpy().copy()}
        if isinstance(self.attack.falsify, OptimisedAttack):
            state |= self.attack.falsify.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        self._random.set_state(torch.from_numpy(np.array(state["random"])))
        if isinstance(self.attack.falsify, OptimisedAttack):
            self.attack.falsify.load_state_dict(state)


class OptimisedAttack:
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

    def state_dict(self) -> dict[str, NDArray]:
        """Returns the round of the next search, and what the last one found."""
        return {"due": np.array(self._due), "shift": torch.as_tensor(self._shift).numpy().copy()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        self._due, shift = int(state["due"]), np.array(state["shift"])
        self._shift = torch.from_numpy(shift) if shift.ndim else float(shift)


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
        attacks = [Attack(OptimisedAttack(service, now, row)) for row, service in enumerate(services)]
    else:
        attacks = [ATTACKS[name]] * len(services)
    return [Attacker(*each) for each in zip(attacks, seeds, strict=True)]
