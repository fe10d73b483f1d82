"""The coordination service online: reports in, residuals out, on its own clock; letters in `agents.ccs.layout`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs import safeguards as guards
from agents.ccs.layout import View
from agents.ccs.members import ServiceMembers
from agents.ccs.model import Coordinator
from agents.ccs.protocol import Report, Residual
from agents.ccs.round import logits_on_probes, residuals_of
from agents.ccs.safeguards import Safeguards
from agents.lns.network import Schema


class RoundResult(NamedTuple):
    """The result of a round.

    Attributes:
        residuals: For every network that has reported since it was answered last, in the order in which they joined.
        refused: Why a report was not accepted, by network.
    """

    residuals: list[Residual]
    refused: dict[str, str]


class Service:
    """Coordinates the networks that report; members that do not report count with their latest snapshot.

    A snapshot that another network sent in an earlier round counts for nobody. So does, until it has learned
    something, a network that joins later with the same vendor's default. Names and operators are what reports say:
    whoever serves rounds over a network has to authenticate both, or a report in another's name takes its place, and
    one that names another as its operator shares its weight.

    Args:
        coordinator: The trained coordinator, which is not changed.
        seed: Seed of the assignment of latent codes.
        safeguards: What is checked, and how much networks count; None: the defaults.

    Attributes:
        members: Networks by name.
        rounds: Number of rounds so far.

    Source: the CCS paper, Algorithm 1.
    """

    def __init__(self, coordinator: Coordinator, seed: int, safeguards: Safeguards | None = None) -> None:
        self.coordinator, self.safeguards = coordinator, safeguards or Safeguards()
        self.members = ServiceMembers(coordinator.design.codes_per_network, seed)
        self.rounds = 0

    def round(self, reports: Iterable[Report], now_s: float) -> RoundResult:
        """Plays a round: takes in the newest report of each network, and answers these and those of `receive`.

        Args:
            reports: Reports of any networks.
            now_s: Time on the service's clock.
        """
        newest, refused = _newest(reports)
        for report in newest:
            try:
                self.receive(report, now_s)
            except ValueError as error:
                refused[report.network] = str(error)
        self.members.forget(now_s - self.safeguards.max_age_s, now_s)
        waiting = [name for name, member in self.members.items() if member.report.round > member.answered]
        residuals = self._residuals(waiting, now_s) if waiting else []
        self.rounds += 1
        return RoundResult(residuals, refused)

    def receive(self, report: Report, now_s: float) -> None:
        """Takes in a report between rounds, which the next one answers; what it keeps is a copy.

        Raises:
            ValueError: no report, or one of another layout, too large, one network too many, too old, from the future,
                not newer than the last one, or of a policy whose outputs could grow beyond what can be computed with.
        """
        if not isinstance(report, Report):
            raise ValueError(f"a {type(report).__name__} is no report")
        network, sizes = report.network, report.schema.sizes
        self.safeguards.check_schema(report, self.coordinator.layout)
        if self.coordinator.design.mapping == "raw" and report.schema.size != Schema().size:
            raise ValueError(f"report of {network}: sizes {sizes}; raw weights are of {Schema().sizes} alone")
        self.safeguards.check_age(report, now_s)
        member = self.members.get(network)
        if member is not None and report.round <= member.report.round:
            last = member.report.round
            raise ValueError(f"report of {network}: round {report.round} is not after {last}, the last one")
        if member is None or _needs(report) != _needs(member.report):
            others = [other.report for name, other in self.members.items() if name != network]
            self.safeguards.check_room(report, others)
        own = report.copy()
        guards.check_outputs(own, float(self.coordinator.probes.abs().max()))
        self.members.take(own, self.rounds)

    def codes_of(self, networks: Sequence[str]) -> Tensor:
        """The latent codes of members, by group. `[len(networks), Q, Z]`"""
        place = {name: number for number, name in enumerate(self.members)}
        return self._by_group(self.members.codes[[place[name] for name in networks]])

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes, as arrays by name; the coordinator has a file of its own."""
        return self.members.state_dict() | {"rounds": np.array(self.rounds)}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues where a service of the same coordinator and safeguards was, to the same residuals.

        Raises:
            ValueError: no state of a service, or one of codes of another scope.
        """
        if "rounds" not in state:
            raise ValueError("state of a service: rounds is missing")
        rounds = np.asarray(state["rounds"]).tolist()
        if not isinstance(rounds, int) or rounds < 0:
            raise ValueError(f"state of a service: rounds is {rounds!r}; allowed is a whole number from 0")
        members = ServiceMembers(self.coordinator.design.codes_per_network, 0)
        members.load_state_dict(state)
        for member in members.values():
            self.safeguards.check_schema(member.report, self.coordinator.layout)
        self.members, self.rounds = members, rounds

    @torch.no_grad()
    def _residuals(self, waiting: list[str], now_s: float) -> list[Residual]:
        """Answers members: the round of `agents.ccs.round` with weights, scales and several architectures."""
        members, clip = self.members, self.safeguards.clip
        place = {name: number for number, name in enumerate(members)}
        asked = torch.tensor([place[name] for name in waiting])
        logits, kinds = self._logits(), members.kinds
        behaviour = self.coordinator.layout.marginals(logits.softmax(-1))
        for name, row in zip(waiting, asked.tolist()):
            members[name].judge(behaviour[row], self.safeguards.jump)
            members[name].answered = members[name].report.round
        fresh = guards.staleness_scale(now_s - members.time_s, self.safeguards.staleness_s).float()
        view = self._view(logits, kinds, fresh)
        scale = fresh * self._congestion(view)
        message = self.coordinator(view)[0] * scale[:, None, None]
        deltas: dict[int, Tensor] = {}
        for sizes, rows in members.by_sizes(asked).items():
            parameters = members.parameters(rows)
            residuals = residuals_of(self.coordinator, message[rows], parameters, kinds[rows], sizes, clip)
            deltas |= dict(zip(rows.tolist(), residuals))
        return [
            Residual(name, self.rounds, members[name].report.round, deltas[row].numpy())
            for name, row in zip(waiting, asked.tolist())
        ]

    def _logits(self) -> Tensor:
        """Logits of all members on the probes. `[S, n, A]`"""
        members, probes, kinds = self.members, self.coordinator.probes, self.members.kinds
        logits = torch.empty(len(members), len(probes), self.coordinator.layout.actions)
        for sizes, rows in members.by_sizes(torch.arange(len(members))).items():
            logits[rows] = logits_on_probes(probes, members.parameters(rows), kinds[rows], sizes)
        return logits

    def _view(self, logits: Tensor, kinds: Tensor, fresh: Tensor) -> View:
        """The view of all members; `fresh`: how much they count for their age `[S]`."""
        members, pooling = self.members, self.safeguards.pooling
        capped = guards.operator_scale(members.operators, self.safeguards.operator_cap)
        weights = fresh * members.trusts * capped
        by_group = self._by_group(members.codes)
        raw = self.coordinator.design.mapping == "raw"
        parameters = members.parameters(torch.arange(len(members)))[None] if raw else None
        return View(logits[None], kinds[None], members.kpis[None], by_group[None], weights[None], parameters, pooling)

    def _by_group(self, codes: Tensor) -> Tensor:
        """Codes by group `[S, Q, Z]` of those that networks have `[S, codes of a network, Z]`."""
        return codes.expand(-1, self.coordinator.layout.groups, -1)

    def _congestion(self, view: View) -> Tensor:
        """How much of its residual each member gets for the PRR that is reported. `[S]`"""
        thresholds = self.safeguards.congestion
        if thresholds is None:
            return torch.ones(len(self.members))
        return guards.congestion_scale(view.kpis[..., 0], view.weights, thresholds)[0]


def _needs(report: Report) -> tuple[int, str]:
    """What limits of all networks together depend on: how many parameters, of which operator."""
    return len(report.parameters), report.operator


def _newest(reports: Iterable[object]) -> tuple[list[Report], dict[str, str]]:
    """The report of each network with the greatest number, and why others are refused that are no reports.

    Reports are in the order of their names' first appearance; those refused have their type for a name.
    """
    newest: dict[str, Report] = {}
    refused: dict[str, str] = {}
    for report in reports:
        if not isinstance(report, Report):
            refused[type(report).__name__] = f"a {type(report).__name__} is no report"
        elif report.network not in newest or report.round > newest[report.network].round:
            newest[report.network] = report
    return list(newest.values()), refused
