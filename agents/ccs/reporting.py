"""What servers tell the service in place of the truth: blurred, smaller, later, or false.

Shape letters: `B` replicas, `L` learning networks, `P` parameters of a network, `H, A` of a last layer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, ValidationError

from agents.ccs.attacks import Attacker
from agents.ccs.privacy import GaussianMechanism
from agents.ccs.protocol import Report
from agents.lns.team import Team
from lora_marl.config.errors import problems
from lora_marl.config.section import Section
from lora_marl.core.generators import pack_generators, restore_generators

Told = list[list[Report]]
"""Reports of every replica."""

AttackName = Literal[
    "random", "random_10", "random_100", "copy", "mean", "zeros", "kpi_worst", "kpi_best", "kpi_absurd", "sybils",
    "sybils_hidden", "sybils_lying", "sybil_copies", "free_rider", "drift", "optimised",
]  # fmt: skip


class Privacy(Section):
    """What is promised of all reports of a run together; see `agents.ccs.privacy.GaussianMechanism`.

    Attributes:
        epsilon: Infinite: snapshots are clipped, without noise.
        delta: Likewise of all together.
        clip: Norm to which what was learnt is clipped. In four hours it reaches 0.1 to 1, and matters little for who
            goes where: a small norm costs little and needs little noise.
    """

    epsilon: PositiveFloat
    delta: float = Field(default=1e-5, gt=0.0, lt=1.0)
    clip: PositiveFloat = 0.001


class Reporting(Section):
    """How what is true becomes what is told.

    Attributes:
        privacy: None: nothing is promised.
        noise: Deviation of noise on every parameter, relative to their root mean square; it promises nothing.
        attack: Of the first network: one of `agents.ccs.attacks.ATTACKS`, or `optimised`; None: all are honest.
        encoding: See `agents.ccs.protocol.packed`.
        share: Likewise.
        delay_rounds: How many rounds reports take to arrive.
    """

    privacy: Privacy | None = None
    noise: NonNegativeFloat = 0.0
    attack: AttackName | None = None
    encoding: Literal["float32", "float16", "int8", "top"] = "float32"
    share: float = Field(default=0.5, gt=0.0, le=1.0)
    delay_rounds: NonNegativeInt = 0


def reporting(given: Mapping[str, Any]) -> Reporting:
    """Of fields by name. ValueError: an unknown one, or a value outside its range, naming it."""
    try:
        return Reporting.model_validate(given)
    except ValidationError as error:
        raise ValueError("; ".join(problems(error, Reporting, "parameters"))) from None


class Reporter:
    """Makes what is told, round by round, of what is true; attackers know what the others tell.

    What privacy hides is what networks learnt by themselves since their vendor's default, from which residuals in
    force are told apart: they are sums of the service's own answers, which follow from what was told. Summaries of how
    networks fare stay as they are.

    Args:
        options: How.
        team: The servers.
        seeds: One per replica, of noise.
        reports: How many a network sends at most, which is what privacy is shared among.
        attackers: Of every replica; None: all are honest.
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
        self._underway: deque[Told] = deque(maxlen=options.delay_rounds + 1)
        private = options.privacy
        self._mechanism = None if private is None else GaussianMechanism(**private.fields(), reports=reports)

    def __call__(self, kpis: NDArray[np.float32], given: NDArray[np.float32], number: int, now_s: float) -> Told:
        """What arrives in a round; nothing before the first reports can.

        Args:
            kpis: How networks fare. `[B, L, 4]`
            given: Sums of the residuals in force. `[B, L, H, A]`
            number: Of the reports, growing.
            now_s: When they are made.
        """
        told = self._truth(kpis, given, number, now_s)
        if self._attackers is not None:
            told = [attacker(own) for attacker, own in zip(self._attackers, told, strict=True)]
        if self._options.encoding != "float32":
            told = [[self._received(each) for each in own] for own in told]
        self._underway.append(told)
        return self._underway[0] if len(self._underway) > self._options.delay_rounds else [[] for _ in told]

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes, as plain arrays by name: generators, reports underway, what attackers do."""
        underway = list(self._underway)[-self._options.delay_rounds :] if self._options.delay_rounds else []
        state = {"noise": pack_generators(self._noise)}
        state["underway"] = np.array([[len(reports) for reports in replicas] for replicas in underway], np.int64)
        for late, replicas in enumerate(underway):
            for replica, reports in enumerate(replicas):
                for number, report in enumerate(reports):
                    name = f"underway.{late}.{replica}.{number}"
                    state[name] = np.frombuffer(report.to_bytes(), np.uint8).copy()
        for replica, attacker in enumerate(self._attackers or ()):
            state |= {f"attacker.{replica}.{name}": array for name, array in attacker.state_dict().items()}
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        restore_generators(self._noise, state["noise"])
        self._underway.clear()
        for late, counts in enumerate(state["underway"].tolist()):
            names = [[f"underway.{late}.{b}.{number}" for number in range(count)] for b, count in enumerate(counts)]
            self._underway.append([[Report.from_bytes(state[name].tobytes()) for name in part] for part in names])
        for replica, attacker in enumerate(self._attackers or ()):
            start = f"attacker.{replica}."
            part = {name.removeprefix(start): array for name, array in state.items() if name.startswith(start)}
            attacker.load_state_dict(part)

    def _truth(self, kpis: NDArray[np.float32], given: NDArray[np.float32], number: int, now_s: float) -> Told:
        """What honest networks tell: the truth, blurred as far as they wish."""
        found: list[dict[int, Report]] = [{} for _ in kpis]
        for servers, places in self._team.learners():
            own = servers.parameters()
            for replica, noise in enumerate(self._noise):
                for at, place in enumerate(places):
                    public = with_residual(servers.vendors[at].parameters.numpy(), given[replica, place])
                    told = self._blurred(own[replica, at], public, noise)
                    found[replica][place] = Report(
                        str(place), number, now_s, servers.schema, told, kpis[replica, place]
                    )
        return [[by_place[place] for place in sorted(by_place)] for by_place in found]

    def _blurred(
        self, parameters: NDArray[np.float32], public: NDArray[np.float32], noise: np.random.Generator
    ) -> NDArray[np.float32]:
        if self._mechanism is not None:
            parameters = self._mechanism(parameters, public, noise)
        if self._options.noise:
            deviation = self._options.noise * np.sqrt(np.square(parameters).mean())
            parameters = parameters + deviation * noise.standard_normal(parameters.shape, np.float32)
        return parameters

    def _received(self, report: Report) -> Report:
        return Report.from_bytes(report.to_bytes(self._options.encoding, self._options.share))


def with_residual(parameters: NDArray[np.float32], residual: NDArray[np.float32]) -> NDArray[np.float32]:
    """Parameters `[P]`, whose last ones are the last layer, with a residual `[H, A]` added to it."""
    found = parameters.copy()
    found[-residual.size :] += residual.ravel()
    return found
