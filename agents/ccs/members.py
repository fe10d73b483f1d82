"""The networks that the coordination service knows: their latest reports, codes, trust, and their state as arrays.

Letters in `agents.ccs.layout`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs import safeguards as guards
from agents.ccs.layout import KINDS
from agents.ccs.protocol import MOST_ROUNDS, Report, within_ranges
from agents.ccs.ring import SHORTEST_TABLE, codes

JUMPS = 8
"""Changes of behaviour that are remembered of a network; their median is its usual one."""

MEMORY = 10.0
"""How long snapshots are remembered, in greatest ages of reports."""

ROUNDING = 1e-4
"""How far chances in single precision may be from adding up to 1."""

LARGEST_SHARE = 1.0 + ROUNDING
"""Of trust, and of changes of behaviour, which are rounded likewise."""

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
        digest = _digest(report)
        member = self.get(report.network)
        if member is None:
            member = self[report.network] = ServiceMember(report, self._free_numbers(), self._free_slots())
        if digest != member.digest:
            self._forget_superseded(member.digest, round)
            first, _ = self._seen.setdefault(digest, (round, report.time_s))
            member.digest, member.replayed = digest, first < round
        member.report = report

    def _forget_superseded(self, digest: bytes, round: int) -> None:
        """Drops a snapshot of this round that only one network sent: reports between rounds must not pile up."""
        first, _ = self._seen.get(digest, (-1, 0.0))
        if first == round and sum(member.digest == digest for member in self.values()) == 1:
            del self._seen[digest]

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
        return state | {"checksum": _checksum(state)}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned.

        Raises:
            ValueError: anything else.
        """
        try:
            members, seen, random = self._parse(state)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"state of a service: malformed or of another one ({error!r})") from None
        self.clear()
        self.update({member.report.network: member for member in members})
        self._seen, self._rng = seen, random

    def _parse(
        self, state: Mapping[str, NDArray]
    ) -> tuple[list[ServiceMember], dict[bytes, tuple[int, float]], np.random.Generator]:
        """The members, the snapshots that were seen, and the generator of a state."""
        if "checksum" in state and state["checksum"].tobytes() != _checksum(state).tobytes():
            raise ValueError("its checksum is wrong")
        about = json.loads(state["about"].tobytes())
        if about["codes_each"] != self.codes_per_network:
            raise ValueError(f"a network has {about['codes_each']} codes, not {self.codes_per_network}")
        members = [_member(state, place, values) for place, values in enumerate(about["members"])]
        if len({member.report.network for member in members}) < len(members):
            raise ValueError("a network is there twice")
        for name in ("numbers", "slots"):
            taken = [number for member in members for number in getattr(member, name)]
            if len(taken) != self.codes_per_network * len(members) or len(set(taken)) < len(taken):
                raise ValueError(f"{name} are not {self.codes_per_network} of each network, each given once")
        seen = {bytes.fromhex(digest): _seen(first) for digest, first in about["seen"].items()}
        if any(len(digest) != hashlib.sha256().digest_size for digest in seen):
            raise ValueError("seen names no digests")
        random = np.random.default_rng(0)  # its state follows
        random.bit_generator.state = about["random"]
        return members, seen, random

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


def _digest(report: Report) -> bytes:
    """Digest of the parameters in a report."""
    return hashlib.sha256(report.parameters.tobytes()).digest()


def _checksum(state: Mapping[str, NDArray]) -> NDArray[np.uint8]:
    """Digest of all arrays of the members' state, names and types included. uint8 `[32]`"""
    total = hashlib.sha256()
    for name, array in sorted(state.items()):
        if name == "about" or name.partition(".")[0].isdigit():
            total.update(f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return _array(total.digest())


def _seen(value: Any) -> tuple[int, float]:
    """In which round, and at what time, a snapshot was sent first."""
    first, time_s = value
    if not (_is_count(first) and isinstance(time_s, (int, float)) and math.isfinite(time_s)):
        raise ValueError(f"seen = {value!r}: expected a round and a time")
    return first, float(time_s)


def _is_count(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST_ROUNDS


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 <= value <= LARGEST_SHARE


def _member(state: Mapping[str, NDArray], place: int, values: Mapping[str, Any]) -> ServiceMember:
    """The member at a place of a state; `values`: what is in JSON."""
    report, digest = (state[f"{place}.{name}"].tobytes() for name in ("report", "digest"))
    behaviour = state.get(f"{place}.behaviour")
    member = ServiceMember(
        Report.from_bytes(report),
        digest=digest,
        behaviour=None if behaviour is None else torch.from_numpy(np.array(behaviour)),
        **values,
    )
    _check_member(member)
    return member


def _check_member(member: ServiceMember) -> None:
    """Raise ValueError for a member that no service can have."""
    holds = {
        "digest": member.digest == _digest(member.report),
        "numbers": isinstance(member.numbers, list) and all(map(_is_count, member.numbers)),
        "slots": isinstance(member.slots, list) and all(map(_is_count, member.slots)),
        "replayed": isinstance(member.replayed, bool),
        "jumps": isinstance(member.jumps, list) and len(member.jumps) <= JUMPS and all(map(_is_share, member.jumps)),
        "trust": _is_share(member.trust),
        "answered": _is_count(member.answered, least=-1) and member.answered <= member.report.round,
        "behaviour": member.behaviour is None or _is_behaviour(member.behaviour),
    }
    for name, holds_here in holds.items():
        if not holds_here:
            raise ValueError(f"{name} of {member.report.network!r} is none of a member")


def _is_behaviour(behaviour: Tensor) -> bool:
    """Whether rows are chances, which add up to 1. `[n, C]`"""
    if behaviour.dim() != 2 or behaviour.dtype != torch.float32:
        return False
    return bool(((behaviour.sum(-1) - 1.0).abs() <= ROUNDING).all() and (behaviour >= 0.0).all())
