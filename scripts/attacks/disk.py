"""Disks and folders that let a run down: each is refused on one line, with exit status 2, and what was there stays."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from scripts.attacks.tally import Tally, counting
from scripts.runs.cli import BAD_INPUT, ROOT

_RUN = ("--config", "configs/dlora.yaml", "--set", "name=run", "duration_h=2", "seeds=[0]", "learners={random: {}}")
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2
"""Of Linux's `prctl.h` and `capability.h`: what lets a superuser write where permissions forbid it."""

Prepare = Callable[[], None]


def attack_disk(count: int, seed: int, path: Path) -> None:
    """Runs `train.py` on each of the bad places, as often as `count` says; writes a tally."""
    del seed  # nothing is drawn
    with counting("disks and folders", path) as (tally, numbers):
        for number in numbers(count):
            attack = _ATTACKS[number % len(_ATTACKS)]
            with tempfile.TemporaryDirectory() as name:
                os.chmod(name, 0o755)
                tally.tries += 1
                attack(Path(name), tally)


def _train(runs: Path | str, tally: Tally, *more: str, before: Prepare | None = None, expects: str = "") -> None:
    """Runs `train.py`, which has to refuse."""
    line = [sys.executable, "scripts/train.py", *_RUN, "--runs", str(runs), *more]
    done = subprocess.run(
        line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, preexec_fn=before, check=False
    )  # noqa: PLW1509 (the child sets its own limits)
    lines = [text for text in done.stderr.decode(errors="replace").splitlines() if text.startswith("error: ")]
    if b"Traceback" in done.stderr:
        tally.fail("traceback", done.stderr.decode(errors="replace")[-400:])
    elif done.returncode != BAD_INPUT or len(lines) != 1 or expects not in lines[0]:
        tally.fail("wrong answer", f"{done.returncode}: {lines or done.stderr[-300:]!r}; expected {expects!r}")
    else:
        tally.refused += 1


def _complete(folder: Path) -> Path:
    """A run that has ended."""
    line = [sys.executable, "scripts/train.py", *_RUN, "--runs", str(folder / "runs")]
    subprocess.run(line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    return folder / "runs"


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _a_file_in_the_way(folder: Path, tally: Tally) -> None:
    (folder / "file").write_text("kept")
    _train(folder / "file", tally, expects="file")
    if (folder / "file").read_text() != "kept":
        tally.fail("lost", "a file in the way of --runs")


def _an_impossible_place(folder: Path, tally: Tally) -> None:
    _train("/proc/nowhere/runs", tally, expects="/proc")


def _an_endless_table(folder: Path, tally: Tally) -> None:
    runs = _complete(folder)
    metrics = next(runs.rglob("metrics.csv"))
    metrics.unlink()
    metrics.symlink_to("/dev/zero")
    _train(runs, tally, "--resume", expects="is not a regular file")


def _small_files(most_bytes: int) -> Callable[[Path, Tally], None]:
    def attack(folder: Path, tally: Tally) -> None:
        runs = _complete(folder)
        before = _bytes_of(runs)
        changed = ["--set", "name=other"]
        limit: Prepare = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))  # noqa: E731
        _train(runs, tally, *changed, before=limit, expects="File too large")
        after = _bytes_of(runs)
        if any(after.get(name) != data for name, data in before.items()):
            tally.fail("lost", f"files of another run, at a limit of {most_bytes} bytes")
        if any(name.endswith(".partial") for name in after):
            tally.fail("left behind", "a partial file")

    return attack


def _no_permission(folder: Path, tally: Tally) -> None:
    runs = folder / "runs"
    runs.mkdir(mode=0o555)
    _train(runs, tally, before=_obey_permissions, expects="Permission denied")


def _obey_permissions() -> None:
    """Let the next program that this process becomes be held to permissions, also where a superuser starts it.

    Another user might not be allowed to run the interpreter, which may lie in a home.
    """
    if os.getuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl: a superuser's right cannot be dropped")


def _not_utf_8(folder: Path, tally: Tally) -> None:
    runs = _complete(folder)
    metrics = next(runs.rglob("metrics.csv"))
    metrics.write_bytes(b"\xff\xfe\x00" + metrics.read_bytes())
    _train(runs, tally, "--resume", expects="metrics.csv")


def _two_at_once(folder: Path, tally: Tally) -> None:
    (folder / "runs").mkdir()
    with FileLock(folder / "runs" / ".run.lock"):
        _train(folder / "runs", tally, expects="another process is at work in it")


_ATTACKS: Sequence[Callable[[Path, Tally], None]] = (
    _a_file_in_the_way, _an_impossible_place, _an_endless_table, _small_files(100), _small_files(3000),
    _small_files(30_000), _no_permission, _not_utf_8, _two_at_once,
)  # fmt: skip
