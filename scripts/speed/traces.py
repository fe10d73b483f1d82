"""Follows two things through a run of `scripts/train.py`: values of its YAML file, and a policy snapshot.

`python -P scripts/speed/traces.py`, called in a checkout with that checkout on `PYTHONPATH`, prints the counts, and
the places that were counted, as JSON. Only Python functions of `lora_marl`, `agents` and `scripts` are seen: compiled
functions, imports and class bodies are not.

**A value.** The file of a run of packets states `c` of the learner `cucb`, and the interval of its traffic; each is
followed by itself. A function *holds* the value at its call or return where one of its arguments or local variables is
the value, an array or a text that contains it, or leads to it through items, elements and fields of the project's
objects, at most `DEPTH` steps away. The trace ends where the learner is first asked for decisions.

| count | meaning |
|---|---|
| files entered | files with a function that is called |
| files that hold it | files with a function that holds the value |
| names | pairs of a function and a name in it that hold the value, `self` and `cls` aside |
| returns | functions that return the value or something that leads to it, such as a section of the file |

**A snapshot.** Two networks report to the coordination service after each of two intervals. The second report is
made, sent, answered and taken in one call of the coordinated servers' method that closes an interval (`ROUND`).

| count | meaning |
|---|---|
| files | files with a function that is called in it, with that of its caller |
| crossings | pairs of a calling and a called file on the way to it or in it, one in `scripts` and one in `agents` |
"""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from typer.testing import CliRunner

PACKAGES = ("lora_marl", "agents", "scripts")
DEPTH = 6

C, INTERVAL_S = 1.3125, 31.3125
"""Values that nothing else in the run has."""

VALUE_RUN = f"""
name: value
seeds: [0]
duration_h: 0.1
interval_h: 0.1
scenario: {{topology: {{nodes: 4}}, traffic: {{interval_s: {INTERVAL_S}}}}}
learners: {{cucb: {{parameters: {{c: {C}}}}}}}
"""
SNAPSHOT_RUN = """
name: snapshot
seeds: [0]
coexistence: {preset: ccs_study, intervals: 2, vendor: 5, networks: [{learner: pg, nodes: 8}, {learner: pg, nodes: 8}]}
learners: {ccs: {parameters: {every: 1}}}
"""

# Each function's name in every layout that is measured, the present one first.
DECISIONS = ("agents.run:run_until", "agents.play:play_until")
"""The function that first asks a learner for decisions."""

ROUND = ("agents.coexistence.coordinated:CoordinatedServers.after", "scripts.coexistence.serviced:Serviced.after")
"""The method in which networks hold a round with the service."""

Places = dict[str, list[str]]
"""What was counted, by the name of the count; a place is a file, or a file and names in it."""


class Reached(BaseException):
    """Ends a traced run, past every handler of errors."""


class Trace:
    """A profile function over the project's frames.

    Args:
        root: The checkout's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/"
        self._places: dict[str, str] = {}

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        is_function = frame.f_code.co_flags & inspect.CO_NEWLOCALS
        if event in ("call", "return") and is_function and self.file_of(frame):
            (self.called if event == "call" else self.returned)(frame, value)

    def file_of(self, frame: FrameType) -> str:
        """A frame's file from the checkout's folder on; empty where it is not the project's."""
        path = frame.f_code.co_filename
        if path not in self._places:
            place = path.removeprefix(self._root)
            inside = place.startswith(tuple(f"{package}/" for package in PACKAGES)) and "site-packages" not in place
            self._places[path] = place if inside and not place.startswith("scripts/speed/") else ""
        return self._places[path]

    def is_one_of(self, frame: FrameType, entries: tuple[str, ...]) -> bool:
        """Whether a frame is of one of the functions, each `module:qualified name`."""
        module = self.file_of(frame).removesuffix(".py").replace("/", ".")
        return f"{module}:{frame.f_code.co_qualname}" in entries

    def caller_of(self, frame: FrameType) -> str:
        """The file of the nearest function of the project above a frame; empty where there is none."""
        above = frame.f_back
        while above is not None and not self.file_of(above):
            above = above.f_back
        return "" if above is None else self.file_of(above)

    def places(self) -> Places:
        """The counts, by name."""
        raise NotImplementedError

    def called(self, frame: FrameType, _: Any) -> None:
        """A function has been called."""

    def returned(self, frame: FrameType, value: Any) -> None:
        """A function has returned a value."""


class ValueTrace(Trace):
    """Follows a value; see the module's docstring.

    Args:
        root: The checkout's folder.
        value: Nothing else in the run equals it.
    """

    def __init__(self, root: Path, value: float) -> None:
        super().__init__(root)
        self._value = value
        self._entered: set[str] = set()
        self._names: set[tuple[str, str, str]] = set()
        self._returns: set[tuple[str, str]] = set()

    def called(self, frame: FrameType, _: Any) -> None:
        """Notes the arguments that hold the value."""
        if self.is_one_of(frame, DECISIONS):
            self._end(frame.f_back)
        self._entered.add(self.file_of(frame))
        self._note(frame)

    def returned(self, frame: FrameType, value: Any) -> None:
        """Notes the local variables and the answer that hold the value."""
        self._note(frame)
        if leads_to(value, self._value):
            self._returns.add((self.file_of(frame), frame.f_code.co_qualname))

    def places(self) -> Places:
        """The counts of the module's first table."""
        names = [place for place in sorted(self._names) if place[-1] not in ("self", "cls")]
        return {
            "files entered": sorted(self._entered),
            "files that hold it": sorted({file for file, _, _ in self._names}),
            "names": [" ".join(place) for place in names],
            "returns": [" ".join(place) for place in sorted(self._returns)],
        }

    def _note(self, frame: FrameType) -> None:
        place = self.file_of(frame), frame.f_code.co_qualname
        self._names |= {(*place, name) for name, local in frame.f_locals.items() if leads_to(local, self._value)}

    def _end(self, frame: FrameType | None) -> None:
        while frame is not None:
            if self.file_of(frame):
                self._note(frame)
            frame = frame.f_back
        raise Reached


class SnapshotTrace(Trace):
    """Follows the last round; see the module's docstring."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._round: FrameType | None = None
        self._files: set[str] = set()
        self._crossings: set[tuple[str, str]] = set()

    def called(self, frame: FrameType, _: Any) -> None:
        """Notes a function that runs inside of a round, and where it was called from."""
        if self._round is None and self.is_one_of(frame, ROUND):
            self._round, self._crossings = frame, set()
            self._files = {self.caller_of(frame)}
            above: FrameType | None = frame.f_back
            while above is not None:
                self._cross(above)
                above = above.f_back
        if self._round is not None:
            self._files.add(self.file_of(frame))
            self._cross(frame)

    def returned(self, frame: FrameType, value: Any) -> None:
        """Ends a round."""
        if frame is self._round:
            self._round = None

    def _cross(self, frame: FrameType) -> None:
        """Notes a call from `scripts` to `agents` or back."""
        caller, file = self.caller_of(frame), self.file_of(frame)
        if {caller.partition("/")[0], file.partition("/")[0]} == {"agents", "scripts"}:
            self._crossings.add((caller, file))

    def places(self) -> Places:
        """The counts of the module's second table."""
        return {"files": sorted(self._files), "crossings": [" -> ".join(pair) for pair in sorted(self._crossings)]}


def leads_to(thing: Any, value: float) -> bool:
    """Whether something is, contains or leads to a value within `DEPTH` steps."""
    level, seen = [thing], {id(thing)}
    for _ in range(DEPTH + 1):
        if any(contains(part, value) for part in level):
            return True
        level = [part for whole in level for part in parts_of(whole) if id(part) not in seen]
        seen |= {id(part) for part in level}
    return False


def contains(thing: Any, value: float) -> bool:
    """Whether something is a value, or an array or text that contains it."""
    if isinstance(thing, str):
        return str(value) in thing
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind == "f" and bool((thing == value).any())
    return isinstance(thing, float) and thing == value


def parts_of(thing: Any) -> Iterator[Any]:
    """The items, elements or fields of something."""
    if isinstance(thing, Mapping):
        yield from thing.values()
    elif isinstance(thing, list | tuple | set):
        yield from thing
    elif type(thing).__module__.partition(".")[0] in PACKAGES:
        yield from getattr(thing, "__dict__", {}).values()
        for base in type(thing).__mro__:
            slots = base.__dict__.get("__slots__", ())
            yield from (getattr(thing, name, None) for name in ([slots] if isinstance(slots, str) else slots))


def run(trace: Trace, config: str) -> None:
    """Trains a configuration in an empty folder under a trace, to the run's end or the trace's.

    Raises:
        RuntimeError: the run failed.
    """
    from scripts import train

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(config, encoding="utf-8")
        sys.setprofile(trace)
        try:
            result = CliRunner().invoke(train.app, ["--config", str(path), "--runs", folder])
        except Reached:
            return
        finally:
            sys.setprofile(None)
        if result.exit_code:
            raise RuntimeError(result.output) from result.exception


def traced(root: Path) -> Places:
    """Returns the counts of the checkout that is imported and lies in a folder.

    Raises:
        RuntimeError: a run failed, or met nothing of what is followed.
    """
    traces = {
        "c of cucb": (ValueTrace(root, C), VALUE_RUN),
        "traffic interval": (ValueTrace(root, INTERVAL_S), VALUE_RUN),
        "snapshot": (SnapshotTrace(root), SNAPSHOT_RUN),
    }
    places: Places = {}
    for subject, (trace, config) in traces.items():
        run(trace, config)
        if not any(trace.places().values()):
            raise RuntimeError(f"{subject}: the run does not meet it")
        places |= {f"{subject}: {count}": items for count, items in trace.places().items()}
    return places


if __name__ == "__main__":
    sys.stdout.write(json.dumps(traced(Path.cwd().resolve())))
