"""Learners by name: `make("d-lora", scenario, seeds=[0, 1, 2], eta=1.8)`, or by import path, `"package.module:Class"`.

One name is one algorithm. The papers' names are accepted beside ours (`d-lora` is `cucb`), capitals and hyphens do not
matter (`MIX-MAB`, `MinSF`), and a name of an earlier version is answered with a DeprecationWarning.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lora_marl.core.checks import check_single, suggest, warn_renamed

if TYPE_CHECKING:
    from agents.learner import Learner
    from lora_marl.core.scenario import Scenario

LEARNERS: dict[str, str] = {
    "random": "agents.rules.fixed:Random",
    "reference-pdr": "agents.planners.best_assignment:ReferencePdr",
    "reference-ee": "agents.planners.best_assignment:ReferenceEe",
    "static-sf7": "agents.rules.fixed:StaticSF7",
    "round-robin": "agents.rules.fixed:RoundRobin",
    "min-sf": "agents.rules.load_balance:MinSF",
    "load-br": "agents.rules.load_balance:LoadBestResponse",
    "load-sorted": "agents.rules.load_balance:LoadSorted",
    "tolio": "agents.rules.load_balance:Tolio",
    "adr": "agents.rules.adr:ADR",
    "adr-ideal": "agents.rules.adr:AdrIdeal",
    "adr-server": "agents.rules.adr_server:AdrServer",
    "adr-chirpstack": "agents.rules.adr_chirpstack:AdrChirpStack",
    "adr-tts": "agents.rules.adr_tts:AdrTts",
    "adr-ns3": "agents.rules.adr_ns3:AdrNs3",
    "adr-semtech": "agents.rules.adr_semtech:AdrSemtech",
    "adr-lite": "agents.rules.adr_lite:AdrLite",
    "norel": "agents.norel.norel:NoReL",
    "dylora": "agents.rules.dylora:DyLoRa",
    "norel-frugal": "agents.norel.frugal:FrugalNoReL",
    "fadr": "agents.rules.fadr:FADR",
    "explora-sf": "agents.rules.explora:ExploraSF",
    "explora-at": "agents.rules.explora:ExploraAT",
    "rs-lora": "agents.rules.rs_lora:RSLoRa",
    "distance-quantile": "agents.rules.fixed:DistanceQuantile",
    "ucb1": "agents.bandits.cucb:UCB1",
    "cucb": "agents.bandits.cucb:CUCB",
    "discounted-cucb": "agents.bandits.nonstationary:DiscountedCUCB",
    "window-cucb": "agents.bandits.nonstationary:WindowCUCB",
    "restarting-cucb": "agents.bandits.nonstationary:RestartingCUCB",
    "priced-cucb": "agents.bandits.priced:PricedCUCB",
    "caasi": "agents.dlora.caasi:Caasi",
    "cd-lora": "agents.dlora.caasi:CDLoRa",
    "mix-mab": "agents.bandits.mix_mab:MixMAB",
    "exp3": "agents.bandits.exp3:Exp3",
    "exp3s": "agents.bandits.exp3:Exp3S",
    "epsilon-greedy": "agents.bandits.exploration:EpsilonGreedy",
    "thompson": "agents.bandits.exploration:Thompson",
    "twin": "agents.twin.learner:Twin",
    "rcst": "agents.planners.learners:Rcst",
    "distance-sf": "agents.planners.learners:DistanceSF",
    "matching": "agents.planners.learners:Matching",
    "adr-mean": "agents.planners.learners:AdrMean",
    "adr-max": "agents.planners.learners:AdrMax",
    "ef-lora": "agents.planners.learners:EFLoRa",
    "energy-independent": "agents.planners.learners:Independent",
    "table-bandit": "agents.planners.learners:TableBandit",
    "energy-ascent": "agents.planners.learners:EnergyAscent",
    "conference-cucb": "agents.dlora.conference:ConferenceCUCB",
}
"""Import path of every learner. It is imported when the learner is made, so that its libraries load only with it."""

PAPER_NAMES: dict[str, str] = {"d-lora": "cucb", "naive-mab": "ucb1", "mmalora": "maac", "lora-mab": "exp3"}
"""Names that papers give to learners, and ours."""

RENAMED: dict[str, str] = {"independent": "energy-independent"}
"""Names of earlier versions, and today's; accepted with a DeprecationWarning until 0.2.0."""

_ENERGY_LEARNER = "maac"
"""Learns on the closed form, so that it is no `Learner` of packets."""


def make(learner: str, scenario: Scenario, seeds: Sequence[int], **parameters: Any) -> Learner:
    """A learner for all nodes of `len(seeds)` replicas of a scenario.

    Args:
        learner: A name as in `learner_name`, or the import path of a class, `"package.module:Class"`.
        scenario: The network.
        seeds: One per replica.
        **parameters: Parameters of the learner's constructor.

    Returns:
        The learner, before its first decision.

    Raises:
        ValueError: an unknown learner or parameter, naming the nearest one; or a parameter outside its range.
    """
    cls = learner_class(learner)
    accepted, single = parameters_of(cls), _single_valued(cls)
    for name in parameters:
        if name not in accepted:
            raise ValueError(f"learner {learner} has no parameter {name!r}{suggest(name, accepted)}")
        if name in single:
            check_single(f"learner {learner}: {name}", parameters[name])
    return cls(scenario, seeds, **parameters)


def learner_name(learner: str) -> str:
    """The name of a learner in `LEARNERS`, from any spelling: a paper's name, capitals, missing hyphens, an old name.

    An import path, or a name that no learner has, comes back as it is.
    """
    spelling = _spelling(learner)
    if spelling in _OLD_SPELLINGS:
        name = _OLD_SPELLINGS[spelling]
        warn_renamed(f"learner {learner!r}", repr(name), stacklevel=4)
        return name
    return learner if ":" in learner else _SPELLINGS.get(spelling, learner)


def learner_class(learner: str) -> type[Learner]:
    """The class of a learner by name or import path.

    Raises:
        ValueError: an unknown name, naming the nearest one, or an import path that leads nowhere.
    """
    name = learner_name(learner)
    if name == _ENERGY_LEARNER:
        raise ValueError(
            f"learner {learner!r} learns on the closed form: it needs a run with a section energy (mmalora.yaml)"
        )
    if name not in LEARNERS and ":" not in name:
        hint = (
            "; an import path is 'module:Class'"
            if "." in name
            else suggest(name, [*LEARNERS, *PAPER_NAMES], same_start=True)
        )
        raise ValueError(f"unknown learner {learner!r}{hint}")
    module, _, attribute = LEARNERS.get(name, name).partition(":")
    try:
        cls: type[Learner] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"learner {learner!r} cannot be imported: {error}") from error
    from agents.learner import Learner  # only where a learner is made: names alone are quick to list

    if name not in LEARNERS and not (isinstance(cls, type) and issubclass(cls, Learner)):
        raise ValueError(f"learner {learner!r} is no subclass of agents.learner.Learner")
    return cls


def parameters_of(cls: type[Learner]) -> dict[str, Any]:
    """Parameters of a learner's constructor and their defaults, without scenario and seeds.

    A constructor that passes `**parameters` on also has those of the class that it inherits from.
    """
    return {name: parameter.default for name, parameter in _constructor(cls).items()}


def _constructor(cls: type[Learner]) -> dict[str, inspect.Parameter]:
    """The parameters of `parameters_of` by name."""
    accepted: dict[str, inspect.Parameter] = {}
    for ancestor in cls.__mro__:
        parameters = list(inspect.signature(ancestor).parameters.values())
        accepted = {p.name: p for p in parameters[2:] if p.kind is not p.VAR_KEYWORD} | accepted
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return accepted


def _single_valued(cls: type[Learner]) -> set[str]:
    """Names of the parameters that take one value for all nodes, by their annotation."""
    kinds = {name: getattr(p.annotation, "__name__", str(p.annotation)) for name, p in _constructor(cls).items()}
    return {name for name, kind in kinds.items() if kind.removesuffix(" | None") in ("bool", "int", "float", "str")}


def _spelling(name: str) -> str:
    """A name without capitals, hyphens, underscores and spaces."""
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


_SPELLINGS = {_spelling(name): name for name in (*LEARNERS, _ENERGY_LEARNER)} | {
    _spelling(paper): name for paper, name in PAPER_NAMES.items()
}
_OLD_SPELLINGS = {_spelling(old): name for old, name in RENAMED.items()}
