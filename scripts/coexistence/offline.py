"""Makes the coordination service: vendors' policies, rollouts of them, offline training with the service in the loop.

```
<work>/settings.json                      of the making; another one needs a folder of its own
       rollouts-<pass>/<i>.safetensors   snapshots of a rollout; pass 0 without the service
       training-<pass>.safetensors       an unfinished pass of training
       service-<pass>.safetensors        the service after a pass
<out>/<kind>-<v>.safetensors             a vendor's policy
      service.safetensors                the service that runs use
```

Everything that is there is not made again, and an unfinished pass goes on from its last state to the same numbers, so
the same command resumes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.torch import load_file, save_file

from agents.ccs.coordinator import Coordinator, Design
from agents.ccs.hyperparameters import Hyperparameters
from agents.ccs.moment import public_probes
from agents.ccs.proxy import Proxy
from agents.ccs.snapshots import Snapshots
from agents.ccs.training import Training
from agents.maac.threads import threads
from scripts.coexistence.dataset import Rollouts
from scripts.coexistence.networks import KINDS, vendor_path
from scripts.coexistence.vendors import make_vendors

PATTERNS = 24
STATE_EVERY = 100

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
    Pass(80, 100, (5, 25, 50, 75, 100), 2800, 2e-3),
    Pass(30, 90, (15, 30, 45, 60, 75, 90), 2200, 1e-3),
    Pass(30, 90, (15, 30, 45, 60, 75, 90), 2200, 1e-3),
)


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
        seed: Of rollouts and training.
    """

    out: Path
    work: Path
    vendors: int = 8
    seen: int = 5
    intervals: int = 2_500
    passes: tuple[Pass, ...] = PASSES
    design: Design = field(default_factory=Design)
    hyper: Hyperparameters = field(default_factory=Hyperparameters)
    seed: int = 0

    def make(self, bar: Bar) -> None:
        """Makes whatever is not there yet; `bar(what, total, unit)` shows progress."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)
        self._check_same()
        with threads(1):
            self.make_vendors(bar)
            coordinator, data = None, list[Snapshots]()
            for number in range(len(self.passes)):
                data += self.make_rollouts(number, coordinator, bar)
                coordinator = self.make_service(number, coordinator, data, bar)
        shutil.copyfile(self._service(len(self.passes) - 1), self.out / "service.safetensors")

    def _check_same(self) -> None:
        """Raise ValueError when the folder is of another making, whose parts would be taken for this one's."""
        settings = json.dumps({name: repr(value) for name, value in vars(self).items() if name not in ("out", "work")})
        path = self.work / "settings.json"
        if path.exists():
            before, now = json.loads(path.read_text(encoding="utf-8")), json.loads(settings)
            for name in (name for name in now if before.get(name) != now[name]):
                raise ValueError(f"{self.work}: was begun with {name} = {before.get(name)}, not {now[name]}")
        path.write_text(settings, encoding="utf-8")

    def make_vendors(self, bar: Bar) -> None:
        """Those of a kind that are missing, side by side."""
        for kind in KINDS:
            missing = [v for v in range(self.vendors) if not vendor_path(self.out.resolve(), kind, v).exists()]
            if not missing:
                continue
            with bar(f"vendors, {kind}", self.intervals, "intervals") as advance:
                told = make_vendors(self.out, kind, missing, self.intervals)  # type: ignore[arg-type]
                for done, _ in enumerate(told, 1):
                    advance(done)

    def make_rollouts(self, number: int, coordinator: Coordinator | None, bar: Bar) -> list[Snapshots]:
        """The snapshots of a pass."""
        own, folder = self.passes[number], self.work / f"rollouts-{number}"
        folder.mkdir(exist_ok=True)
        seed = 100 * self.seed + number
        rollouts = Rollouts(self.out.resolve(), range(self.seen), seed, own.intervals, own.at, coordinator)
        found = []
        with bar(f"rollouts, pass {number}", own.rollouts, "rollouts") as advance:
            for i in range(own.rollouts):
                path = folder / f"{i}.safetensors"
                if not path.exists():
                    _whole(path, rollouts.play(i).save)
                found.append(Snapshots.load(path))
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
        training = Training(coordinator.requires_grad_(True), Proxy(), data, self.seed + number, self.hyper)
        if state.exists():
            training.load_state_dict(load_file(state))
        with bar(f"training, pass {number}", own.steps, "steps") as advance:

            def progress(step: int, terms: dict[str, float]) -> None:
                advance(step)
                if step % STATE_EVERY == 0 and step < own.steps:
                    _whole(state, lambda path: save_file(training.state_dict(), path))

            training.run(own.steps, own.learning_rate, progress)
        _whole(finished, coordinator.save)
        state.unlink(missing_ok=True)
        return Coordinator.load(finished)

    def _service(self, number: int) -> Path:
        return self.work / f"service-{number}.safetensors"


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file that is there only when it is complete."""
    part = path.with_suffix(".part")
    write(part)
    part.replace(path)
