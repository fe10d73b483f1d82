"""Networks that the service knows: what they reported, their latent codes, and how far they are trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs import safeguards as guards
from agents.ccs.protocol import Report, within_ranges
from agents.ccs.ring import codes
from agents.ccs.view import KINDS

JUMPS = 8
"""Changes of behaviour that a network's usual one is the median of."""

MEMORY = 10.0
"""For how many times the greatest age of reports snapshots are remembered."""

_ARRAYS = ("report", "digest", "behaviour")


@dataclass
class Member:
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


class Members(dict[str, Member]):
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
            member = self[report.network] = Member(report, self._free_numbers(), self._free_slots())
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


def _member(state: Mapping[str, NDArray], place: int, about: Mapping[str, Any]) -> Member:
    report, digest = (state[f"{place}.{name}"].tobytes() for name in ("report", "digest"))
    behaviour = state.get(f"{place}.behaviour")
    return Member(
        Report.from_bytes(report),
        digest=digest,
        behaviour=None if behaviour is None else torch.from_numpy(np.array(behaviour)),
        **about,
    )
