"""Progress bars, and stopping between two segments when Ctrl-C is pressed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from types import FrameType, TracebackType
from typing import Self

from rich import progress

from scripts.runs.cli import errors

LINE_EVERY_S = 60.0
"""Time between two lines that say how far a command is, where its output is no terminal. s"""


class Lines:
    """A line now and then in place of a bar, where the output is no terminal."""

    def __init__(self) -> None:
        self._start_s = self._said_s = time.monotonic()

    def show(self, share: float, what: str) -> None:
        """Prints which share of a command is done, from 0 to 1, unless it did within the last `LINE_EVERY_S`."""
        now_s = time.monotonic()
        if errors.is_terminal or now_s - self._said_s < LINE_EVERY_S:
            return
        self._said_s = now_s
        played_min = (now_s - self._start_s) / 60.0
        left = f", about {max(played_min * (1.0 / share - 1.0), 1.0):.0f} min left" if share > 0.0 else ""
        errors.print(f"{what}, {share:.0%} after {played_min:.0f} min{left}")


class Progress:
    """One bar over all labels of a run, with packets per second where packets are sent, and the time that remains.

    It shows on a terminal; elsewhere there is a line now and then.

    Args:
        lengths: Of each label.
        unit: Of the lengths, such as `h`.
    """

    def __init__(self, lengths: Mapping[str, float], unit: str) -> None:
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None),
            progress.TextColumn(f"{{task.completed:,.0f}} of {{task.total:,.0f}} {unit}"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            console=errors,
            expand=True,
            disable=not errors.is_terminal,
        )
        self._task = self._bar.add_task("", total=sum(lengths.values()), rate="")
        self._starts = dict(zip(lengths, accumulate(lengths.values(), initial=0.0), strict=False))
        self._start, self._packets = 0.0, 0.0
        self._label, self._total, self._lines = "", sum(lengths.values()), Lines()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def begin(self, label: str, position: float) -> None:
        """Moves on to a label, which an earlier call may have played up to some position."""
        self._start, self._label = self._starts[label], label
        self._bar.update(self._task, description=label, completed=self._start + position)

    def advance(self, position: float, packets: float) -> None:
        """Notes how far the label is, and how many packets were sent since the last call."""
        self._packets += packets
        elapsed_s = self._bar.tasks[0].elapsed or 0.0
        rate = f"{self._packets / elapsed_s / 1e6:.2f} M packets/s" if self._packets and elapsed_s > 0 else ""
        self._bar.update(self._task, completed=self._start + position, rate=rate)
        self._lines.show((self._start + position) / self._total, self._label)


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
    """A bar that counts up to `total` of a unit; the yielded function sets the count."""
    bar = progress.Progress(
        progress.TextColumn("{task.description}"), progress.BarColumn(bar_width=None), progress.MofNCompleteColumn(),
        progress.TextColumn(unit), progress.TimeRemainingColumn(), console=errors, expand=True,
        disable=not errors.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)
