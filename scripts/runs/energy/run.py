"""A run on the closed form: trains and plans, keeps everything on disk as packets' runs do, reports, draws.

```
runs/<name>/curves.png                     EE, delivery, violations, attention over episodes; bands over seeds
            <label>-<n>.safetensors        what attention critics had learned after n episodes, buffer included
runs/<name>/<seed>/map.png                 nodes coloured by the spreading factor that they ended with
                   <label>/metrics.csv     one row per episode, and TensorBoard events
                   <label>/allocation.csv  the last allocation, a node per row
```

What is kept of a label that was played for a study: rows, the last allocation, and what three judges say of it.
"""

from __future__ import annotations

import time
import numpy as np
from lora_marl.config import TrainConfig
from scripts.runs.energy.stages import energy_of, networks_of
from scripts.runs.energy.evaluate import scores
from scripts.runs.energy.stages import Stages
from scripts.runs.metrics import Row
from scripts.runs.checkpoints import State
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from rich.markup import escape
from rich.table import Table
from scripts.runs import plots
from scripts.runs.cli import console
from scripts.runs.energy import evaluate as allocations
from scripts.runs.energy.evaluate import evaluate
from scripts.runs.energy.stages import Network, energy_of, networks_of
from scripts.runs.statistics import estimate
from scripts.runs.events import EventFile
from scripts.runs.progress import StopRequest, counting
from scripts.runs.report import number
from scripts.runs.folder import RunFolder


EXTRA, ROW = "extra/", "row/"


def states_of(config: TrainConfig, label: str) -> list[State]:
    """A state of every seed: `row/<column>` `[episodes]`, `points` `[N, 4]`, `extra/<score>`.

    Scores are those of `scoring`, `swaps` of the matching, and `cpu_s`: CPU time of a network, its matching included.
    """
    begun_s = time.process_time()
    stages = Stages(config, label, networks_of(config))
    curves: list[list[Row]] = [[] for _ in stages.networks]
    while not stages.finished:
        for curve, row in zip(curves, stages.play_next(), strict=True):
            curve.append(row)
    least, cpu_s = energy_of(config).least_delivery, (time.process_time() - begun_s) / len(curves)
    return [
        {
            **{ROW + name: np.array([row[name] for row in curve]) for name in curve[0]},
            **{EXTRA + name: np.array(value) for name, value in scores(network, points, least).items()},
            EXTRA + "swaps": np.array(float(network.swaps)),
            EXTRA + "cpu_s": np.array(cpu_s),
            "points": points,
        }
        for curve, network, points in zip(curves, stages.networks, stages.points, strict=True)
    ]


__all__ = ["SOURCES", "TITLE", "Run", "evaluate", "states_of"]

TITLE, SOURCES = "a run on the closed form", ("scripts/runs/energy",)
COLUMNS = {"EE [bits/mJ]": "ee_bits_per_mj", "mean delivery": "pdr", "violations": "violations",
           "share of the bound": "share_of_bound"}  # fmt: skip
_SNAPSHOTS = 6


class Run:
    """All labels on the networks of a run's seeds.

    Raises:
        ConfigError: what cannot be built, naming it.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.networks = folder, networks_of(folder.config)
        for label in folder.config.learners:
            Stages(folder.config, label, self.networks)

    def play(self, stop: StopRequest) -> bool:
        """All labels from their newest snapshots on; False: a stop was requested."""
        return all(train(self.folder, label, self.networks, stop) for label in self.folder.config.learners)

    def report(self) -> list[dict[str, object]]:
        """See `report`."""
        return report(self.folder, self.networks)


def train(folder: RunFolder, label: str, networks: Sequence[Network], stop: StopRequest) -> bool:
    """One label from its newest snapshot on; False: a stop was requested."""
    stages, seeds = restored(folder, label, networks), folder.config.seeds
    every = max(1, stages.episodes // _SNAPSHOTS)
    with ExitStack() as opened:
        events = {seed: opened.enter_context(EventFile(folder.folder(label, seed))) for seed in seeds}
        for seed in seeds:
            for row in folder.cut(label, seed, stages.done):
                events[seed].add(*event(row))
        advance = opened.enter_context(counting(label, stages.episodes, "episodes"))
        advance(stages.done)
        while not stages.finished and not stop.requested:
            for seed, row in zip(seeds, stages.play_next(), strict=True):
                folder.append(label, seed, row)
                events[seed].add(*event(row))
            advance(stages.done)
            if stages.done % every == 0 or stages.finished or stop.requested:
                keep(folder, label, stages)
    return stages.finished


def keep(folder: RunFolder, label: str, stages: Stages) -> None:
    """Writes allocations and a snapshot, and only then removes the older ones."""
    for network, seed, points in zip(stages.networks, folder.config.seeds, stages.points, strict=True):
        allocations.write(folder.folder(label, seed) / allocations.NAME, network, points)
    newest = folder.path / f"{label}-{stages.done:06d}.safetensors"
    stages.save(newest)
    for path in _snapshots(folder, label):
        if path.name < newest.name:
            path.unlink()


def restored(folder: RunFolder, label: str, networks: Sequence[Network]) -> Stages:
    """A label where its newest snapshot left it, or at its beginning.

    Raises:
        UsageError: a snapshot that is damaged, or of another run.
    """
    stages = Stages(folder.config, label, networks)
    for newest in _snapshots(folder, label)[-1:]:
        stages.load(newest, int(newest.stem.rpartition("-")[2]))
    return stages


def event(row: Row) -> tuple[int, Row]:
    """A row for TensorBoard: the episode, and its numbers by tag."""
    return round(row["episode"]), {
        f"{'learner' if name not in COLUMNS.values() else 'metrics'}/{name}": value
        for name, value in row.items()
        if name != "episode"
    }


def report(folder: RunFolder, networks: Sequence[Network]) -> list[dict[str, object]]:
    """Prints the table, draws the pictures, says where everything is; for machines: a record per label and number."""
    run = folder.config
    curves = {label: [folder.curve(label, seed) for seed in run.seeds] for label in run.learners}
    least = energy_of(run).least_delivery
    title = f"{run.name}: {len(run.seeds)} seeds, a network each; delivery of at least {least:g}"
    table = Table("learner", *map(escape, COLUMNS), title=title, title_justify="left")
    records: list[dict[str, object]] = []
    for label, by_seed in curves.items():
        found = {name: estimate([curve[-1][name] for curve in by_seed]) for name in COLUMNS.values()}
        table.add_row(label, *(f"{number(each.mean)} ({number(each.spread)})" for each in found.values()))
        records += [
            {"learner": label, "metric": name, "mean": each.mean, "sd": each.spread, "seeds": each.seeds}
            for name, each in found.items()
        ]
    console.print(table)
    console.print("mean over seeds (sd)")
    plots.draw_energy_curves(folder.path / "curves.png", title, curves)
    for network, seed in zip(networks, run.seeds, strict=True):
        points = {label: allocations.read(folder.folder(label, seed) / allocations.NAME, network) for label in curves}
        scenario = network.closed_form.scenario
        plots.draw_map(folder.path / str(seed) / "map.png", f"{run.name}: seed {seed}", scenario, points, 0)
    console.print(f"metrics, allocations: {folder.path}/<seed>/<learner>/", markup=False)
    console.print(f"pictures:             {folder.path}/curves.png, <seed>/map.png", markup=False)
    console.print(f"learning curves:      tensorboard --logdir {folder.path}", markup=False)
    return records


def _snapshots(folder: RunFolder, label: str) -> list[Path]:
    return sorted(folder.path.glob(f"{label}-[0-9][0-9][0-9][0-9][0-9][0-9].safetensors"))
