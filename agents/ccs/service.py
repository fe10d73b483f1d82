"""The coordination service online: reports in, residuals out, on its own clock; letters in `agents.ccs.layout`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.ccs import safeguards as guards
from agents.ccs.codes import codes
from agents.ccs.coordinator import Coordinator
from agents.ccs.kpis import within_ranges
from agents.ccs.records import Report, Residual
from agents.ccs.rounds import logits_on, residuals
from agents.ccs.safeguards import Safeguards
from agents.ccs.view import KINDS, View

MEMORY = 8
"""Jumps of behaviour that a network's usual one is the median of."""


@dataclass
class Member:
    """What the service remembers of a network.

    Attributes:
        report: The latest.
        codes: Numbers of its latent codes, kept for its stay.
        fresh_s: When its present snapshot was first seen, from whomever.
        copied: Whether another network had sent that snapshot before.
        behaviour: Chances of channels on the probes in the round before. `[n, C]`
        jumps: The latest changes of behaviour.
        trust: From 0 to 1.
    """

    report: Report
    codes: list[int]
    fresh_s: float
    copied: bool = False
    behaviour: Tensor | None = None
    jumps: list[float] = field(default_factory=list)
    trust: float = 1.0


class Round(NamedTuple):
    """What comes of a round.

    Attributes:
        residuals: For every network whose report of this round was accepted, in the order of the reports.
        refused: Why a report was not, by network.
    """

    residuals: list[Residual]
    refused: dict[str, str]


class Service:
    """Coordinates whoever reports; the others that it knows of count with their latest report.

    Args:
        coordinator: Trained; not changed.
        seed: Of the assignment of latent codes.
        safeguards: How careful.

    Attributes:
        members: Networks by name.
        rounds: How many there were.
    """

    def __init__(self, coordinator: Coordinator, seed: int, safeguards: Safeguards | None = None) -> None:
        self.coordinator, self.safeguards = coordinator, safeguards or Safeguards()
        self.members: dict[str, Member] = {}
        self.rounds = 0
        self._rng = np.random.default_rng(seed)
        self._seen: dict[bytes, tuple[str, float]] = {}

    def round(self, reports: Iterable[Report], now_s: float) -> Round:
        """One round: takes in reports, and answers those that are accepted."""
        refused, accepted = {}, []
        for report in reports:
            try:
                self.receive(report, now_s)
                accepted.append(report.network)
            except ValueError as error:
                refused[report.network] = str(error)
        self._forget(now_s)
        answered = [name for name in accepted if name in self.members]
        found = self._residuals(answered, now_s) if answered else []
        self.rounds += 1
        return Round(found, refused)

    def receive(self, report: Report, now_s: float) -> None:
        """Takes in a report between rounds.

        Raises:
            ValueError: of another layout, too large, too old, from the future, or not newer than the last one.
        """
        self._check(report, now_s)
        digest = hashlib.sha256(report.parameters.tobytes()).digest()
        first, fresh_s = self._seen.setdefault(digest, (report.network, report.time_s))
        copied = first != report.network and fresh_s < report.time_s
        known = self.members.get(report.network)
        if known is None:
            known = self.members[report.network] = Member(report, self._free_codes(), fresh_s)
        known.report, known.fresh_s, known.copied = report, fresh_s, copied

    def _check(self, report: Report, now_s: float) -> None:
        layout, careful, sizes = self.coordinator.layout, self.safeguards, report.schema.sizes
        if (sizes[0], sizes[-1]) != (layout.features, layout.actions):
            expected = f"{layout.features} features and {layout.actions} actions"
            raise ValueError(f"report of {report.network}: sizes {sizes} do not have {expected}")
        if report.schema.size > careful.max_parameters:
            raise ValueError(f"report of {report.network}: {report.schema.size} parameters exceed the limit")
        age_s = now_s - report.time_s
        if not -careful.clock_s <= age_s <= careful.max_age_s:
            limits = f"from {-careful.clock_s:g} to {careful.max_age_s:g} s"
            raise ValueError(f"report of {report.network}: its age of {age_s:g} s is not {limits}")
        known = self.members.get(report.network)
        if known is not None and report.round <= known.report.round:
            last = known.report.round
            raise ValueError(f"report of {report.network}: round {report.round} is not after {last}, the last one")

    def _free_codes(self) -> list[int]:
        """Random codes that nobody has, of the shortest table that has enough."""
        taken = {code for member in self.members.values() for code in member.codes}
        count = self.coordinator.design.codes_per_network
        free = sorted(set(range(max(16, len(taken) + count))) - taken)
        return [int(code) for code in self._rng.choice(free, count, replace=False)]

    def _forget(self, now_s: float) -> None:
        """Drops networks, and snapshots, that are too old."""
        oldest = now_s - self.safeguards.max_age_s
        self.members = {name: m for name, m in self.members.items() if m.report.time_s >= oldest}
        kept = {name: m.fresh_s for name, m in self.members.items()}
        self._seen = {d: (name, at_s) for d, (name, at_s) in self._seen.items() if at_s >= kept.get(name, oldest)}

    @torch.no_grad()
    def _residuals(self, answered: list[str], now_s: float) -> list[Residual]:
        names = list(self.members)
        members = list(self.members.values())
        kinds = torch.tensor([KINDS.index(member.report.schema.kind) for member in members])
        logits = torch.empty(len(members), len(self.coordinator.probes), self.coordinator.layout.actions)
        for sizes, index in self._by_sizes(members).items():
            logits[index] = logits_on(self.coordinator.probes, _parameters(members, index), kinds[index], sizes)
        self._judge(members, answered, self.coordinator.layout.marginals(logits.softmax(-1)))
        age = torch.tensor([now_s - member.fresh_s for member in members], dtype=torch.float32)
        scale = guards.staleness_scale(age, self.safeguards.staleness_s)
        message = self.coordinator(self._view(members, logits, kinds, scale))
        kpis = _kpis(members)
        if self.safeguards.congestion is not None:
            calm = guards.congestion_scale(kpis[None, :, 0], torch.ones(1, len(members)), self.safeguards.congestion)
            scale = scale * calm[0]
        message = (message[0] * scale[:, None, None]).contiguous()
        place, found = {name: number for number, name in enumerate(names)}, {}
        asked = [place[name] for name in answered]
        for sizes, index in self._by_sizes([members[i] for i in asked]).items():
            rows = torch.tensor(asked)[index]
            parameters = _parameters(members, rows)
            own = residuals(self.coordinator, message[rows], parameters, kinds[rows], sizes, self.safeguards.clip)
            found |= {names[row]: delta for row, delta in zip(rows.tolist(), own.numpy())}
        return [Residual(name, self.rounds, self.members[name].report.round, found[name]) for name in answered]

    def _view(self, members: list[Member], logits: Tensor, kinds: Tensor, fresh: Tensor) -> View:
        table = codes(max(max(member.codes) for member in members) + 1)
        numbers = torch.tensor([member.codes for member in members])
        operators: dict[str, int] = {}
        who = [operators.setdefault(m.report.operator or m.report.network, len(operators)) for m in members]
        trusted = torch.tensor([0.0 if member.copied else member.trust for member in members])
        weights = fresh * trusted * guards.operator_scale(torch.tensor(who), self.safeguards.operator_cap)
        by_group = table[numbers].expand(-1, self.coordinator.layout.groups, -1)
        parameters = None
        if self.coordinator.design.mapping == "raw":
            parameters = _parameters(members, torch.arange(len(members)))[None]
        return View(logits[None], kinds[None], _kpis(members)[None], by_group[None], weights[None], parameters)

    def _judge(self, members: list[Member], answered: list[str], behaviour: Tensor) -> None:
        """Renews the trust in networks that have just reported."""
        just = set(answered)
        for member, now in zip(members, behaviour):
            if member.report.network not in just:
                continue
            if self.safeguards.jump is not None and member.behaviour is not None:
                step = guards.jump(now, member.behaviour)
                usual = torch.tensor(median(member.jumps) if member.jumps else 0.0)
                member.trust = float(guards.trust(step, usual, self.safeguards.jump))
                member.jumps = [*member.jumps, float(step)][-MEMORY:]
            member.behaviour = now

    @staticmethod
    def _by_sizes(members: list[Member]) -> dict[tuple[int, ...], Tensor]:
        """Which members have networks of which sizes."""
        found: dict[tuple[int, ...], list[int]] = {}
        for number, member in enumerate(members):
            found.setdefault(member.report.schema.sizes, []).append(number)
        return {sizes: torch.tensor(index) for sizes, index in found.items()}


def _parameters(members: list[Member], index: Tensor) -> Tensor:
    return torch.from_numpy(np.stack([members[number].report.parameters for number in index.tolist()]))


def _kpis(members: list[Member]) -> Tensor:
    """Reports within their ranges `[S, 4]`."""
    return within_ranges(torch.from_numpy(np.stack([member.report.kpis for member in members])))
