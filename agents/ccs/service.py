"""The coordination service online: reports in, residuals out, on its own clock; letters in `agents.ccs.layout`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs import safeguards as guards
from agents.ccs.coordinator import Coordinator
from agents.ccs.members import Members
from agents.ccs.protocol import Report, Residual
from agents.ccs.round import logits_on, residuals
from agents.ccs.safeguards import Safeguards
from agents.ccs.view import View
from agents.lns.network import Schema

LARGEST = 1e17
"""Of what a policy may give for a probe: squares of it can still be summed in single precision."""


class Round(NamedTuple):
    """What comes of a round.

    Attributes:
        residuals: For every network that has reported since it was answered last, in the order in which they joined.
        refused: Why a report was not accepted, by network.
    """

    residuals: list[Residual]
    refused: dict[str, str]


class Service:
    """Coordinates whoever reports; other networks that it knows of count with their latest report.

    A snapshot that somebody already sent in an earlier round counts for nobody; so does, until it has learnt
    something, a network that joins later with the same product's default. Names and operators are what reports say:
    whoever serves rounds over a network has to authenticate both, or a report in another's name takes its place, and
    one that names another as its operator shares its weight.

    Args:
        coordinator: Trained; not changed.
        seed: Of the assignment of latent codes.
        safeguards: How careful.

    Attributes:
        members: Networks by name.
        rounds: How many there were.

    Source: paper 000, Algorithm 1.
    """

    def __init__(self, coordinator: Coordinator, seed: int, safeguards: Safeguards | None = None) -> None:
        self.coordinator, self.safeguards = coordinator, safeguards or Safeguards()
        self.members = Members(coordinator.design.codes_per_network, seed)
        self.rounds = 0

    def round(self, reports: Iterable[Report], now_s: float) -> Round:
        """One round: takes in reports, the newest of each network, and answers them and those of `receive`."""
        refused: dict[str, str] = {}
        for report in _newest(reports):
            try:
                self.receive(report, now_s)
            except ValueError as error:
                refused[report.network] = str(error)
        self.members.forget(now_s - self.safeguards.max_age_s, now_s)
        waiting = [name for name, member in self.members.items() if member.report.round > member.answered]
        found = self._residuals(waiting, now_s) if waiting else []
        self.rounds += 1
        return Round(found, refused)

    def receive(self, report: Report, now_s: float) -> None:
        """Takes in a report between rounds, which the next one answers.

        Raises:
            ValueError: of another layout, too large, too old, from the future, not newer than the last one, or of a
                policy whose outputs could grow beyond what can be computed with.
        """
        self._check_schema(report)
        careful, age_s = self.safeguards, now_s - report.time_s
        if not -careful.clock_s <= age_s <= careful.max_age_s:
            limits = f"from {-careful.clock_s:g} to {careful.max_age_s:g} s"
            raise ValueError(f"report of {report.network}: its age is {age_s:g} s; expected {limits}")
        known = self.members.get(report.network)
        if known is not None and report.round <= known.report.round:
            last = known.report.round
            raise ValueError(f"report of {report.network}: round {report.round} is not after {last}, the last one")
        self._check_reach(report)
        self.members.take(report, self.rounds)

    def _check_schema(self, report: Report) -> None:
        layout, careful, sizes = self.coordinator.layout, self.safeguards, report.schema.sizes
        if (sizes[0], sizes[-1]) != (layout.features, layout.actions):
            expected = f"{layout.features} features and {layout.actions} actions"
            raise ValueError(f"report of {report.network}: sizes {sizes} do not have {expected}")
        if report.schema.size > careful.max_parameters:
            raise ValueError(
                f"report of {report.network}: {report.schema.size} parameters; at most {careful.max_parameters}"
            )
        if self.coordinator.design.mapping == "raw" and report.schema.size != Schema().size:
            raise ValueError(f"report of {report.network}: sizes {sizes}; raw weights are of {Schema().sizes} alone")

    def _check_reach(self, report: Report) -> None:
        """Raise ValueError where what a round computes of a report might overflow, and with it everybody's round."""
        largest, reach = float(np.abs(report.parameters).max()), float(self.coordinator.probes.abs().max())
        for inputs in report.schema.sizes[:-1]:
            reach *= max(1.0, largest * (inputs + 1))
        if reach > LARGEST:
            limit = f"outputs of up to {reach:.1e}; at most {LARGEST:g}"
            raise ValueError(f"report of {report.network}: parameters of up to {largest:g} allow {limit}")

    def codes_of(self, networks: Sequence[str]) -> Tensor:
        """The latent codes of members, by group `[len(networks), Q, Z]`."""
        place = {name: number for number, name in enumerate(self.members)}
        return self._by_group(self.members.codes[[place[name] for name in networks]])

    def state_dict(self) -> dict[str, NDArray]:
        """All that changes, as arrays for a file; the coordinator is a file of its own."""
        return self.members.state_dict() | {"rounds": np.array(self.rounds)}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Goes on where a service of the same coordinator and safeguards was, to the same residuals.

        Raises:
            ValueError: no state of a service, or one of codes of another scope.
        """
        if "rounds" not in state:
            raise ValueError("state of a service: rounds is missing")
        self.members.load_state_dict(state)
        self.rounds = int(state["rounds"])

    @torch.no_grad()
    def _residuals(self, waiting: list[str], now_s: float) -> list[Residual]:
        members = self.members
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
        found: dict[int, Tensor] = {}
        for sizes, rows in members.by_sizes(asked).items():
            parameters, clip = members.parameters(rows), self.safeguards.clip
            own = residuals(self.coordinator, message[rows], parameters, kinds[rows], sizes, clip)
            found |= dict(zip(rows.tolist(), own))
        deltas = (found[row].numpy() for row in asked.tolist())
        return [Residual(name, self.rounds, members[name].report.round, delta) for name, delta in zip(waiting, deltas)]

    def _logits(self) -> Tensor:
        """Of all members on the probes `[S, n, A]`."""
        members, probes, kinds = self.members, self.coordinator.probes, self.members.kinds
        logits = torch.empty(len(members), len(probes), self.coordinator.layout.actions)
        for sizes, rows in members.by_sizes(torch.arange(len(members))).items():
            logits[rows] = logits_on(probes, members.parameters(rows), kinds[rows], sizes)
        return logits

    def _view(self, logits: Tensor, kinds: Tensor, fresh: Tensor) -> View:
        members, pooling = self.members, self.safeguards.pooling
        capped = guards.operator_scale(members.operators, self.safeguards.operator_cap)
        weights = fresh * members.trusts * capped
        of_groups = self._by_group(members.codes)
        raw = self.coordinator.design.mapping == "raw"
        parameters = members.parameters(torch.arange(len(members)))[None] if raw else None
        return View(logits[None], kinds[None], members.kpis[None], of_groups[None], weights[None], parameters, pooling)

    def _by_group(self, codes: Tensor) -> Tensor:
        """Codes `[S, Q, Z]` of those that networks have `[S, codes of a network, Z]`."""
        return codes.expand(-1, self.coordinator.layout.groups, -1)

    def _congestion(self, view: View) -> Tensor:
        thresholds = self.safeguards.congestion
        if thresholds is None:
            return torch.ones(len(self.members))
        return guards.congestion_scale(view.kpis[..., 0], view.weights, thresholds)[0]


def _newest(reports: Iterable[Report]) -> list[Report]:
    """Of each network the report with the greatest number, in the order of their names' first appearance."""
    found: dict[str, Report] = {}
    for report in reports:
        if report.network not in found or report.round > found[report.network].round:
            found[report.network] = report
    return list(found.values())
