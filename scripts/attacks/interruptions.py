"""Commands that are killed at random moments and go on: what they end with is what an uninterrupted run ends with.

Compared are metrics.csv, nodes.csv, the resolved configuration, results in JSON, and the last snapshot, byte for byte.
Left out are TensorBoard's files, which have times of the clock, and pictures.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.attacks.tally import Tally, counting
from scripts.runs.checkpoints import read
from scripts.runs.cli import BAD_INPUT, INTERRUPTED, ROOT

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

MOST_SECONDS = 600.0
"""Wall time of one command; one that takes longer hangs. s"""

_COMPARED = (".csv", ".yaml", ".json", ".npz", ".safetensors")


@dataclass(frozen=True)
class Command:
    """A command that can be stopped and go on.

    Attributes:
        arguments: Of `python`, without the folder.
        folder: The option that names the folder.
        resume: What the command needs to go on; empty: nothing.
    """

    arguments: Sequence[str]
    folder: str = "--runs"
    resume: Sequence[str] = ("--resume",)

    def line(self, folder: Path) -> list[str]:
        """The command line that writes into a folder."""
        return [sys.executable, *self.arguments, self.folder, str(folder), "--json", str(folder / "out.json")]


def _train(config: str, *changes: str) -> Command:
    return Command(["scripts/train.py", "--config", f"configs/{config}.yaml", "--set", "name=run", *changes])


COMMANDS: Mapping[str, Command] = {
    "train, packets": _train("dlora", "duration_h=6", "interval_h=0.5", "seeds=[0,1]", "learners={cucb: {}}"),
    "train, downlinks": _train("norel", "duration_h=6", "interval_h=0.5", "seeds=[0]", "learners={norel: {}}"),
    "train, energy": _train("mmalora", "seeds=[0]", "energy.episodes=6", "learners={maac: {}}"),
    "train, coexistence": _train(
        "ccs_two", "seeds=[0]", "coexistence.intervals=12", "learners={alone: {name: coexistence-independent}}"
    ),
    "compare": Command(
        ["scripts/compare.py", "configs/dlora.yaml", "--seeds", "0,1", "--hours", "2", "--jobs", "1", "--no-reference"],
        "--out", (),
    ),
    "sweep": Command(
        ["scripts/sweep.py", "--config", "configs/dlora.yaml", "--vary", "c=0.5,1", "--hours", "2", "--seeds", "0,1",
         "--jobs", "1"], "--results", (),
    ),
}  # fmt: skip
"""Short runs of every kind of command that goes on."""


def attack_interruptions(count: int, seed: int, path: Path, names: Sequence[str] = tuple(COMMANDS)) -> None:
    """Kills commands at random moments, lets each go on, compares what it left; writes a tally."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name, counting("interruptions", path) as (tally, numbers):
        whole: dict[str, tuple[Path, float]] = {}
        for number in numbers(count):
            label = names[number % len(names)]
            if label not in whole:
                folder = Path(name) / f"whole {len(whole)}"
                folder.mkdir()
                begin_s = time.monotonic()
                _run(COMMANDS[label].line(folder))
                whole[label] = folder, time.monotonic() - begin_s
            folder, length_s = whole[label]
            moment_s, stop = float(rng.uniform(0.0, 1.1 * length_s)), SIGNALS[int(rng.integers(len(SIGNALS)))]
            killed = Path(name) / f"killed {number}"
            killed.mkdir()
            tally.tries += 1
            _interrupt_and_go_on(COMMANDS[label], killed, moment_s, stop, tally)
            differing = differences(folder, killed)
            if differing:
                tally.fail("other numbers", f"{label}, {stop.name} after {moment_s:.2f} s: {differing[:3]}")
            else:
                tally.held += 1
            tally.write(path)


def _interrupt_and_go_on(command: Command, folder: Path, moment_s: float, stop: signal.Signals, tally: Tally) -> None:
    line = command.line(folder)
    with subprocess.Popen(line, cwd=ROOT, env=_environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as run:
        try:
            run.wait(moment_s)
        except subprocess.TimeoutExpired:
            run.send_signal(stop)
        try:
            _, errors = run.communicate(timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            run.kill()
            tally.fail("hang", " ".join(line))
            return
    if b"Traceback" in errors and stop is not signal.SIGKILL:
        tally.fail("traceback", errors.decode(errors="replace")[-400:])
    if run.returncode not in (0, INTERRUPTED, BAD_INPUT, -stop):
        tally.fail("exit status", f"{run.returncode} of {' '.join(line)}")
    again = [*line, *command.resume]
    _, complaint = _run(again)
    if complaint:
        tally.fail("did not go on", f"{' '.join(again)}: {complaint[-300:]}")


def _run(line: Sequence[str]) -> tuple[int, str]:
    """Runs a command to its end; its status, and its errors unless that is 0."""
    done = subprocess.run(line, cwd=ROOT, env=_environment(), capture_output=True, timeout=MOST_SECONDS, check=False)
    return done.returncode, done.stderr.decode(errors="replace") if done.returncode else ""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def differences(one: Path, other: Path) -> list[str]:
    """Files whose content differs, or that only one folder has; of archives the arrays that differ."""
    files = [_files(folder) for folder in (one, other)]
    differing = sorted(str(path) for path in files[0] ^ files[1])
    for path in sorted(files[0] & files[1]):
        if path.suffix == ".npz":
            states = [read(folder / path) for folder in (one, other)]
            names = sorted(set(states[0]) | set(states[1]))
            differing += [f"{path}: {name}" for name in names if not _same(states, name)]
        elif (one / path).read_bytes() != (other / path).read_bytes():
            differing.append(str(path))
    return differing


def _same(states: Sequence[Mapping[str, np.ndarray]], name: str) -> bool:
    arrays = [state.get(name) for state in states]
    return all(array is not None for array in arrays) and arrays[0].tobytes() == arrays[1].tobytes()  # type: ignore[union-attr]


def _files(folder: Path) -> set[Path]:
    """Files that are compared; no partial ones, locks, or records of versions."""
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix in _COMPARED and path.name != "versions.json" and path.is_file()
    }
