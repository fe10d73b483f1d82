"""Learners by name: `make("cucb", scenario, seeds=[0, 1, 2], eta=1.8)`, or by import path `"pkg.mod:Cls"`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lora_marl.core.checks import suggest

if TYPE_CHECKING:
    from agents.learner import Learner
    from lora_marl.core.scenario import Scenario

LEARNERS: dict[str, str] = {
    "random": "agents.rules.fixed:Random",
    "reference-pdr": "agents.planners.reference:ReferencePdr",
    "reference-ee": "agents.planners.reference:ReferenceEe",
    "static-sf7": "agents.rules.fixed:StaticSF7",
    "round-robin": "agents.rules.fixed:RoundRobin",
    "min-sf": "agents.rules.load_balance:MinSF",
    "load-br": "agents.rules.load_balance:LoadBestResponse",
    "load-sorted": "agents.rules.load_balance:LoadSorted",
    "tolio": "agents.rules.load_balance:Tolio",
    "adr": "agents.rules.adr:ADR",
    "adr-ideal": "agents.rules.adr:AdrIdeal",
    "adr-server": "agents.rules.adr_server:AdrServer",
    "norel": "agents.norel.norel:NoReL",
    "dylora": "agents.rules.dylora:DyLoRa",
    "norel-frugal": "agents.norel.frugal:FrugalNoReL",
    "rs-lora": "agents.rules.rs_lora:RSLoRa",
    "distance-quantile": "agents.rules.fixed:DistanceQuantile",
    "ucb1": "agents.bandits.cucb:UCB1",
    "cucb": "agents.bandits.cucb:CUCB",
    "discounted-cucb": "agents.bandits.nonstationary:DiscountedCUCB",
    "window-cucb": "agents.bandits.nonstationary:WindowCUCB",
    "restarting-cucb": "agents.bandits.nonstationary:RestartingCUCB",
    "caasi": "agents.dlora.caasi:Caasi",
    "cd-lora": "agents.dlora.caasi:CDLoRa",
    "mix-mab": "agents.bandits.mix_mab:MixMAB",
    "epsilon-greedy": "agents.bandits.exploration:EpsilonGreedy",
    "thompson": "agents.bandits.exploration:Thompson",
    "rcst": "agents.planners.learners:Rcst",
    "distance-sf": "agents.planners.learners:DistanceSF",
    "matching": "agents.planners.learners:Matching",
    "adr-mean": "agents.planners.learners:AdrMean",
    "adr-max": "agents.planners.learners:AdrMax",
    "ef-lora": "agents.planners.learners:EFLoRa",
    "independent": "agents.planners.learners:Independent",
    "table-bandit": "agents.planners.learners:TableBandit",
    "energy-ascent": "agents.planners.learners:EnergyAscent",
    "conference-cucb": "agents.dlora.conference:ConferenceCUCB",
}
"""Import path of every learner; resolved when used, so that a learner's libraries load only with it."""


def make(learner: str, scenario: Scenario, seeds: Sequence[int], **parameters: Any) -> Learner:
    """A learner for all nodes of `len(seeds)` replicas of a scenario.

    Args:
        learner: A name of `LEARNERS`, or the import path of a class, `"pkg.mod:Cls"`.
        scenario: The network.
        seeds: One per replica.
        **parameters: Of the learner's constructor.

    Raises:
        ValueError: an unknown learner or parameter, naming the nearest one; or a parameter outside its range.
    """
    cls = learner_class(learner)
    known = parameters_of(cls)
    for name in parameters:
        if name not in known:
            raise ValueError(f"learner {learner} has no parameter {name!r}{suggest(name, known)}")
    return cls(scenario, seeds, **parameters)


def learner_class(learner: str) -> type[Learner]:
    """The class of a learner by name or import path.

    Raises:
        ValueError: an unknown name, naming the nearest one, or an import path that leads nowhere.
    """
    if learner == "maac":
        raise ValueError(
            "learner 'maac' learns on the closed form: it needs a run with a section energy (mmalora.yaml)"
        )
    if learner not in LEARNERS and ":" not in learner:
        hint = "; an import path is 'module:Class'" if "." in learner else suggest(learner, LEARNERS)
        raise ValueError(f"unknown learner {learner!r}{hint}")
    module, _, name = LEARNERS.get(learner, learner).partition(":")
    try:
        cls: type[Learner] = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"learner {learner!r} cannot be imported: {error}") from error
    from agents.learner import Learner  # only where a learner is made: names alone are quick to list

    if learner not in LEARNERS and not (isinstance(cls, type) and issubclass(cls, Learner)):
        raise ValueError(f"learner {learner!r} is no subclass of agents.learner.Learner")
    return cls


def parameters_of(cls: type[Learner]) -> dict[str, Any]:
    """The parameters of a learner and their defaults, scenario and seeds aside.

    A constructor that hands `**parameters` on has those of the class that it inherits from, too.
    """
    found: dict[str, Any] = {}
    for kind in cls.__mro__:
        own = list(inspect.signature(kind).parameters.values())[2:]
        found = {each.name: each.default for each in own if each.kind is not each.VAR_KEYWORD} | found
        if not _takes_any(kind):
            break
    return found


def _takes_any(cls: type[Learner]) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(cls).parameters.values())
