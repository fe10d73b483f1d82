"""Runs on the closed form: their snapshots, tables and pictures.

```
runs/<name>/curves.png                     EE, delivery, violations, attention over episodes; bands over seeds
            <label>-<n>.safetensors        what attention critics had learned after n episodes, buffer included
runs/<name>/<seed>/map.png                 nodes coloured by the spreading factor that they ended with
                   <label>/metrics.csv     one row per episode, and TensorBoard events
                   <label>/allocation.csv  the last allocation, a node per row
```
"""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from lora_marl.config import EnergyRun
from scripts.runs import plots
from scripts.runs.checkpoints import State
from scripts.runs.cli import ROOT, UsageError, console, errors
from scripts.runs.energy import allocations
from scripts.runs.energy.experiment import EnergyExperiment, Network, build_networks, episodes
from scripts.runs.figures import Band
from scripts.runs.folder import RunFolder
from scripts.runs.loop import RunType, curves_of
from scripts.runs.metrics import Row, columns_of
from scripts.runs.packets.experiment import node_ids
from scripts.runs.report import counted, estimate_record, with_spread
from scripts.runs.statistics import estimate

COLUMNS = {"EE [bits/mJ]": "ee_bits_per_mj", "mean delivery": "pdr", "violations": "violations",
           "share of the bound": "share_of_bound"}  # fmt: skip
_JUDGED = {"ee": "EE [bits/mJ]", "share": "share of the bound", "pdr": "mean delivery", "violations": "violations"}


class EnergyRunType(RunType[EnergyRun, EnergyExperiment]):
    """A run on the closed form; see `RunType`."""

    title, section = "a run on the closed form", "energy"
    axis, unit, snapshots = "episode", "episodes", 6

    @cached_property
    def networks(self) -> list[Network]:
        """One per seed; all labels share them."""
        return build_networks(self.config)

    @cached_property
    def node_ids(self) -> tuple[str, ...]:
        """Names of the nodes in the file that they were read from; empty: they have none."""
        return node_ids(self.config)

    def check(self) -> None:
        for label in self.config.learners:
            self.experiment(label)

    def experiment(self, label: str) -> EnergyExperiment:
        return EnergyExperiment(self.config, label, self.networks)

    def length(self, label: str) -> float:
        return episodes(self.config, label)

    def event(self, row: Row) -> tuple[int, dict[str, float]]:
        return round(row["episode"]), {
            f"{'metrics' if name in COLUMNS.values() else 'learner'}/{name}": value
            for name, value in row.items()
            if name != "episode"
        }

    def save(self, folder: RunFolder, label: str, experiment: EnergyExperiment) -> None:
        for network, seed, points in zip(self.networks, self.config.seeds, experiment.points, strict=True):
            allocations.write(folder.folder(label, seed) / allocations.FILE_NAME, network, points, self.node_ids)
        if experiment.training is not None:
            from agents.maac import state

            folder.replace_snapshot(
                label, experiment.done, ".safetensors",
                lambda path: state.write(path, experiment.training.learner),  # type: ignore[union-attr]
            )  # fmt: skip

    def restore(self, folder: RunFolder, label: str, experiment: EnergyExperiment) -> None:
        newest = folder.newest_snapshot(label, ".safetensors")
        if newest is None or experiment.training is None:
            return
        from agents.maac import state

        path, done = newest
        try:
            arrays = state.read(path)[1]
            try:
                experiment.load_state_dict(arrays | {"done": np.array(done)})
            except ValueError as error:
                raise state.damaged(path, error) from None
        except ValueError as error:
            raise UsageError(f"{error}; restore it, or train again with --overwrite") from None

    def report(self, folder: RunFolder, band: Band = Band.interval) -> list[dict[str, Any]]:
        config = self.config
        curves = {label: [folder.curve(label, seed) for seed in config.seeds] for label in config.learners}
        least = config.energy.least_delivery
        seeds = counted(len(config.seeds), "seed")
        title = f"{config.name}: last episode, {seeds}, a network each; delivery of at least {least:g}"
        table = Table(title=title, title_justify="left")
        for column in ("learner", *COLUMNS):
            table.add_column(column, overflow="fold", justify="left" if column == "learner" else "right")
        records: list[dict[str, Any]] = []
        for label, by_seed in curves.items():
            estimates = {name: estimate([curve[-1][name] for curve in by_seed]) for name in COLUMNS.values()}
            table.add_row(label, *map(with_spread, estimates.values()))
            records += [estimate_record(value, learner=label, metric=name) for name, value in estimates.items()]
        console.print(table, soft_wrap=False)
        console.print("mean over seeds (sd)")
        plots.draw_energy_curves(folder.path / "curves.png", f"{config.name}: {seeds}", curves, band=band)
        self._draw_maps(folder)
        console.print(f"metrics, allocations: {folder.path}/<seed>/<learner>/")
        console.print(f"pictures:             {folder.path}/curves.png, <seed>/map.png (.pdf, .svg)")
        console.print(f"learning curves:      tensorboard --logdir {folder.path}")
        return records

    def _draw_maps(self, folder: RunFolder) -> None:
        for network, seed in zip(self.networks, self.config.seeds, strict=True):
            points = {
                label: allocations.read(folder.folder(label, seed) / allocations.FILE_NAME, network)
                for label in self.config.learners
            }
            scenario, path = network.closed_form.scenario, folder.path / str(seed) / "map.png"
            plots.draw_map(path, f"{self.config.name}: seed {seed}", scenario, points, 0)

    def judge(self, folder: RunFolder) -> list[dict[str, Any]]:
        """Prints what the allocations of all labels are worth; returns a record per label, number and judge.

        Raises:
            UsageError: an allocation is missing or damaged.
        """
        config, least = self.config, self.config.energy.least_delivery
        title = f"{config.name}: {counted(len(config.seeds), 'network')}"
        table = Table(title=title, title_justify="left")
        for column in ("learner", "judge", *_JUDGED.values()):
            table.add_column(column, overflow="fold")
        records: list[dict[str, Any]] = []
        for label in config.learners:
            paths = [folder.folder(label, seed) / allocations.FILE_NAME for seed in config.seeds]
            if not all(path.exists() for path in paths):
                errors.print(f"note: {folder.path}: {label} has not finished and is left out", style="yellow")
                continue
            rows = [
                allocations.scores(network, allocations.read(path, network), least)
                for network, path in zip(self.networks, paths, strict=True)
            ]
            for judge in allocations.JUDGES:
                estimates = {name: estimate([row[f"{name}_{judge}"] for row in rows]) for name in _JUDGED}
                first = label if judge == allocations.JUDGES[0] else ""
                table.add_row(first, judge, *map(with_spread, estimates.values()))
                records += [
                    estimate_record(value, learner=label, metric=name, judge=judge) for name, value in estimates.items()
                ]
        console.print(table, soft_wrap=False)
        console.print(
            "mean over networks (sd); violations by packets: below by more than two standard errors of 2,000 packets"
        )
        return records

    def results(self, label: str) -> list[State]:
        """`row/<column>` `[episodes]`, `points` `[N, 4]`, `extra/<score>` of every seed.

        Scores are those of `allocations.scores`, `swaps` of the matching, and `cpu_s`: CPU time of a network, its
        matching included.
        """
        begin_s = time.process_time()
        experiment = self.experiment(label)
        curves = curves_of(experiment, len(self.networks))
        least, cpu_s = self.config.energy.least_delivery, (time.process_time() - begin_s) / len(curves)
        return [
            {
                **columns_of(curve),
                **{f"extra/{name}": np.array(v) for name, v in allocations.scores(network, points, least).items()},
                "extra/swaps": np.array(float(network.swaps)),
                "extra/cpu_s": np.array(cpu_s),
                "points": points,
            }
            for curve, network, points in zip(curves, self.networks, experiment.points, strict=True)
        ]

    def code(self, label: str) -> list[Path]:
        return [ROOT / folder for folder in ("lora_marl", "agents", "scripts/runs/energy")]

    def inputs(self, label: str) -> list[Path]:
        return self.config.scenario.files
