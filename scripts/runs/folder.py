"""The folder of a run, with everything that it leaves on disk.

```
runs/<name>/curves.png, usage.png          learners compared: over time, by what they use; bands over seeds
runs/<name>/<seed>/config.yaml             the resolved configuration, every default stated
                   versions.json           of Python and the packages, and the commit
                   map.png                 nodes coloured by the spreading factor that they ended with
runs/<name>/<seed>/<label>/metrics.csv     one row per interval
                           events.out...   the same for TensorBoard
                           nodes.csv       one row per node: its point, and its packets in the last interval
                           snapshot-<n>.npz  after n intervals: air, learner, operating points
```
"""

from __future__ import annotations

import csv
import json
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from lora_marl import __version__
from lora_marl.config import ConfigError, TrainConfig, dump
from lora_marl.core.files import errors_named, write_atomically
from scripts.runs import checkpoints
from scripts.runs.cli import ROOT, UsageError, read_config
from scripts.runs.metrics import Row

_PACKAGES = ("numpy", "numba", "gymnasium", "pettingzoo", "pydantic")


class RunFolder:
    """The folder of one run.

    Args:
        path: `runs/<name>`.
        seeds: Of the run.
    """

    def __init__(self, path: Path, seeds: Sequence[int]) -> None:
        self.path, self.seeds = path, seeds

    def prepare(self, config: TrainConfig, *, resume: bool, overwrite: bool) -> None:
        """Makes the folders of a run; an earlier run stays only to be resumed.

        Raises:
            UsageError: an earlier run is there and neither flag was given, or it had another configuration.
        """
        earlier = sorted(self.path.glob("*/config.yaml"))
        if earlier and overwrite:
            shutil.rmtree(self.path)
        elif earlier and not resume:
            raise UsageError(f"{self.path}: holds a run already; go on with --resume, or replace it with --overwrite")
        elif earlier:
            self._check_same(earlier[0], dump(config))
        for seed in self.seeds:
            folder = self.path / str(seed)
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "versions.json", json.dumps(versions(), indent=1) + "\n")
            write_atomically(folder / "config.yaml", dump(config))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes out of the folder, as long as this one lives.

        Raises:
            UsageError: another process is at work in it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"))  # outside: --overwrite removes the folder
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"{self.path}: another process is at work in it; wait until it has ended, or give the run another name"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def folder(self, label: str, seed: int) -> Path:
        """The folder of a seed and learner, which is made where it is missing."""
        folder = self.path / str(seed) / label
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def save(self, label: str, state: checkpoints.State) -> None:
        """Writes a snapshot of every seed, and only then removes the older ones."""
        name = f"snapshot-{int(state['done']):06d}.npz"
        for seed, part in zip(self.seeds, checkpoints.split(state, len(self.seeds)), strict=True):
            checkpoints.write(self.folder(label, seed) / name, part)
        for seed in self.seeds:
            for path in self.folder(label, seed).glob("snapshot-*.npz"):
                if path.name < name:
                    path.unlink()

    def restore(self, label: str) -> checkpoints.State | None:
        """The newest state that all seeds have; None: there is none.

        Raises:
            UsageError: a snapshot is truncated or damaged, or of another run than the other seeds'.
        """
        names = [{path.name for path in self.folder(label, seed).glob("snapshot-*.npz")} for seed in self.seeds]
        common = set.intersection(*names)
        if not common:
            return None
        parts = [checkpoints.read(self.folder(label, seed) / max(common)) for seed in self.seeds]
        try:
            return checkpoints.join(parts)
        except (KeyError, ValueError) as error:
            raise UsageError(f"{self.path}: the snapshots of {label} do not fit together ({error})") from None

    def replace_snapshot(self, label: str, done: int, suffix: str, write: Callable[[Path], object]) -> None:
        """Has a snapshot of all seeds written to one file, and only then removes the older ones."""
        newest = self.path / f"{label}-{done:06d}{suffix}"
        write(newest)
        for path in self._snapshots(label, suffix):
            if path.name < newest.name:
                path.unlink()

    def newest_snapshot(self, label: str, suffix: str) -> tuple[Path, int] | None:
        """The newest snapshot of all seeds in one file, and how many segments it has seen; None: there is none."""
        paths = self._snapshots(label, suffix)
        return (paths[-1], int(paths[-1].stem.rpartition("-")[2])) if paths else None

    def remove_snapshots(self, label: str, suffix: str) -> None:
        """Removes all snapshots of a label that hold all seeds in one file."""
        for path in self._snapshots(label, suffix):
            path.unlink()

    def _snapshots(self, label: str, suffix: str) -> list[Path]:
        return sorted(self.path.glob(f"{label}-[0-9][0-9][0-9][0-9][0-9][0-9]{suffix}"))

    def curve(self, label: str, seed: int) -> list[Row]:
        """The rows of metrics.csv.

        Raises:
            UsageError: the file is missing or not a table of numbers.
        """
        path = self.path / str(seed) / label / "metrics.csv"
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(f"{path}: cannot be read ({error})") from None

    def cut(self, label: str, seed: int, rows: int) -> list[Row]:
        """Shortens metrics.csv to what a snapshot has seen, byte for byte; the rows that remain.

        Raises:
            UsageError: it has fewer rows than the snapshot has seen.
        """
        path = self.folder(label, seed) / "metrics.csv"
        if rows == 0:
            path.unlink(missing_ok=True)
            return []
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: is not a regular file; restore it, or train again with --overwrite")
        try:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        except UnicodeDecodeError:
            raise UsageError(f"{path}: is no text in UTF-8; restore it, or train again with --overwrite") from None
        if len(lines) < rows + 1:
            raise UsageError(
                f"{path}: has {max(len(lines) - 1, 0)} rows; the snapshot beside it has seen {rows}; "
                "restore it, or train again with --overwrite"
            )
        write_atomically(path, "".join(lines[: rows + 1]))
        return self.curve(label, seed)

    def append(self, label: str, seed: int, row: Row) -> None:
        """Adds a row to metrics.csv."""
        path = self.folder(label, seed) / "metrics.csv"
        new = not path.exists()
        with errors_named(path), path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)

    def _check_same(self, path: Path, resolved: str) -> None:
        try:
            earlier = read_config(path, notes=False)
        except ConfigError as error:
            raise UsageError(f"{error}; the run cannot be resumed; train again with --overwrite") from None
        changed = differences(yaml.safe_load(dump(earlier)), yaml.safe_load(resolved))
        if changed:
            raise UsageError(
                f"{self.path}: was begun with another configuration ({', '.join(changed)}); "
                "resume with the same one, give the run another name, or replace it with --overwrite"
            )


def read_run(path: Path) -> tuple[RunFolder, TrainConfig]:
    """The folder and the configuration of an earlier run.

    Raises:
        UsageError: no run is there.
        ConfigError: its configuration cannot be read.
    """
    configs = sorted(path.glob("*/config.yaml"))
    if not configs:
        raise UsageError(f"{path}: holds no run (<seed>/config.yaml), and no exported policy (policy.json)")
    config = read_config(configs[0], notes=False)
    return RunFolder(path, config.seeds), config


def differences(before: object, after: object, path: str = "") -> list[str]:
    """Dotted keys whose values differ, with both values where they are short."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        return [
            line
            for key in keys
            for line in differences(before.get(key), after.get(key), f"{path}.{key}".removeprefix("."))
        ]
    if before == after:
        return []
    values = f" {before} -> {after}"
    return [path + (values if len(values) < 60 else "")]


def versions() -> dict[str, str]:
    """Versions of Python and packages that produce a result, and the commit where there is one."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"lora_marl": __version__, "python": platform.python_version(), "commit": _commit(), **packages}


def _commit() -> str:
    """The commit of the clone, with `+` where files differ from it; `unknown` outside of one."""
    answers: list[str] = []
    for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        try:
            answer = subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
        answers.append(answer.stdout.strip())
    return answers[0] + ("+" if answers[1] else "")
