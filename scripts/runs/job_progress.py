"""Progress of jobs that run in processes of their own: a bar that moves within a job, and the CPU time of each.

A worker notes how far its job is in a small file, which the process with the bar reads. Where the two share no disk (a
cluster) the bar moves from job to job.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from types import TracebackType
from typing import Self

from rich import progress

from scripts.runs.cli import errors
from scripts.runs.progress import Lines

_EVERY_S = 0.5
"""Least time between two notes of a worker, and between two looks of the bar. s"""


class _Note:
    """The file of a job: the share that is done, and the CPU time that it took so far in s."""

    def __init__(self, path: Path) -> None:
        self._path, self._noted_s, self._began_cpu_s = path, 0.0, time.process_time()

    def write(self, share: float, *, always: bool = False) -> None:
        now_s = time.monotonic()
        if not always and now_s - self._noted_s < _EVERY_S:
            return
        self._noted_s = now_s
        try:
            self._path.write_text(f"{share} {time.process_time() - self._began_cpu_s}", encoding="utf-8")
        except OSError:
            return  # another machine's disk


_NOTE: ContextVar[_Note | None] = ContextVar("note", default=None)


def note_share(share: float) -> None:
    """Notes how much of the current job is done, from 0 to 1; nothing where nobody asked for it."""
    note = _NOTE.get()
    if note is not None:
        note.write(share)


@contextmanager
def noting(path: Path | None) -> Iterator[None]:
    """Within, `note_share` writes to a file; None: it does nothing."""
    note = None if path is None else _Note(path)
    token = _NOTE.set(note)
    try:
        yield
    finally:
        _NOTE.reset(token)
        if note is not None:
            note.write(1.0, always=True)


class JobProgress:
    """A bar over jobs with the time that remains; where the output is no terminal, a line now and then.

    Args:
        total: Number of jobs.
        unit: What they are, such as `cells`.
    """

    def __init__(self, total: int, unit: str) -> None:
        self._total, self._finished, self._unit, self._lines = total, 0, unit, Lines()
        self._folder = TemporaryDirectory(prefix="lora-marl-", ignore_cleanup_errors=True)
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None),
            progress.TextColumn(f"{{task.fields[finished]}} of {total} {unit}, {{task.percentage:.0f}} %"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left:"),
            progress.TimeRemainingColumn(),
            console=errors,
            expand=True,
            disable=not errors.is_terminal or not total,
        )
        self._task = self._bar.add_task("", total=max(total, 1), finished=0)
        self._stop, self._watcher = Event(), Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._bar.start()
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._watcher.join()
        self._look()
        self._bar.stop()
        self._folder.cleanup()

    @property
    def finished(self) -> int:
        """Number of jobs that are done."""
        return self._finished

    def path(self, number: int) -> Path:
        """The file in which job `number` notes its progress."""
        return Path(self._folder.name) / str(number)

    def done(self) -> None:
        """Counts a job as done."""
        self._finished += 1

    def cpu_s(self) -> list[float]:
        """CPU time of every job so far, in s; 0 where it is not known."""
        return [self._note(number)[1] for number in range(self._total)]

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        shares = sum(self._note(number)[0] for number in range(self._total))
        completed = min(max(shares, float(self._finished)), float(self._total))
        self._bar.update(self._task, completed=completed, finished=self._finished)
        if self._total:
            self._lines.show(completed / self._total, f"{self._finished} of {self._total} {self._unit}")

    def _note(self, number: int) -> tuple[float, float]:
        try:
            share, cpu_s = self.path(number).read_text(encoding="utf-8").split()
            return float(share), float(cpu_s)
        except (OSError, ValueError):  # not begun, or being written
            return 0.0, 0.0


def with_notes(jobs: Sequence[tuple[int, object]], bar: JobProgress) -> Iterable[tuple[int, object, Path]]:
    """Arguments of `scripts.runs.jobs.run_job` for numbered jobs, each with the file for its progress."""
    return [(number, job, bar.path(place)) for place, (number, job) in enumerate(jobs)]
