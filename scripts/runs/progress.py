"""A progress bar in simulated hours, and stopping between two intervals when Ctrl-C is pressed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from rich import progress

from scripts.runs.cli import errors
from scripts.runs.packets import Experiment


class Progress:
    """One bar over all learners, with hours played, packets per second and the time that remains.

    Args:
        hours: Simulated hours of all learners together. h
    """

    def __init__(self, hours: float) -> None:
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None),
            progress.TextColumn("{task.completed:,.0f} of {task.total:,.0f} h"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            console=errors,
            expand=True,
        )
        self._task = self._bar.add_task("", total=hours, rate="")
        self._before_h, self._label_h, self._packets = 0.0, 0.0, 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def begin(self, label: str, experiment: Experiment) -> None:
        """Goes over to a learner, which may have been played in part."""
        self._before_h += self._label_h
        self._label_h = experiment.schedule[-1].end_h
        played_h = experiment.schedule[experiment.done - 1].end_h if experiment.done else 0.0
        self._bar.update(self._task, description=label, completed=self._before_h + played_h)

    def advance(self, end_h: float, packets: int) -> None:
        """Notes what was played up to a time of the learner."""
        self._packets += packets
        elapsed_s = self._bar.tasks[0].elapsed or 0.0
        rate = f"{self._packets / elapsed_s / 1e6:.2f} M packets/s" if elapsed_s > 0 else ""
        self._bar.update(self._task, completed=self._before_h + end_h, rate=rate)


class StopRequest:
    """While entered, the first Ctrl-C only sets `requested`; a second one interrupts at once."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        errors.print("stopping after this interval; Ctrl-C again stops at once")


@contextmanager
def counting(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """A bar that counts up to `total` of a unit; what it gives is called with how many there are."""
    bar = progress.Progress(
        progress.TextColumn("{task.description}"), progress.BarColumn(bar_width=None), progress.MofNCompleteColumn(),
        progress.TextColumn(unit), progress.TimeRemainingColumn(), console=errors, expand=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)
