"""What one sees in the table of a run, in words, and commands that go on from it; both are derived from the run."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

import agents
from lora_marl.config import PacketRun
from scripts.runs.packets.published_numbers import RESIMULATED_MARK, published
from scripts.runs.report import NAMES, Result, number

_WITHOUT_LEARNING = ("agents.rules.", "agents.planners.")
"""Modules of learners that do not learn from what their packets meet, ADR of servers included."""

_WHY = {
    "distance-quantile": "it knows the distances, never explores and always sends at the highest power",
    "static-sf7": "packets at SF7 are the shortest, so they cost least and collide least",
    "reference-pdr": "it is the best assignment that a planner with full knowledge found for delivery",
    "reference-ee": "it is the best assignment that a planner with full knowledge found for energy",
    "min-sf": "every node has the lowest spreading factor that reaches its gateway",
    "random": "choices at random load all channels and spreading factors alike",
}
"""Why a rule does well, by its name in `agents`."""

_PDR, _EE = "pdr", "ee_bits_per_mj"
_NEARLY = 0.9
"""Share of the best delivery from which a learner counts as delivering nearly as much."""
_WORTH_A_LOOK = ("priced-cucb", "cd-lora", "ucb1", "mix-mab")
"""Learners to compare with, the first that a run does not have."""


def reading(config: PacketRun, results: Sequence[Result]) -> list[str]:
    """Sentences on a table: who delivers most, who gets most out of energy, and why; none where one learner is alone.

    Args:
        config: The run.
        results: One per learner.
    """
    means = {
        metric: {r.learner: r.estimate(metric).mean for r in results if math.isfinite(r.estimate(metric).mean)}
        for metric in (_PDR, _EE)
    }
    if len(means[_PDR]) < 2 or len(means[_EE]) < 2:
        return []
    return [_on_delivery(config, means[_PDR]), _on_energy(config, means[_EE], means[_PDR])]


def _on_delivery(config: PacketRun, pdr: dict[str, float]) -> str:
    best = max(pdr, key=pdr.__getitem__)
    learning = [label for label in pdr if not _is_rule(config, label)]
    text = f"{best} delivers most packets, {100 * pdr[best]:.1f} %{_because(config, best)}"
    if best in learning or not learning:
        rest = [label for label in pdr if label != best]
        second = max(rest, key=pdr.__getitem__)
        return f"{text}; next is {second} with {100 * pdr[second]:.1f} %."
    first = max(learning, key=pdr.__getitem__)
    text += f"; {first}, which has to learn from packets that fail, delivers {100 * pdr[first]:.1f} %"
    at_random = [label for label in pdr if _name(config, label) == "random"]
    if at_random:
        text += f", {100 * (pdr[first] - pdr[at_random[0]]):+.1f} points against random choice"
    return f"{text}."


def _on_energy(config: PacketRun, ee: dict[str, float], pdr: dict[str, float]) -> str:
    best = max(ee, key=ee.__getitem__)
    unit = NAMES[_EE][0].partition("[")[2].rstrip("]")
    text = f"{best} delivers most bits per energy, {number(ee[best])} {unit}{_because(config, best)}"
    least = _NEARLY * max(pdr.values())
    if pdr.get(best, 0.0) < least:
        kept = max((label for label in ee if pdr.get(label, 0.0) >= least), key=ee.__getitem__, default=best)
        text += f", but only {100 * pdr.get(best, 0.0):.1f} % of its packets"
        text += f"; of those that deliver nearly as much as the best, {kept} has most, {number(ee[kept])} {unit}"
    printed = {label: published(config, label, _EE) for label in ee}
    printed = {label: value for label, value in printed.items() if value and not value.endswith(RESIMULATED_MARK)}
    for label, value in printed.items():
        text += f"; for {label} the paper prints {value}, we get {number(ee[label])}"
    if printed:
        text += " (docs/results_dlora.md)"
    return f"{text}."


def next_commands(config: PacketRun, runs: Path, file: Path, changes: Sequence[str]) -> list[tuple[str, str]]:
    """Three commands that go on from a run, and what each is for; see `RunType.next_commands`."""
    path, name = shlex.quote(str(file)), config.name
    names = {_name(config, label) for label in config.learners}
    another = next(learner for learner in _WORTH_A_LOOK if learner not in names or learner == _WORTH_A_LOOK[-1])
    repeated = "".join(f" --set {shlex.quote(change)}" for change in changes)
    return [
        (
            "with further learners, the best fixed assignments, and a page to look at",
            f"python scripts/compare.py {path} --learners {another}{repeated} --name {name}",
        ),
        _another_network(config, path, repeated),
        (
            "a neural network that decides for all nodes (extra sb3)",
            f"python scripts/train_sb3.py uplink_v0 --config {path}{repeated} --name {name}",
        ),
    ]


def _another_network(config: PacketRun, path: str, repeated: str) -> tuple[str, str]:
    """The run on half the nodes, or where they are listed on further seeds."""
    topology, command = config.scenario.topology, f"python scripts/train.py --config {path}{repeated}"
    if topology.kind in ("csv", "arrays") or topology.nodes < 2:
        first = max(config.seeds) + 1
        changed = f"--set name={config.name}-more --set 'seeds=[{first},{first + 1}]'"
        return "the same on two further seeds", f"{command} {changed}"
    half = topology.nodes // 2
    changed = f"--set name={config.name}-{half} --set scenario.topology.nodes={half}"
    return "with half the nodes", f"{command} {changed}"


def _because(config: PacketRun, label: str) -> str:
    name = _name(config, label)
    learns = "" if not _is_rule(config, label) else " without learning"
    return f"{learns}: {_WHY[name]}" if name in _WHY else learns


def _name(config: PacketRun, label: str) -> str:
    return agents.learner_name(config.learners[label].name)


def _is_rule(config: PacketRun, label: str) -> bool:
    return agents.LEARNERS.get(_name(config, label), "").startswith(_WITHOUT_LEARNING)
