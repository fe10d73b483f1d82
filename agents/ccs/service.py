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
from agents.ccs.ring import SHORTEST_TABLE, codes
from agents.ccs.round import logits_on_probes, residuals_of
from agents.ccs.safeguards import Safeguards
from agents.lns.network import Schema

JUMPS = 8
"""Changes of behaviour that are remembered of a network; their median is its usual one."""

MEMORY = 10.0
"""How long snapshots are remembered, in greatest ages of reports."""

_ARRAYS = ("report", "digest", "behaviour")
"""Fields of a member that its state holds as arrays, not in JSON."""


@dataclass
class ServiceMember:
    """A network that the service knows.

    Attributes:
        report: The latest report.
        numbers: Numbers of the points of its latent codes, which it keeps.
        slots: Slots of their places on the ring of channels, which it keeps.
        digest: Digest of the parameters in the report.
        replayed: Whether the snapshot is one that somebody sent in an earlier round, other than the report before.
        behaviour: Chances of channels on the probes at the time when it last reported. `[n, C]`
        jumps: The latest changes of behaviour.
        trust: Trust in its reports, from 0 to 1.
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
        """Updates trust by how much the behaviour changed since the last report.

        Args:
            behaviour: Chances of channels on the probes now. `[n, C]`
            allowed: Change beyond the usual one that costs no trust; None: all are trusted.
        """
        if allowed is not None and self.behaviour is not None:
            step = guards.jump(behaviour, self.behaviour)
            usual = torch.tensor(median(self.jumps) if self.jumps else 0.0)
            self.trust = float(guards.trust(step, usual, allowed))
            self.jumps = [*self.jumps, float(step)][-JUMPS:]
        self.behaviour = behaviour


class ServiceMembers(dict[str, ServiceMember]):
    """The networks that the service knows, by name, in the order in which they joined.

    Args:
        codes_per_network: Latent codes of a network.
        seed: Seed of their assignment.
    """

    def __init__(self, codes_per_network: int, seed: int) -> None:
        super().__init__()
        self.codes_per_network = codes_per_network
        self._rng = np.random.default_rng(seed)
        self._seen: dict[bytes, tuple[int, float]] = {}

    def take(self, report: Report, round: int) -> None:
        """Takes in a report that was accepted in a round."""
        digest = hashlib.sha256(report.parameters.tobytes()).digest()
        member = self.get(report.network)
        if member is None:
            member = self[report.network] = ServiceMember(report, self._free_numbers(), self._free_slots())
        if digest != member.digest:
            first, _ = self._seen.setdefault(digest, (round, report.time_s))
            member.digest, member.replayed = digest, first < round
        member.report = report

    def forget(self, oldest_s: float, now_s: float) -> None:
        """Drops networks that have not reported since `oldest_s`, and snapshots of long ago."""
        for name in [name for name, member in self.items() if member.report.time_s < oldest_s]:
            del self[name]
        forgotten_s = now_s - MEMORY * (now_s - oldest_s)
        self._seen = {digest: seen for digest, seen in self._seen.items() if seen[1] >= forgotten_s}

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes: `about` in JSON; for the network at place i `i.report` and `i.behaviour`."""
        seen = {digest.hex(): [round, time_s] for digest, (round, time_s) in self._seen.items()}
        about = {"codes_each": self.codes_per_network, "random": self._rng.bit_generator.state, "seen": seen}
        names = [field.name for field in fields(ServiceMember) if field.name not in _ARRAYS]
        about["members"] = [{name: getattr(member, name) for name in names} for member in self.values()]
        state = {"about": _array(json.dumps(about).encode())}
        for place, member in enumerate(self.values()):
            state[f"{place}.report"], state[f"{place}.digest"] = _array(member.report.to_bytes()), _array(member.digest)
            if member.behaviour is not None:
                state[f"{place}.behaviour"] = member.behaviour.numpy()
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned.

        Raises:
            ValueError: anything else.
        """
        try:
            about = json.loads(state["about"].tobytes())
            if about["codes_each"] != self.codes_per_network:
                raise ValueError(f"a network has {about['codes_each']} codes, not {self.codes_per_network}")
            members = [_member(state, place, values) for place, values in enumerate(about["members"])]
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
        free = sorted(set(range(max(SHORTEST_TABLE, len(taken) + self.codes_per_network))) - taken)
        return [int(number) for number in self._rng.choice(free, self.codes_per_network, replace=False)]

    def _free_slots(self) -> list[int]:
        """The first slots that nobody has."""
        taken = {slot for member in self.values() for slot in member.slots}
        return sorted(set(range(len(taken) + self.codes_per_network)) - taken)[: self.codes_per_network]

    @property
    def kinds(self) -> Tensor:
        """Index in `KINDS`. int64 `[S]`"""
        return torch.tensor([KINDS.index(member.report.schema.kind) for member in self.values()])

    @property
    def kpis(self) -> Tensor:
        """Summaries of the latest reports, within their ranges. `[S, 4]`"""
        return within_ranges(torch.from_numpy(np.stack([member.report.kpis for member in self.values()])))

    @property
    def time_s(self) -> Tensor:
        """Times of the latest reports. float64 `[S]`"""
        return torch.tensor([member.report.time_s for member in self.values()], dtype=torch.float64)

    @property
    def codes(self) -> Tensor:
        """Latent codes. `[S, codes of a network, Z]`"""
        members = self.values()
        return codes(*(torch.tensor([getattr(member, name) for member in members]) for name in ("numbers", "slots")))

    @property
    def operators(self) -> Tensor:
        """Number of the operator of each network. int64 `[S]`"""
        numbers: dict[str, int] = {}
        names = (member.report.operator or member.report.network for member in self.values())
        return torch.tensor([numbers.setdefault(name, len(numbers)) for name in names])

    @property
    def trusts(self) -> Tensor:
        """Trust in each network; 0 where the snapshot is replayed. `[S]`"""
        return torch.tensor([0.0 if member.replayed else member.trust for member in self.values()])

    def parameters(self, index: Tensor) -> Tensor:
        """Parameters of some members of one schema. `[len(index), P]`"""
        members = list(self.values())
        return torch.from_numpy(np.stack([members[number].report.parameters for number in index.tolist()]))

    def by_sizes(self, index: Tensor) -> dict[tuple[int, ...], Tensor]:
        """Splits the members in `index` by the sizes of their networks."""
        members, by_sizes = list(self.values()), dict[tuple[int, ...], list[int]]()
        for number in index.tolist():
            by_sizes.setdefault(members[number].report.schema.sizes, []).append(number)
        return {sizes: torch.tensor(numbers) for sizes, numbers in by_sizes.items()}


def _array(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


def _member(state: Mapping[str, NDArray], place: int, values: Mapping[str, Any]) -> ServiceMember:
    """The member at a place of a state; `values`: what is in JSON."""
    report, digest = (state[f"{place}.{name}"].tobytes() for name in ("report", "digest"))
    behaviour = state.get(f"{place}.behaviour")
    return ServiceMember(
        Report.from_bytes(report),
        digest=digest,
        behaviour=None if behaviour is None else torch.from_numpy(np.array(behaviour)),
        **values,
    )


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
        refused: dict[str, str] = {}
        for report in _newest(reports):
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
        """Takes in a report between rounds, which the next one answers.

        Raises:
            ValueError: of another layout, too large, too old, from the future, not newer than the last one, or of a
                policy whose outputs could grow beyond what can be computed with.
        """
        network, sizes = report.network, report.schema.sizes
        self.safeguards.check_schema(report, self.coordinator.layout)
        if self.coordinator.design.mapping == "raw" and report.schema.size != Schema().size:
            raise ValueError(f"report of {network}: sizes {sizes}; raw weights are of {Schema().sizes} alone")
        self.safeguards.check_age(report, now_s)
        member = self.members.get(network)
        if member is not None and report.round <= member.report.round:
            last = member.report.round
            raise ValueError(f"report of {network}: round {report.round} is not after {last}, the last one")
        guards.check_outputs(report, float(self.coordinator.probes.abs().max()))
        self.members.take(report, self.rounds)

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
        self.members.load_state_dict(state)
        self.rounds = int(state["rounds"])

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


def _newest(reports: Iterable[Report]) -> list[Report]:
    """The report of each network with the greatest number, in the order of their names' first appearance."""
    newest: dict[str, Report] = {}
    for report in reports:
        if report.network not in newest or report.round > newest[report.network].round:
            newest[report.network] = report
    return list(newest.values())
