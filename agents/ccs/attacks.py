"""Participants that attack: what they report instead of the truth.

An attack is a function of what all networks would report. The attacker always stands at place 0; how it acts on the air
is no part of the attack. Letters in `agents.ccs.layout`.
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
from agents.ccs.safeguards import CLIP
from agents.ccs.service import Service
from agents.ccs.training import task_loss
from agents.ccs.unroll import own_policies, prepare_batch, unroll_rounds
from agents.lns.network import Schema, flatten, unflatten

INSISTENCE = 30.0
"""Logits added to a channel that is taken whatever is observed; other channels are left with chances of e^-30."""

SYBIL_SPREAD = 1e-3
"""Relative deviation of noise by which the reports of Sybils differ."""

SEARCH_EVERY = 6
"""Rounds between two searches of the optimised attack: half an hour, as long as moving interference stays."""


class ReportArrays(NamedTuple):
    """The reports of all networks of M worlds, as arrays.

    Attributes:
        parameters: Flat. `[M, S, P]`
        kpis: `[M, S, 4]`
        kinds: Index in `agents.ccs.layout.KINDS`, which no attack changes. `[M, S]`
    """

    parameters: Tensor
    kpis: Tensor
    kinds: Tensor


Falsify = Callable[[ReportArrays, int, torch.Generator], tuple[Tensor, Tensor]]
"""From honest reports, the number of the round and a generator to what the attacker at place 0 reports: parameters
`[M, P]` and summary `[M, 4]`."""


@dataclass(frozen=True)
class Attack:
    """How the network at place 0 attacks; all others are honest.

    Attributes:
        falsify: What the attacker reports.
        sybils: Further participants without nodes, which report the same as the attacker with a little noise.
        applies: Whether the attacker adds its residual to its own policy.
        declared: Whether Sybils state whose they are.
    """

    falsify: Falsify
    sybils: int = 0
    applies: bool = True
    declared: bool = True

    def __call__(self, honest: ReportArrays, round: int, generator: torch.Generator) -> ReportArrays:
        """Returns what the service receives: the attacker at place 0, Sybils at the end. `[M, S + sybils, ...]`"""
        parameters, kpis = self.falsify(honest, round, generator)
        sybils = parameters[:, None].expand(-1, self.sybils, -1)
        sybils = sybils * (1.0 + SYBIL_SPREAD * torch.randn(sybils.shape, generator=generator))
        return ReportArrays(
            torch.cat([parameters[:, None], honest.parameters[:, 1:], sybils], 1),
            torch.cat([kpis[:, None], honest.kpis[:, 1:], kpis[:, None].expand(-1, self.sybils, -1)], 1),
            torch.cat([honest.kinds, honest.kinds[:, :1].expand(-1, self.sybils)], 1),
        )


def random_weights(scale: float) -> Attack:
    """An attack with random weights, whose root mean square is `scale` times that of the true ones."""

    def falsify(honest: ReportArrays, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        true = honest.parameters[:, 0]
        size = scale * true.square().mean(-1, keepdim=True).sqrt()
        return size * torch.randn(true.shape, generator=generator), honest.kpis[:, 0]

    return Attack(falsify)


def false_summary(kpis: tuple[float, float, float, float]) -> Attack:
    """An attack with true weights and a false summary."""

    def falsify(honest: ReportArrays, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return honest.parameters[:, 0], torch.tensor(kpis).expand_as(honest.kpis[:, 0])

    return Attack(falsify)


def chosen_weights(choose: Callable[[Tensor], Tensor], sybils: int = 0, applies: bool = True) -> Attack:
    """An attack with the true summary and weights `[M, P]` that `choose` makes of everybody's `[M, S, P]`."""

    def falsify(honest: ReportArrays, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return choose(honest.parameters), honest.kpis[:, 0]

    return Attack(falsify, sybils, applies)


def slow_drift(channel: int, layout: Layout, per_round: float = 0.02) -> Attack:
    """An attack that moves slowly from the true policy to `insistent_policy`: no report differs much from the last."""

    def falsify(honest: ReportArrays, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        true, share = honest.parameters[:, 0], min(1.0, per_round * (round + 1))
        return true.lerp(insistent_policy(true, honest.kinds[:, 0], channel, layout), share), honest.kpis[:, 0]

    return Attack(falsify)


def insistent_policy(parameters: Tensor, kinds: Tensor, channel: int, layout: Layout) -> Tensor:
    """Networks that take one channel whatever they observe.

    Args:
        parameters: Parameters of the networks as they are. `[M, P]`
        kinds: Index in `agents.ccs.layout.KINDS`. `[M]`
        channel: The channel that they shall take.
        layout: Layout of their actions.

    Returns:
        `[M, P]`
    """
    layers = unflatten(parameters.clone(), Schema())
    bias = layers.biases[-1].unflatten(-1, (layout.channels, -1))
    bias[..., channel, :] += INSISTENCE * temperatures(kinds)[..., None]
    return flatten(layers)


def optimised_shift(
    coordinator: Coordinator, proxy: Proxy, world: Snapshots, codes: Tensor, steps: int = 60, rate: float = 0.03
) -> Tensor:
    """Finds what the first learner adds to its report to harm the others most in one round, by gradient descent.

    The attacker knows everything: the frozen service, its codes, the others' snapshots and the proxy of the air. Its
    policy on the air stays the true one.

    Args:
        coordinator: Frozen.
        proxy: Model of the air.
        world: What all would report; at least two learn. M rows
        codes: Codes that the service has assigned. `[M, L, Q, Z]`
        steps: Steps of Adam.
        rate: Learning rate of Adam, relative to the root mean square of the weights.

    Returns:
        What is added to the parameters that are reported. `[M, P]`
    """
    numbering = torch.arange(coordinator.layout.channels).expand(len(world), -1)
    networks = world.kinds.shape[1]
    honest = prepare_batch(world, codes, numbering, coordinator)
    first, others = honest.learners[:1], torch.arange(networks) != honest.learners[0]
    unmoved = unroll_rounds(coordinator, honest, 1, clip=0.0)[0].policy
    true_policy = own_policies(unmoved, honest.learners, networks).detach()
    parameters = world.parameters[:, first]
    size = parameters.square().mean(-1, keepdim=True).sqrt()
    shift = torch.zeros_like(parameters).requires_grad_()
    adam = torch.optim.Adam([shift], lr=rate)
    for _ in range(steps):
        adam.zero_grad()
        reported = world.parameters.index_copy(1, first, parameters + size * shift)
        batch = prepare_batch(replace(world, parameters=reported), codes, numbering, coordinator)
        moved = unroll_rounds(coordinator, batch, 1, clip=CLIP)[0].policy
        policies = own_policies(moved, batch.learners, networks).index_copy(1, first, true_policy[:, first])
        harm = task_loss(proxy(policies, world.worlds).utility[:, others], batch.learners[1:] - 1)
        (-harm.sum()).backward()
        adam.step()
    return (size * shift)[:, 0].detach()


ATTACKS: dict[str, Attack] = {
    "random": random_weights(1.0),
    "random_10": random_weights(10.0),
    "random_100": random_weights(100.0),
    "copy": chosen_weights(lambda parameters: parameters[:, 1]),
    "mean": chosen_weights(lambda parameters: parameters[:, 1:].mean(1)),
    "zeros": chosen_weights(lambda parameters: torch.zeros_like(parameters[:, 0])),
    "kpi_worst": false_summary((0.0, 4.0, 2.0, -0.5)),
    "kpi_best": false_summary((1.0, 0.0, 0.5, 1.0)),
    "kpi_absurd": false_summary((1000.0, 1000.0, 1000.0, 1000.0)),
    "sybils": chosen_weights(lambda parameters: parameters[:, 0], sybils=8),
    "sybils_hidden": replace(chosen_weights(lambda parameters: parameters[:, 0], sybils=8), declared=False),
    "sybils_lying": replace(false_summary((1.0, 0.0, 0.5, 1.0)), sybils=8, declared=False),
    "sybil_copies": chosen_weights(lambda parameters: parameters[:, 1], sybils=8),
    "free_rider": chosen_weights(lambda parameters: parameters[:, 0], applies=False),
    "drift": slow_drift(0, Layout()),
}
"""Attacks by name; `optimised` needs more than reports, see `OptimisedAttack`."""


class Attacker:
    """The attacker of one world: the network that reports first.

    Args:
        attack: What it does.
        seed: Seed of its random numbers.
    """

    def __init__(self, attack: Attack, seed: int) -> None:
        self.attack, self._random = attack, torch.Generator().manual_seed(seed)

    def __call__(self, honest: Sequence[Report]) -> list[Report]:
        """Returns what all networks report; Sybils come last."""
        first, attack = honest[0], self.attack
        parameters, kpis = (
            torch.from_numpy(np.stack([getattr(report, name) for report in honest]))[None]
            for name in ("parameters", "kpis")
        )
        kinds = torch.tensor([[KINDS.index(report.schema.kind) for report in honest]])
        received = attack(ReportArrays(parameters, kpis, kinds), first.round - 1, self._random)
        operator = first.network if attack.declared else ""
        sybils = [replace(first, network=f"sybil {number}", operator=operator) for number in range(attack.sybils)]
        rows = zip([*honest, *sybils], received.parameters[0].numpy(), received.kpis[0].numpy(), strict=True)
        return [replace(report, parameters=parameters, kpis=kpis) for report, parameters, kpis in rows]

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes, as arrays by name."""
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
    """Adds `optimised_shift` to the truth, searched anew every `SEARCH_EVERY` rounds.

    It is honest until the service knows all networks, whose codes it needs.

    Args:
        service: The service, whose coordinator and codes it knows; members are named by places among the learners.
        snapshots: Returns what is true now, a row for each world.
        row: Its own world.
    """

    def __init__(self, service: Service, snapshots: Callable[[], Snapshots], row: int) -> None:
        self._service, self._snapshots, self._row = service, snapshots, torch.tensor([row])
        self._next_search, self._shift = 0, torch.zeros(())

    def __call__(self, honest: ReportArrays, round: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns the false parameters `[1, P]` and the true summary `[1, 4]`; see `Falsify`."""
        names = [str(place) for place in range(honest.kinds.shape[1])]
        if round >= self._next_search and all(name in self._service.members for name in names):
            world, codes = self._snapshots().rows(self._row), self._service.codes_of(names)[None]
            self._shift = optimised_shift(self._service.coordinator, Proxy(), world, codes)
            self._next_search = round + SEARCH_EVERY
        return honest.parameters[:, 0] + self._shift, honest.kpis[:, 0]

    def state_dict(self) -> dict[str, NDArray]:
        """Returns the round of the next search, and what the last one found."""
        return {"next_search": np.array(self._next_search), "shift": self._shift.numpy().copy()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        self._next_search, self._shift = int(state["next_search"]), torch.from_numpy(np.array(state["shift"]))


def attackers(
    name: str, seeds: Sequence[int], services: Sequence[Service], snapshots: Callable[[], Snapshots]
) -> list[Attacker]:
    """Returns the attacker of every world.

    Args:
        name: A key of `ATTACKS`, or `optimised`.
        seeds: One per world.
        services: One per world.
        snapshots: Returns what is true now, a row for each world.
    """
    if name == "optimised":
        attacks = [Attack(OptimisedAttack(service, snapshots, row)) for row, service in enumerate(services)]
    else:
        attacks = [ATTACKS[name]] * len(services)
    return [Attacker(attack, seed) for attack, seed in zip(attacks, seeds, strict=True)]
