"""The page of the benchmark: a table of each task, and what holds over all tasks, by group of knowledge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from scripts.leaderboard.aggregates import (
    RESAMPLES,
    interquartile_mean,
    probability_of_improvement,
    score,
    stratified_interval,
)
from scripts.leaderboard.cells import Cell
from scripts.leaderboard.tasks import Catalogue, Group
from scripts.runs.report import counted, markdown
from scripts.runs.statistics import estimate

_BESIDE = {
    "energy_per_delivered_mj": ("energy", "mJ per delivered"),
    "fairness": ("fairness", "Jain"),
    "downlinks_per_100": ("downlinks", "per 100 packets"),
}
"""Measures beside the one that is scored, where a task has them: heading and unit."""

Cells = Mapping[str, Mapping[str, Cell]]


def scores_of(catalogue: Catalogue, cells: Cells) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Scores by task and label; tasks whose trivial rule or reference is missing have none. `[S]` each"""
    scores: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, by_label in cells.items():
        task = catalogue.task(name)
        if task.trivial in by_label and task.reference in by_label:
            low, high = (by_label[label].values(task.metric) for label in (task.trivial, task.reference))
            scores[name] = {label: score(cell.values(task.metric), low, high) for label, cell in by_label.items()}
    return scores


def page(catalogue: Catalogue, cells: Cells) -> str:
    """The page as Markdown."""
    scores = scores_of(catalogue, cells)
    parts = [
        f"# Benchmark {catalogue.version}",
        f"{catalogue.status.rstrip()} Held-out seeds {catalogue.held_out_seeds[0]} to {catalogue.held_out_seeds[-1]}, "
        "each with a placement of its own. A score is the share of the way from the task's trivial rule (0) to its "
        "reference (100). Groups, which differ in what they know, are not ranked together.",
        *(_over_all(catalogue, scores, group) for group in get_args(Group)),
        *(_task(catalogue, name, by_label, scores.get(name, {})) for name, by_label in cells.items() if by_label),
    ]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _over_all(catalogue: Catalogue, scores: Mapping[str, Mapping[str, NDArray[np.float64]]], group: Group) -> str:
    """The learners of a group that have played all tasks of which there are scores."""
    complete = [
        label
        for label, entry in catalogue.learners.items()
        if entry.group == group and scores and all(label in by_label for by_label in scores.values())
    ]
    if not complete:
        return ""
    by_learner = {label: [by_label[label] for by_label in scores.values()] for label in complete}
    middle = {label: interquartile_mean(np.concatenate(values)) for label, values in by_learner.items()}
    ranked = sorted(complete, key=lambda label: -middle[label])
    rows = []
    for label in ranked:
        low, high = stratified_interval(by_learner[label])
        better = probability_of_improvement(by_learner[label], by_learner[ranked[0]])
        rows.append([f"`{label}`", f"{middle[label]:.1f} ({low:.1f} to {high:.1f})", f"{better:.2f}"])
    header = ["learner", "interquartile mean of scores (95 %)", f"probability to beat `{ranked[0]}`"]
    return (
        f"## Over {counted(len(scores), 'task')}: {_TITLES[group]}\n\n"
        f"Intervals: stratified bootstrap over seeds, {RESAMPLES:,} resamples.\n\n" + markdown(header, rows)
    )


_TITLES: Mapping[str, str] = {
    "node": "nodes that know their own packets",
    "server": "servers that know what their gateways receive",
    "everything": "rules and references that know the network",
}


def _task(
    catalogue: Catalogue, name: str, by_label: Mapping[str, Cell], scores: Mapping[str, NDArray[np.float64]]
) -> str:
    task = catalogue.task(name)
    beside = [key for key in _BESIDE if any(_given(cell, key) for cell in by_label.values())]
    header = ["learner", "group", f"{task.metric} [{task.unit}]", "score", *(" ".join(_BESIDE[k]) for k in beside)]
    header.append("CPU s")
    order = sorted(by_label, key=lambda label: -float(np.mean(by_label[label].values(task.metric))))
    rows = [
        [
            f"`{label}`",
            by_label[label].group,
            _mean(by_label[label].values(task.metric), 4),
            _mean(scores[label].tolist(), 1) if label in scores else "",
            *(_mean(_given(by_label[label], key), 3) if _given(by_label[label], key) else "" for key in beside),
            f"{by_label[label].cpu_s:.0f}",
        ]
        for label in order
    ]
    return f"## {name}\n\n`configs/{task.config}`; ± is the half width of the 95 % interval.\n\n" + markdown(
        header, rows
    )


def _given(cell: Cell, metric: str) -> list[float]:
    """A measure of the seeds that have it."""
    return [float(value) for value in cell.metrics.get(metric, ()) if value is not None]


def _mean(values: Sequence[float], digits: int) -> str:
    over_seeds = estimate(values)
    text = f"{over_seeds.mean:.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {over_seeds.mean - over_seeds.ci_low:.{digits}f}"
