"""The reports of servers: the truth, or reports that are noised, compressed, delayed or adversarial.

The fields of a report are those of `agents.ccs.protocol.Report`.

Shape letters: `B` replicas, `L` learning networks, `P` parameters of a network, `H, A` of a last layer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.ccs.attacks import ATTACKS, Attacker
from agents.ccs.privacy import GaussianMechanism
from agents.ccs.protocol import ENCODINGS, Report
from agents.lns.network import Schema, last_layer_of
from agents.lns.team import Team
from lora_marl.core.checks import suggest
from lora_marl.core.generators import pack_generators, restore_generators
from lora_marl.core.states import part_of, with_prefix

ABOVE_0, AT_LEAST_0 = "greater than 0", "greater than or equal to 0"
BELOW_1, AT_MOST_1 = "less than 1", "less than or equal to 1"
WHOLE = "a whole number"

RANGES = {
    ABOVE_0: lambda value: value > 0.0,
    AT_LEAST_0: lambda value: value >= 0.0,
    BELOW_1: lambda value: value < 1.0,
    AT_MOST_1: lambda value: value <= 1.0,
    WHOLE: float.is_integer,
}
"""Whether a number is within a range, by what the range is called in errors."""

Record = TypeVar("Record", "Privacy", "Reporting")


class OptionsError(ValueError):
    """Options that are wrong, all of them in one message.

    Args:
        problems: One text for each: its name, its value and what is allowed.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True)
class Privacy:
    """The differential privacy of all reports of a run together; see `agents.ccs.privacy.GaussianMechanism`.

    Attributes:
        epsilon: Infinite: snapshots are clipped, but get no noise.
        delta: Within 0 and 1.
        clip: Norm to which what was learned is clipped. Within four hours that norm reaches 0.1 to 1, but matters
            little for which channels a network takes: a small clip costs little and needs little noise.

    Raises:
        OptionsError: values outside their ranges, naming all of them.
    """

    epsilon: float
    delta: float = 1e-5
    clip: float = 0.001

    def __post_init__(self) -> None:
        _check_ranges(self, epsilon=(ABOVE_0,), delta=(ABOVE_0, BELOW_1), clip=(ABOVE_0,))


@dataclass(frozen=True)
class Reporting:
    """How reports differ from the truth.

    Attributes:
        privacy: None: no privacy is promised.
        noise: Standard deviation of noise on every parameter, relative to their root mean square; no formal privacy.
        attack: What the first network does, a key of `agents.ccs.attacks.ATTACKS` or `optimised`; None: all
            networks are honest.
        encoding: How parameters are compressed; see `agents.ccs.protocol.packed`.
        share: Share of the parameters that the encoding `top` keeps.
        delay_rounds: Rounds until a report arrives, a whole number.

    Raises:
        OptionsError: values outside their ranges, naming all of them.
    """

    privacy: Privacy | None = None
    noise: float = 0.0
    attack: str | None = None
    encoding: str = "float32"
    share: float = 0.5
    delay_rounds: int = 0

    def __post_init__(self) -> None:
        allowed = {"attack": (*ATTACKS, "optimised", None), "encoding": ENCODINGS}
        _check_ranges(self, allowed, noise=(AT_LEAST_0,), share=(ABOVE_0, AT_MOST_1), delay_rounds=(AT_LEAST_0, WHOLE))
        object.__setattr__(self, "delay_rounds", int(self.delay_rounds))


def _check_ranges(
    record: Privacy | Reporting, allowed: Mapping[str, Sequence[str | None]] | None = None, /, **ranges: Sequence[str]
) -> None:
    """Raise OptionsError unless numbers are within their ranges, and other fields among the values `allowed`."""
    problems = []
    for name, keys in ranges.items():
        value = getattr(record, name)
        if isinstance(value, bool) or not isinstance(value, Real):
            problems.append(f"{name}: {value!r} is not a number")
            continue
        problems += [f"{name}: {value!r} is not {key}" for key in keys if not RANGES[key](float(value))][:1]
    for name, values in (allowed or {}).items():
        if getattr(record, name) not in values:
            *first, last = map(repr, values)
            problems.append(f"{name}: {getattr(record, name)!r} is not {', '.join(first)} or {last}")
    if problems:
        raise OptionsError(problems)


def reporting(options: Mapping[str, Any]) -> Reporting:
    """Returns the reporting that options by name describe, `privacy` as a mapping.

    Raises:
        OptionsError: unknown names, or values outside their ranges, naming all of them.
    """
    values, problems = dict(options), list[str]()
    privacy = values.pop("privacy", None)
    if isinstance(privacy, Mapping):
        privacy, wrong = _record(Privacy, privacy)
        problems += [f"privacy.{problem}" for problem in wrong]
    elif privacy is not None:
        problems.append(f"privacy: {privacy!r} is not a mapping of epsilon, delta and clip")
    record, wrong = _record(Reporting, values)
    problems += wrong
    if record is None or problems:
        raise OptionsError(problems)
    return replace(record, privacy=privacy)


def _record(record: type[Record], values: Mapping[str, Any]) -> tuple[Record | None, Sequence[str]]:
    """Returns a record of values by name, and what is wrong with them; None if anything is."""
    required = {field.name: field.default is MISSING for field in fields(record)}
    problems = [f"{name}: unknown key{suggest(name, required)}" for name in values if name not in required]
    problems += [f"{name}: is missing" for name, needed in required.items() if needed and name not in values]
    if problems:
        return None, problems
    try:
        return record(**values), ()
    except OptionsError as error:
        return None, error.problems


class Reporter:
    """Makes the reports of every round from what is true; attackers see what the others report.

    Privacy hides what networks learned by themselves since their vendor's default. Residuals in force are not hidden:
    they are sums of the service's own answers, which follow from earlier reports. Summaries of how networks fare are
    sent as they are.

    Args:
        options: How reports differ from the truth.
        team: The servers.
        seeds: One per replica, for the noise. `[B]`
        reports: How many reports a network sends at most; privacy is shared among them.
        attackers: One per replica; None: all networks are honest.
    """

    def __init__(
        self,
        options: Reporting,
        team: Team,
        seeds: Sequence[int],
        reports: int,
        attackers: Sequence[Attacker] | None = None,
    ) -> None:
        self._options, self._team, self._attackers = options, team, attackers
        self._noise = [np.random.default_rng([seed, 1]) for seed in seeds]
        self._underway: deque[list[list[Report]]] = deque(maxlen=options.delay_rounds + 1)
        privacy = options.privacy
        self._mechanism = None if privacy is None else GaussianMechanism(**asdict(privacy), reports=reports)

    def __call__(
        self, kpis: NDArray[np.float32], residuals: NDArray[np.float32], number: int, now_s: float
    ) -> list[list[Report]]:
        """Returns the reports that arrive in a round, by replica: those made `delay_rounds` rounds ago.

        Args:
            kpis: How networks fare. `[B, L, 4]`
            residuals: Sums of the residuals in force. `[B, L, H, A]`
            number: Number of the reports, growing.
            now_s: When the reports are made. s
        """
        reports = self._honest(kpis, residuals, number, now_s)
        if self._attackers is not None:
            reports = [attacker(honest) for attacker, honest in zip(self._attackers, reports, strict=True)]
        if self._options.encoding != "float32":
            reports = [[self._transmitted(report) for report in replica] for replica in reports]
        self._underway.append(reports)
        return self._underway[0] if len(self._underway) > self._options.delay_rounds else [[] for _ in reports]

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes, as arrays by name: generators, reports underway, states of attackers."""
        underway = list(self._underway)[-self._options.delay_rounds :] if self._options.delay_rounds else []
        state = {"noise": pack_generators(self._noise)}
        state["underway"] = np.array([[len(reports) for reports in replicas] for replicas in underway], np.int64)
        for late, replicas in enumerate(underway):
            for replica, reports in enumerate(replicas):
                for number, report in enumerate(reports):
                    name = f"underway.{late}.{replica}.{number}"
                    state[name] = np.frombuffer(report.to_bytes(), np.uint8).copy()
        for replica, attacker in enumerate(self._attackers or ()):
            state |= with_prefix(f"attacker.{replica}", attacker.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        restore_generators(self._noise, state["noise"])
        self._underway.clear()
        for late, counts in enumerate(state["underway"].tolist()):
            names = [[f"underway.{late}.{b}.{number}" for number in range(count)] for b, count in enumerate(counts)]
            self._underway.append([[Report.from_bytes(state[name].tobytes()) for name in part] for part in names])
        for replica, attacker in enumerate(self._attackers or ()):
            attacker.load_state_dict(part_of(state, f"attacker.{replica}"))

    def _honest(
        self, kpis: NDArray[np.float32], residuals: NDArray[np.float32], number: int, now_s: float
    ) -> list[list[Report]]:
        """The reports of honest networks: the truth, noised as far as they wish."""
        by_replica: list[dict[int, Report]] = [{} for _ in kpis]
        for servers, places in self._team.learners:
            parameters = servers.parameters()
            for replica, noise in enumerate(self._noise):
                for at, place in enumerate(places):
                    default = servers.vendors[at].parameters.numpy()
                    public = add_residual(default, residuals[replica, place], servers.schema)
                    noised = self._noised(parameters[replica, at], public, noise)
                    by_replica[replica][place] = Report(
                        str(place), number, now_s, servers.schema, noised, kpis[replica, place]
                    )
        return [[reports[place] for place in sorted(reports)] for reports in by_replica]

    def _noised(
        self, parameters: NDArray[np.float32], public: NDArray[np.float32], noise: np.random.Generator
    ) -> NDArray[np.float32]:
        if self._mechanism is not None:
            parameters = self._mechanism(parameters, public, noise)
        if self._options.noise:
            deviation = self._options.noise * np.sqrt(np.square(parameters).mean())
            parameters = parameters + deviation * noise.standard_normal(parameters.shape, np.float32)
        return parameters

    def _transmitted(self, report: Report) -> Report:
        """The report as it arrives, after its encoding."""
        return Report.from_bytes(report.to_bytes(self._options.encoding, self._options.share))


def add_residual(parameters: NDArray[np.float32], residual: NDArray[np.float32], schema: Schema) -> NDArray[np.float32]:
    """Returns parameters `[P]` with a residual `[H, A]` added to their last layer."""
    changed = parameters.copy()
    last_layer_of(changed, schema)[...] += residual
    return changed
