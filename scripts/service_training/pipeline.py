"""Makes the coordination service: vendors' policies, rollouts of them, offline training with the service in the loop.

```
<work>/settings.json                      of the making; another one needs a folder of its own
       cpu_s.json                         CPU seconds by stage
       rollouts-<pass>/<i>.safetensors   snapshots of a rollout; pass 0 without the service
       training-<pass>.safetensors       an unfinished pass of training
       service-<pass>.safetensors        the service after a pass
<out>/<kind>-<v>.safetensors             a vendor's policy
      service.safetensors                the service that runs use
```

Everything that is there is not made again, and an unfinished pass goes on from its last state to the same numbers, so
the same command resumes.

What the stages of a making cost: CPU seconds, in a file that goes on when the making does.

Parts of other makings of the service: vendors' policies, and the first rollouts, which know no service.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from safetensors.torch import load_file, save_file

from agents.ccs.dataset import Snapshots, public_probes
from agents.ccs.model import Coordinator, Design
from agents.ccs.proxy import Constants, Proxy
from agents.ccs.training import Hyperparameters, Training
from agents.torch_utils import threads
from lora_marl.core.files import write_atomically
from scripts.runs.coexistence.networks import SERVERS, vendor_path
from scripts.runs.files import loaded, read_json, write_json
from scripts.service_training.rollouts import Rollouts
from scripts.service_training.vendors import make_vendors


@contextmanager
def spending(path: Path, stage: str) -> Iterator[None]:
    """Adds the CPU seconds of the block to those of the stage, also where the block is interrupted."""
    began_s = time.process_time()
    try:
        yield
    finally:
        before = spent(path)
        write_json(path, before | {stage: before.get(stage, 0.0) + time.process_time() - began_s})


def spent(path: Path) -> dict[str, float]:
    """CPU seconds by stage, so far."""
    return read_json(path) if path.exists() else {}


SETTINGS = "settings.json"


def take_vendors(other: Path, paths: list[Path]) -> None:
    """Copies policies of the same names that are not there yet. ValueError: the other folder lacks one, naming it."""
    for path in (path for path in paths if not path.exists()):
        if not (other / path.name).exists():
            raise ValueError(f"{other}: has no vendor's policy {path.name}; {len(paths)} of the kind are wanted")
        write_atomically(path, partial(shutil.copyfile, other / path.name))


def first_rollouts(other: Path, settings: Mapping[str, str], count: int) -> Path:
    """The folder of another making's first rollouts, if they are what this one's would be.

    Args:
        other: Folder of its work.
        settings: Of this making, as its file has them.
        count: How many there must be.

    Raises:
        ValueError: they are of other vendors, worlds or times, or some are missing, naming it.
    """
    if not (other / SETTINGS).exists():
        raise ValueError(f"{other}: has no {SETTINGS}, so nobody knows what its rollouts are of")
    before = read_json(other / SETTINGS)
    for name in ("seen", "intervals", "seed", "passes"):
        # Of the passes what is played before the first one counts; how they are trained does not.
        ours, theirs = (text.partition(", steps=")[0] for text in (settings[name], before.get(name, "nothing")))
        if ours != theirs:
            raise ValueError(f"{other}: its rollouts are of {name} = {theirs}, not {ours}")
    folder = other / "rollouts-0"
    for i in range(count):
        if not (folder / f"{i}.safetensors").exists():
            raise ValueError(f"{folder}: has no rollout {i}; {count} are wanted")
    return folder


PATTERNS = 24
STATE_EVERY = 100
CPU_S = "cpu_s.json"
PLACES = ("out", "work", "vendors_from", "rollouts_from")

Bar = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Pass:
    """A pass of training on all snapshots so far.

    Attributes:
        rollouts: Played before it, the first pass's without the service.
        intervals: Of each.
        at: When snapshots are taken.
        steps: Of training.
        learning_rate: At the beginning.
    """

    rollouts: int
    intervals: int
    at: tuple[int, ...]
    steps: int
    learning_rate: float


PASSES = (
    Pass(80, 100, (5, 25, 50, 75, 100), 800, 2e-3),
    Pass(10, 90, (15, 30, 45, 60, 75, 90), 3200, 2e-3),
)
"""Ten rollouts with the service in the loop trained a better one than sixty (`docs/coexistence.md`, at its end)."""


@dataclass(frozen=True)
class Offline:
    """The whole making.

    Attributes:
        out: Folder of vendors and service.
        work: Folder of everything else.
        vendors: How many of each kind.
        seen: How many of them, the first ones, take part in training.
        intervals: That a vendor learns.
        passes: Of training.
        design, hyper: Of the service.
        constants: Of the model of the air.
        seed: Of rollouts and training.
        vendors_from: Folder whose vendors' policies are taken; None: they are made.
        rollouts_from: Folder of another making's work whose first rollouts are taken, which know no service.
    """

    out: Path
    work: Path
    vendors: int = 8
    seen: int = 5
    intervals: int = 2_500
    passes: tuple[Pass, ...] = PASSES
    design: Design = field(default_factory=Design)
    hyper: Hyperparameters = field(default_factory=Hyperparameters)
    constants: Constants = field(default_factory=Constants)
    seed: int = 0
    vendors_from: Path | None = None
    rollouts_from: Path | None = None

    def make(self, bar: Bar) -> None:
        """Makes whatever is not there yet; `bar(what, total, unit)` shows progress.

        Raises:
            ValueError: a folder is of another making, or lacks what is to be taken from it, naming it.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)
        self._check_same()
        with threads(1):
            if self.rollouts_from is None or len(self.passes) > 1:
                with spending(self.work / CPU_S, "vendors"):
                    self.make_vendors(bar)
            coordinator, data = None, list[Snapshots]()
            for number in range(len(self.passes)):
                with spending(self.work / CPU_S, f"rollouts-{number}"):
                    data += self.make_rollouts(number, coordinator, bar)
                with spending(self.work / CPU_S, f"training-{number}"):
                    coordinator = self.make_service(number, coordinator, data, bar)
        assert coordinator is not None
        coordinator.made = self._settings()
        write_atomically(self.out / "service.safetensors", coordinator.save)

    def _check_same(self) -> None:
        """Raise ValueError when the folder is of another making, whose parts would be taken for this one's."""
        now, path = self._settings(), self.work / SETTINGS
        if path.exists():
            before = read_json(path)
            for name in (name for name in now if before.get(name) != now[name]):
                raise ValueError(f"{self.work}: was begun with {name} = {before.get(name)}, not {now[name]}")
        write_json(path, now)

    def _settings(self) -> dict[str, str]:
        return {name: repr(value) for name, value in vars(self).items() if name not in PLACES}

    def make_vendors(self, bar: Bar) -> None:
        """Those of a kind that are missing, side by side."""
        for kind in SERVERS:
            paths = [vendor_path(self.out.resolve(), kind, v) for v in range(self.vendors)]
            if self.vendors_from is not None:
                take_vendors(self.vendors_from, paths)
            missing = [v for v, path in enumerate(paths) if not path.exists()]
            if not missing:
                continue
            with bar(f"vendors, {kind}", self.intervals, "intervals") as advance:
                told = make_vendors(self.out, kind, missing, self.intervals)  # type: ignore[arg-type]
                for done, _ in enumerate(told, 1):
                    advance(done)

    def make_rollouts(self, number: int, coordinator: Coordinator | None, bar: Bar) -> list[Snapshots]:
        """The snapshots of a pass."""
        own, folder = self.passes[number], self.work / f"rollouts-{number}"
        if number == 0 and self.rollouts_from is not None:
            folder = first_rollouts(self.rollouts_from, self._settings(), own.rollouts)
        folder.mkdir(exist_ok=True)
        seed = 100 * self.seed + number
        rollouts = Rollouts(self.out.resolve(), range(self.seen), seed, own.intervals, own.at, coordinator)
        found = []
        with bar(f"rollouts, pass {number}", own.rollouts, "rollouts") as advance:
            for i in range(own.rollouts):
                path = folder / f"{i}.safetensors"
                if not path.exists():
                    write_atomically(path, rollouts.play(i).save)
                found.append(loaded(path, Snapshots.load))
                advance(i + 1)
        return found

    def make_service(self, number: int, before: Coordinator | None, data: list[Snapshots], bar: Bar) -> Coordinator:
        """The service after a pass."""
        finished, state = self._service(number), self.work / f"training-{number}.safetensors"
        if finished.exists():
            return Coordinator.load(finished)
        own, coordinator = self.passes[number], before
        if coordinator is None:
            coordinator = Coordinator(public_probes(data, PATTERNS, self.seed), self.design, self.seed)
        coordinator, proxy = coordinator.requires_grad_(True), Proxy(self.constants)
        training = Training(coordinator, proxy, data, self.seed + number, self.hyper)
        if state.exists():
            training.load_state_dict(loaded(state, load_file))
        with bar(f"training, pass {number}", own.steps, "steps") as advance:

            def progress(step: int, terms: dict[str, float]) -> None:
                advance(step)
                if step % STATE_EVERY == 0 and step < own.steps:
                    write_atomically(state, lambda path: save_file(training.state_dict(), path))

            training.run(own.steps, own.learning_rate, progress)
        write_atomically(finished, coordinator.save)
        state.unlink(missing_ok=True)
        return Coordinator.load(finished)

    def _service(self, number: int) -> Path:
        return self.work / f"service-{number}.safetensors"


def shortened(making: Offline, times: int = 20) -> Offline:
    """A making of so many times fewer rollouts, steps and intervals of vendors, to see that it works."""
    passes = tuple(replace(p, rollouts=max(2, p.rollouts // times), steps=p.steps // times) for p in making.passes)
    return replace(making, passes=passes, intervals=making.intervals // times)
