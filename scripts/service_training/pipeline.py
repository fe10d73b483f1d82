"""Trains the coordination service: policies of vendors, rollouts of them, passes of offline training.

```
<work>/settings.json                      settings of the training; another one needs a folder of its own
       cpu_s.json                         CPU seconds by stage
       rollouts-<pass>/<i>.safetensors    snapshots of a rollout; pass 0 without the service
       training-<pass>.safetensors        an unfinished pass of training
       service-<pass>.safetensors         the service after a pass
<out>/<kind>-<v>.safetensors              a vendor's policy
      service.safetensors                 the service that runs use
```

Files that exist are not made again, and an unfinished pass continues from its last state to the same numbers: the same
command resumes. Vendors' policies and the first rollouts, which know no service, can be taken from another training.
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
from scripts.runs.coexistence.rollouts import Rollouts
from scripts.runs.files import loaded, read_json, write_json
from scripts.service_training.training_data import pretrain_vendors

SETTINGS, CPU_S = "settings.json", "cpu_s.json"
"""Names of files in the work folder."""


@contextmanager
def count_cpu_s(path: Path, stage: str) -> Iterator[None]:
    """Adds the CPU seconds of the block to those of a stage, also where the block is interrupted."""
    began_s = time.process_time()
    try:
        yield
    finally:
        before = cpu_s_by_stage(path)
        write_json(path, before | {stage: before.get(stage, 0.0) + time.process_time() - began_s})


def cpu_s_by_stage(path: Path) -> dict[str, float]:
    """Returns the CPU seconds of every stage so far."""
    return read_json(path) if path.exists() else {}


def copy_vendors(source: Path, paths: list[Path]) -> None:
    """Copies the policies of the same names that do not exist yet.

    Raises:
        ValueError: the source folder lacks one, naming it.
    """
    for path in (path for path in paths if not path.exists()):
        if not (source / path.name).exists():
            raise ValueError(f"{source}: has no vendor's policy {path.name}; {len(paths)} of the kind are wanted")
        write_atomically(path, partial(shutil.copyfile, source / path.name))


def first_rollouts(work: Path, settings: Mapping[str, str], count: int) -> Path:
    """Returns the folder of another training's first rollouts, if they are what this one's would be.

    Args:
        work: Work folder of the other training.
        settings: Settings of this training, as its file has them.
        count: How many rollouts are needed.

    Raises:
        ValueError: they are of other vendors, worlds or times, or some are missing, naming it.
    """
    if not (work / SETTINGS).exists():
        raise ValueError(f"{work}: has no {SETTINGS}, which states what its rollouts are of")
    others = read_json(work / SETTINGS)
    for name in ("seen", "intervals", "seed", "passes"):
        # Of the passes, what is played before the first one counts; how they are trained does not.
        ours, theirs = (text.partition(", steps=")[0] for text in (settings[name], others.get(name, "nothing")))
        if ours != theirs:
            raise ValueError(f"{work}: its rollouts are of {name} = {theirs}, not {ours}")
    folder = work / "rollouts-0"
    for i in range(count):
        if not (folder / f"{i}.safetensors").exists():
            raise ValueError(f"{folder}: has no rollout {i}; {count} are wanted")
    return folder


PATTERNS = 24
"""Views of networks that become public probes."""

STATE_EVERY = 100
"""Steps of training between two states that are kept."""

PLACES = ("out", "work", "vendors_from", "rollouts_from")
"""Fields that say where files are, and are no settings of the training."""

Bar = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]
"""Shows progress: takes what is done, the total and its unit, and yields a function of the number that is done."""


@dataclass(frozen=True)
class Pass:
    """A pass of training on all snapshots so far.

    Its `repr` is stored in settings and services, so that the names here are data.

    Attributes:
        rollouts: How many are played before it, in the first pass without the service.
        intervals: Of each rollout.
        at: Intervals after which snapshots are taken.
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
"""Ten rollouts with the service in the loop trained a better one than sixty (`docs/coexistence_tables.md`)."""


@dataclass(frozen=True)
class ServiceTraining:
    """A training of the service, from vendors' policies on.

    Names and `repr` of all fields but `PLACES` are stored in settings and services, so that they are data.

    Attributes:
        out: Folder of vendors and service.
        work: Folder of everything else.
        vendors: How many vendors of each kind there are.
        seen: How many of them, the first ones, take part in training.
        intervals: How long a vendor learns.
        passes: Of training.
        design, hyper: Of the service.
        constants: Of the model of the air.
        seed: Of rollouts and training.
        vendors_from: Folder whose vendors' policies are copied; None: they are trained.
        rollouts_from: Work folder of another training whose first rollouts are used; None: they are played.
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

    def run(self, bar: Bar) -> None:
        """Makes every file that does not exist yet.

        Args:
            bar: Shows progress.

        Raises:
            ValueError: a folder is of another training, or lacks what is to be taken from it, naming it.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)
        self._check_settings()
        with threads(1):
            if self.rollouts_from is None or len(self.passes) > 1:
                with count_cpu_s(self.work / CPU_S, "vendors"):
                    self._vendors(bar)
            coordinator, snapshots = None, list[Snapshots]()
            for number in range(len(self.passes)):
                with count_cpu_s(self.work / CPU_S, f"rollouts-{number}"):
                    snapshots += self._rollouts(number, coordinator, bar)
                with count_cpu_s(self.work / CPU_S, f"training-{number}"):
                    coordinator = self._train(number, coordinator, snapshots, bar)
        assert coordinator is not None
        coordinator.made = self._settings()
        write_atomically(self.out / "service.safetensors", coordinator.save)

    def _check_settings(self) -> None:
        """Raise ValueError when the work folder is of another training, whose files would be taken for this one's."""
        settings, path = self._settings(), self.work / SETTINGS
        if path.exists():
            before = read_json(path)
            for name in (name for name in settings if before.get(name) != settings[name]):
                raise ValueError(f"{self.work}: was begun with {name} = {before.get(name)}, not {settings[name]}")
        write_json(path, settings)

    def _settings(self) -> dict[str, str]:
        return {name: repr(value) for name, value in vars(self).items() if name not in PLACES}

    def _vendors(self, bar: Bar) -> None:
        """Trains the policies that are missing, those of a kind side by side."""
        for kind in SERVERS:
            paths = [vendor_path(self.out.resolve(), kind, vendor) for vendor in range(self.vendors)]
            if self.vendors_from is not None:
                copy_vendors(self.vendors_from, paths)
            missing = [vendor for vendor, path in enumerate(paths) if not path.exists()]
            if not missing:
                continue
            with bar(f"vendors, {kind}", self.intervals, "intervals") as advance:
                diagnostics = pretrain_vendors(self.out, kind, missing, self.intervals)  # type: ignore[arg-type]
                for done, _ in enumerate(diagnostics, 1):
                    advance(done)

    def _rollouts(self, number: int, coordinator: Coordinator | None, bar: Bar) -> list[Snapshots]:
        """The snapshots of the rollouts before a pass."""
        of_pass, folder = self.passes[number], self.work / f"rollouts-{number}"
        if number == 0 and self.rollouts_from is not None:
            folder = first_rollouts(self.rollouts_from, self._settings(), of_pass.rollouts)
        folder.mkdir(exist_ok=True)
        seed = 100 * self.seed + number
        rollouts = Rollouts(self.out.resolve(), range(self.seen), seed, of_pass.intervals, of_pass.at, coordinator)
        snapshots = []
        with bar(f"rollouts, pass {number}", of_pass.rollouts, "rollouts") as advance:
            for i in range(of_pass.rollouts):
                path = folder / f"{i}.safetensors"
                if not path.exists():
                    write_atomically(path, rollouts.run(i).save)
                snapshots.append(loaded(path, Snapshots.load))
                advance(i + 1)
        return snapshots

    def _train(self, number: int, coordinator: Coordinator | None, snapshots: list[Snapshots], bar: Bar) -> Coordinator:
        """The service after a pass, trained on from the one before it."""
        finished, state = self.work / f"service-{number}.safetensors", self.work / f"training-{number}.safetensors"
        if finished.exists():
            return Coordinator.load(finished)
        of_pass = self.passes[number]
        if coordinator is None:
            coordinator = Coordinator(public_probes(snapshots, PATTERNS, self.seed), self.design, self.seed)
        coordinator, proxy = coordinator.requires_grad_(True), Proxy(self.constants)
        training = Training(coordinator, proxy, snapshots, self.seed + number, self.hyper)
        if state.exists():
            training.load_state_dict(loaded(state, load_file))
        with bar(f"training, pass {number}", of_pass.steps, "steps") as advance:

            def progress(step: int, terms: dict[str, float]) -> None:
                advance(step)
                if step % STATE_EVERY == 0 and step < of_pass.steps:
                    write_atomically(state, lambda path: save_file(training.state_dict(), path))

            training.run(of_pass.steps, of_pass.learning_rate, progress)
        write_atomically(finished, coordinator.save)
        state.unlink(missing_ok=True)
        return Coordinator.load(finished)


def shortened(training: ServiceTraining, times: int = 20) -> ServiceTraining:
    """Returns a training of `times` fewer rollouts, steps and intervals of vendors, to see that it works."""
    passes = tuple(replace(p, rollouts=max(2, p.rollouts // times), steps=p.steps // times) for p in training.passes)
    return replace(training, passes=passes, intervals=training.intervals // times)
