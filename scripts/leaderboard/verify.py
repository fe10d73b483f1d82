"""Verification of stored cells: played again on their seeds, or on fresh ones; and the check of a submitted file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.leaderboard.cells import Cell
from scripts.leaderboard.tasks import Catalogue
from scripts.runs.cli import UsageError


@dataclass(frozen=True)
class Finding:
    """What came of a verification.

    Attributes:
        holds: Whether the stored numbers stand.
        words: What was compared, in one line.
    """

    holds: bool
    words: str


def same(stored: Cell, played: Cell, tolerance: float) -> Finding:
    """Whether a cell that was played again on the stored seeds has the stored numbers, within a tolerance."""
    names = sorted(stored.metrics.keys() & played.metrics.keys())
    for name in names:
        for seed, ours, theirs in zip(stored.seeds, stored.metrics[name], played.metrics[name], strict=True):
            if not _equal(ours, theirs, tolerance):
                return Finding(False, f"{name}, seed {seed}: stored {ours}, played again {theirs}")
    within = "equal to the digit" if tolerance == 0 else f"within {tolerance:g}"
    return Finding(bool(names), f"{len(names)} measures of {len(stored.seeds)} seeds, {within}")


def _equal(ours: float | None, theirs: float | None, tolerance: float) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return abs(ours - theirs) <= tolerance


def agrees(stored: Sequence[float], fresh: Sequence[float]) -> Finding:
    """Whether the 99 % interval of the difference between two samples of seeds contains 0, by Welch's t test."""
    from scipy import stats  # slow to import, and only needed here

    difference = float(np.mean(stored) - np.mean(fresh))
    if np.std(stored) == np.std(fresh) == 0.0:
        return Finding(difference == 0.0, f"difference {difference:.4g}, without spread")
    low, high = stats.ttest_ind(stored, fresh, equal_var=False).confidence_interval(0.99)
    return Finding(bool(low <= 0.0 <= high), f"difference {difference:.4g}, 99 % interval {low:.4g} to {high:.4g}")


def check_submission(catalogue: Catalogue, cell: Cell) -> None:
    """Checks that a cell can join the table.

    Raises:
        UsageError: it is of another version, task or seeds, or lacks the measure that is scored.
    """
    if cell.benchmark != catalogue.version:
        raise UsageError(f"benchmark: {cell.benchmark!r}; this is {catalogue.version!r}")
    task = catalogue.task(cell.task)
    if cell.digest != task.digest:
        raise UsageError(f"digest: {cell.digest!r}; task {cell.task} of {catalogue.version} has {task.digest!r}")
    if cell.seeds != catalogue.held_out_seeds:
        raise UsageError(f"seeds: {list(cell.seeds)}; the held-out seeds are {list(catalogue.held_out_seeds)}")
    cell.values(task.metric)
