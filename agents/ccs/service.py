"""The coordination service online: reports in, residuals out, on its own clock; letters in `agents.ccs.layout`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs import safeguards as guards
from agents.ccs.layout import KINDS, View
from agents.ccs.model import Coordinator
from agents.ccs.protocol import Report, Residual, within_ranges
from agents.ccs.ring import codes
from agents.ccs.round import logits_on_probes, residuals_of
from agents.ccs.safeguards import Safeguards
from agents.lns.network import Schema

JUMPS = 8
"""Changes of behaviour that a network's usual one is the median of."""

MEMORY = 10.0
"""For how many times the greatest age of reports snapshots are remembered."""

_ARRAYS = ("report", "digest", "behaviour")


@dataclass
class ServiceMember:
    """A network.

    Attributes:
        report: The latest.
        numbers: Of the points of its latent codes, kept for its stay.
        slots: Of their places on the ring of channels, likewise.
        digest: Of its parameters.
        replayed: Whether the snapshot is one that somebody sent in an earlier round, other than the report before.
        behaviour: Chances of channels on the probes when it last reported. `[n, C]`
        jumps: The latest changes of behaviour.
        trust: From 0 to 1.
        answered: Number of the report that it was answered last; -1: none.
    """

    report: Report
    numbers: list[int]
    slots: list[int]
    digest: bytes = b""
    replayed: bool = False
    behaviour: Tensor | None = None
    jumps: list[float] = field(default_factory=list)
    trust: float = 1.0
    answered: int = -1

    def judge(self, behaviour: Tensor, allowed: float | None) -> None:
        """Renews trust by how much behaviour changed since the last report; None: all are trusted."""
        if allowed is not None and self.behaviour is not None:
            step = guards.jump(behaviour, self.behaviour)
            usual = torch.tensor(median(self.jumps) if self.jumps else 0.0)
            self.trust = float(guards.trust(step, usual, allowed))
            self.jumps = [*self.jumps, float(step)][-JUMPS:]
        self.behaviour = behaviour


class ServiceMembers(dict[str, ServiceMember]):
    """Networks by name.

    Args:
        codes_each: Latent codes of a network.
        seed: Of their assignment.
    """

    def __init__(self, codes_each: int, seed: int) -> None:
        super().__init__()
        self.codes_each = codes_each
        self._rng = np.random.default_rng(seed)
        self._seen: dict[bytes, tuple[int, float]] = {}

    def take(self, report: Report, round: int) -> None:
        """Takes in a report that was found good, in a round."""
        digest = hashlib.sha256(report.parameters.tobytes()).digest()
        member = self.get(report.network)
        if member is None:
            member = self[report.network] = ServiceMember(report, self._free_numbers(), self._free_slots())
        if digest != member.digest:
            first, _ = self._seen.setdefault(digest, (round, report.time_s))
            member.digest, member.replayed = digest, first < round
        member.report = report

    def forget(self, oldest_s: float, now_s: float) -> None:
        """Drops networks that have not reported since, and snapshots of long ago."""
        for name in [name for name, member in self.items() if member.report.time_s < oldest_s]:
            del self[name]
        long_ago_s = now_s - MEMORY * (now_s - oldest_s)
        self._seen = {digest: seen for digest, seen in self._seen.items() if seen[1] >= long_ago_s}

    def state_dict(self) -> dict[str, NDArray]:
        """Everything as arrays: `about` in JSON, and of the network at place i its `i.report` and `i.behaviour`."""
        seen = {digest.hex(): [round, time_s] for digest, (round, time_s) in self._seen.items()}
        about = {"codes_each": self.codes_each, "random": self._rng.bit_generator.state, "seen": seen}
        about["members"] = [
            {each.name: getattr(member, each.name) for each in fields(member) if each.name not in _ARRAYS}
            for member in self.values()
        ]
        found = {"about": _array(json.dumps(about).encode())}
        for place, member in enumerate(self.values()):
            found[f"{place}.report"], found[f"{place}.digest"] = _array(member.report.to_bytes()), _array(member.digest)
            if member.behaviour is not None:
                found[f"{place}.behaviour"] = member.behaviour.numpy()
        return found

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Takes over what `state_dict` gave. ValueError: anything else."""
        try:
            about = json.loads(state["about"].tobytes())
            if about["codes_each"] != self.codes_each:
                raise ValueError(f"a network has {about['codes_each']} codes, not {self.codes_each}")
            members = [_member(state, place, own) for place, own in enumerate(about["members"])]
            seen = {bytes.fromhex(digest): (round, time_s) for digest, (round, time_s) in about["seen"].items()}
            self._rng.bit_generator.state = about["random"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"state of a service: malformed or of another one ({error!r})") from None
        self.clear()
        self.update({member.report.network: member for member in members})
        self._seen = seen

    def _free_numbers(self) -> list[int]:
        """Random points that nobody has, of the shortest table that has enough."""
        taken = {number for member in self.values() for number in member.numbers}
        free = sorted(set(range(max(16, len(taken) + self.codes_each))) - taken)
        return [int(number) for number in self._rng.choice(free, self.codes_each, replace=False)]

    def _free_slots(self) -> list[int]:
        """The first ones that nobody has."""
        taken = {slot for member in self.values() for slot in member.slots}
        return sorted(set(range(len(taken) + self.codes_each)) - taken)[: self.codes_each]

    @property
    def kinds(self) -> Tensor:
        """Index in `KINDS` `[S]`."""
        return torch.tensor([KINDS.index(member.report.schema.kind) for member in self.values()])

    @property
    def kpis(self) -> Tensor:
        """Reports within their ranges `[S, 4]`."""
        return within_ranges(torch.from_numpy(np.stack([member.report.kpis for member in self.values()])))

    @property
    def time_s(self) -> Tensor:
        """Of the latest reports. float64 `[S]`"""
        return torch.tensor([member.report.time_s for member in self.values()], dtype=torch.float64)

    @property
    def codes(self) -> Tensor:
        """`[S, codes of a network, Z]`."""
        members = self.values()
        return codes(*(torch.tensor([getattr(member, name) for member in members]) for name in ("numbers", "slots")))

    @property
    def operators(self) -> Tensor:
        """Number of the operator `[S]`."""
        numbers: dict[str, int] = {}
        names = (member.report.operator or member.report.network for member in self.values())
        return torch.tensor([numbers.setdefault(name, len(numbers)) for name in names])

    @property
    def trusts(self) -> Tensor:
        """Of replayed snapshots 0 `[S]`."""
        return torch.tensor([0.0 if member.replayed else member.trust for member in self.values()])

    def parameters(self, index: Tensor) -> Tensor:
        """Of members of one schema `[len(index), P]`."""
        members = list(self.values())
        return torch.from_numpy(np.stack([members[number].report.parameters for number in index.tolist()]))

    def by_sizes(self, index: Tensor) -> dict[tuple[int, ...], Tensor]:
        """Which of the members in `index` have networks of which sizes."""
        members, found = list(self.values()), dict[tuple[int, ...], list[int]]()
        for number in index.tolist():
            found.setdefault(members[number].report.schema.sizes, []).append(number)
        return {sizes: torch.tensor(numbers) for sizes, numbers in found.items()}


def _array(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


def _member(state: Mapping[str, NDArray], place: int, about: Mapping[str, Any]) -> ServiceMember:
    report, digest = (state[f"{place}.{name}"].tobytes() for name in ("report", "digest"))
    behaviour = state.get(f"{place}.behaviour")
    return ServiceMember(
        Report.from_bytes(report),
        digest=digest,
        behaviour=None if behaviour is None else torch.from_numpy(np.array(behaviour)),
        **about,
    )


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

    Source: the CCS paper, Algorithm 1.
    """

    def __init__(self, coordinator: Coordinator, seed: int, safeguards: Safeguards | None = None) -> None:
        self.coordinator, self.safeguards = coordinator, safeguards or Safeguards()
        self.members = ServiceMembers(coordinator.design.codes_per_network, seed)
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
            own = residuals_of(self.coordinator, message[rows], parameters, kinds[rows], sizes, clip)
            found |= dict(zip(rows.tolist(), own))
        deltas = (found[row].numpy() for row in asked.tolist())
        return [Residual(name, self.rounds, members[name].report.round, delta) for name, delta in zip(waiting, deltas)]

    def _logits(self) -> Tensor:
        """Of all members on the probes `[S, n, A]`."""
        members, probes, kinds = self.members, self.coordinator.probes, self.members.kinds
        logits = torch.empty(len(members), len(probes), self.coordinator.layout.actions)
        for sizes, rows in members.by_sizes(torch.arange(len(members))).items():
            logits[rows] = logits_on_probes(probes, members.parameters(rows), kinds[rows], sizes)
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
