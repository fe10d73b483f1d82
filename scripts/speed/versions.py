"""The benchmark of two versions of the project, played in turns: what else the machine does, it does to both.

Every turn is a process of its own in a folder of its version, with the disk cache of compiled functions of that
version. Lines are compared by their names, so a line that one of them lacks is left out.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.runs.cli import UsageError
from scripts.runs.statistics import estimate


@dataclass(frozen=True)
class Comparison:
    """A line of two versions.

    Attributes:
        name, unit: Of the line.
        old, new: Its value in each turn. `[T]`
        speed: How many times as good the new version is: the geometric mean over turns.
        low, high: 95 % interval of `speed`, by Student's t of the logarithms.
    """

    name: str
    unit: str
    old: tuple[float, ...]
    new: tuple[float, ...]
    speed: float
    low: float
    high: float


@contextmanager
def checkout(commit: str, root: Path) -> Iterator[Path]:
    """A folder with a commit's files, as long as the context lasts.

    Raises:
        UsageError: the clone has no such commit, or there is no clone.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "version"
        _git(root, "worktree", "add", "--detach", str(path), commit)
        try:
            yield path
        finally:
            _git(root, "worktree", "remove", "--force", str(path))


def _git(root: Path, *arguments: str) -> None:
    result = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if result.returncode:
        raise UsageError(f"git {' '.join(arguments[:2])}: {result.stderr.strip().splitlines()[-1]}")


def benchmark(root: Path, cache: Path, options: Sequence[str]) -> dict[str, tuple[float, str]]:
    """Value and unit of every line of the benchmark in a folder of the project.

    Args:
        root: The folder.
        cache: For compiled functions.
        options: Of `scripts/benchmark.py`; those that this version does not know are left out.

    Raises:
        UsageError: its benchmark failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "scripts/benchmark.py"]
    known = subprocess.run([*command, "--help"], cwd=root, env=environment, capture_output=True, text=True).stdout
    options = [option for option in options if option.partition("=")[0] in known]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.json"
        result = subprocess.run(
            [*command, *options, "--json", str(path)], cwd=root, env=environment, capture_output=True, text=True
        )
        if result.returncode:
            raise UsageError(f"the benchmark of {root} failed: {(result.stderr.strip() or '?').splitlines()[-1]}")
        records = json.loads(path.read_text(encoding="utf-8"))
    return {record["name"]: (record["value"], record["unit"]) for record in records}


def turns(old: Path, new: Path, options: Sequence[str], count: int) -> Iterator[Mapping[str, tuple[float, float, str]]]:
    """For each turn, the lines that both versions have: the old one's value, the new one's, and the unit.

    The one that begins alternates.
    """
    with tempfile.TemporaryDirectory() as folder:
        caches = {root: Path(folder) / name for root, name in ((old, "old"), (new, "new"))}
        for turn in range(count):
            order = (old, new) if turn % 2 == 0 else (new, old)
            values = {root: benchmark(root, caches[root], options) for root in order}
            both = [name for name in values[new] if name in values[old]]
            yield {name: (values[old][name][0], *values[new][name]) for name in both}


def compared(
    measured: Sequence[Mapping[str, tuple[float, float, str]]], smaller_is_better: frozenset[str]
) -> list[Comparison]:
    """The comparison of every line over turns."""
    return [_comparison(name, [turn[name] for turn in measured], name in smaller_is_better) for name in measured[0]]


def _comparison(name: str, values: Sequence[tuple[float, float, str]], smaller_is_better: bool) -> Comparison:
    old, new = tuple(value[0] for value in values), tuple(value[1] for value in values)
    sign = -1.0 if smaller_is_better else 1.0
    logs = estimate([sign * math.log(after / before) for before, after in zip(old, new, strict=True)])
    return Comparison(name, values[0][2], old, new, math.exp(logs.mean), math.exp(logs.ci_low), math.exp(logs.ci_high))


def median_with_range(values: Sequence[float]) -> str:
    """Returns median and, in brackets, smallest and largest value."""
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def number(value: float) -> str:
    """Returns a number with three digits, or with thousands separated."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
