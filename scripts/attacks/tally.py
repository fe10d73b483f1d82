"""How often something was tried, and what came of it; a try that takes too long or raises the wrong error is caught."""

from __future__ import annotations

import json
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

LONGEST_S = 10.0
"""CPU time of a try from which on it counts as a hang. s"""

MOST_GROWTH_KB = 2**20
"""Growth of a process during an attack from which on it counts as a failure: 1 GiB. KB"""

LONGEST_MESSAGE = 1500
"""Of a refusal, in letters: one line that quotes at most a line."""

_SAVED_EVERY = 50


class HangError(Exception):
    """A try has taken `LONGEST_S` of CPU time."""


@dataclass
class Tally:
    """The count of an attack's tries.

    Attributes:
        attack: Its name.
        tries: How often it was tried.
        refused: Tries that were refused as they ought to be.
        held: Tries that were accepted, rightly, or that changed nothing.
        failures: By what went wrong: their number.
        examples: By what went wrong: the first error.
        longest_s: Largest CPU time of a try. s
        slowest: Which try that was.
        growth_mb: How much the process grew. MB
    """

    attack: str
    tries: int = 0
    refused: int = 0
    held: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    longest_s: float = 0.0
    slowest: str = ""
    growth_mb: float = 0.0

    def fail(self, kind: str, example: str) -> None:
        """Counts a failure."""
        self.failures[kind] += 1
        self.examples.setdefault(kind, example[:400])

    def attempt(self, run: Callable[[], object], refusals: tuple[type[Exception], ...], what: str) -> bool:
        """Runs a try: it is refused by one of some errors on one line, or held; anything else is a failure.

        Args:
            run: The try.
            refusals: Errors that refuse.
            what: What was tried, for the example of a failure.

        Returns:
            Whether it was held.
        """
        self.tries += 1
        begin_s, held = time.process_time(), False
        try:
            with _limited():
                run()
            self.held, held = self.held + 1, True
        except HangError:
            self.fail("hang", what)
        except refusals as error:
            lines = getattr(error, "problems", [str(error)])  # of configurations one for each problem
            if any("\n" in line or len(line) > LONGEST_MESSAGE for line in lines):
                self.fail("message of several lines", f"{what}: {error!r}")
            else:
                self.refused += 1
        except BaseException as error:
            self.fail("traceback", f"{what}: {type(error).__name__}: {error}")
            if isinstance(error, KeyboardInterrupt):
                raise
        taken_s = time.process_time() - begin_s
        if taken_s > self.longest_s:
            self.longest_s, self.slowest = taken_s, what
        return held

    def write(self, path: Path) -> None:
        """Writes the tally as JSON."""
        path.write_text(json.dumps(vars(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Tally:
        """Reads what `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**values | {"failures": Counter(values["failures"])})


@contextmanager
def counting(attack: str, path: Path) -> Iterator[tuple[Tally, Callable[[int], Iterator[int]]]]:
    """A tally that is on disk now and then, so that a crash of the process loses little, and its numbers of tries."""
    tally, first_kb = Tally(attack), _largest_kb()

    def numbers(count: int) -> Iterator[int]:
        for number in range(count):
            if number % _SAVED_EVERY == 0:
                tally.write(path)
            yield number

    yield tally, numbers
    growth_kb = _largest_kb() - first_kb
    tally.growth_mb = growth_kb / 1024
    if growth_kb > MOST_GROWTH_KB:
        tally.fail("growth", f"{tally.growth_mb:.0f} MB")
    tally.write(path)


def _largest_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def _limited() -> Iterator[None]:
    """Raises HangError in this thread after `LONGEST_S` of CPU time."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
