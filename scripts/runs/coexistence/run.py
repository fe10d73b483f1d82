"""A run of coexisting networks: runs every strategy on the same air, stores the sums, reports and draws.

```
runs/<name>/curves.png                     PRR, energy and overlap over time; bands over seeds
            channels.png                   channel by time of every network, a column for each strategy, first seed
            <label>.npz                    sums and airtimes of all intervals, networks and seeds
            <label>-<intervals>.npz        newest snapshot of a label that has not finished
runs/<name>/<seed>/<label>/metrics.csv     one row per interval, and TensorBoard events, by network
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from agents.coexistence.ledger import Ledger
from agents.coexistence.rollout import Rollout
from lora_marl.config import CoexistenceRun
from scripts.runs import checkpoints
from scripts.runs.checkpoints import State
from scripts.runs.cli import ROOT, UsageError, console, errors
from scripts.runs.coexistence.plots import draw_channels, draw_curves
from scripts.runs.coexistence.strategies import build_strategy, new_rollout
from scripts.runs.figures import Band
from scripts.runs.folder import RunFolder
from scripts.runs.loop import RunType, curves_of
from scripts.runs.metrics import Row, columns_of
from scripts.runs.report import counted, estimate_record, with_spread
from scripts.runs.statistics import estimate

COLUMNS = {"PRR": "prr", "EPN [mJ]": "epn_mj", "ATP": "atp", "delay [s]": "delay_s", "overlap": "overlap",
           "gain [%]": "gain_percent"}  # fmt: skip
"""Columns of the printed table, and the measures that they show; records have all measures."""

LEGEND = """mean over seeds (sd), from sums over networks and intervals
PRR: attempts received over attempts; EPN: energy over frames delivered; ATP: attempts over frames delivered
delay: from when a frame is generated to its first reception; overlap: of the networks' shares of channels, 0 to 1
gain: of PRR over {first}, paired by seed"""


class CoexistenceRunType(RunType[CoexistenceRun, Rollout]):
    """A run of coexisting networks; see `RunType`."""

    title, section = "a run of coexisting networks", "coexistence"
    axis, unit, snapshots = "interval", "intervals", 6

    def check(self) -> None:
        for label in self.config.learners:
            build_strategy(self.config, label)

    def experiment(self, label: str) -> Rollout:
        return new_rollout(self.config, label)

    def length(self, label: str) -> float:
        return self.config.coexistence.intervals

    def event(self, row: Row) -> tuple[int, dict[str, float]]:
        return round(row["interval"]), {_tag(name): value for name, value in row.items() if name != "interval"}

    def is_complete(self, folder: RunFolder, label: str) -> bool:
        return sums_path(folder, label).exists()

    def save(self, folder: RunFolder, label: str, experiment: Rollout) -> None:
        if experiment.finished:
            checkpoints.write(sums_path(folder, label), stored_sums(experiment.ledgers.by_replica()))
            folder.remove_snapshots(label, ".npz")
        else:
            state = experiment.state_dict()
            folder.replace_snapshot(label, experiment.done, ".npz", lambda path: checkpoints.write(path, state))

    def restore(self, folder: RunFolder, label: str, experiment: Rollout) -> None:
        newest = folder.newest_snapshot(label, ".npz")
        if newest is None:
            return
        path, _ = newest
        try:
            experiment.load_state_dict(checkpoints.read(path))
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"{path}: is no snapshot of this run ({error}); restore it, or train again with --overwrite"
            ) from None

    def report(self, folder: RunFolder, band: Band = Band.interval) -> list[dict[str, Any]]:
        config, records = self.config, self.judge(folder)
        curves = {label: [folder.curve(label, seed) for seed in config.seeds] for label in config.learners}
        title = f"{config.name}: {counted(len(config.seeds), 'seed')}"
        draw_curves(folder.path / "curves.png", title, curves, band=band)
        airtimes_s = {label: ledgers_of(folder, label)[0].airtime_s for label in config.learners}
        rules = [network.learner for network in config.coexistence.networks]
        draw_channels(folder.path / "channels.png", f"{config.name}: seed {config.seeds[0]}", airtimes_s, rules)
        console.print(f"metrics:         {folder.path}/<seed>/<label>/")
        console.print(f"pictures:        {folder.path}/curves.png, channels.png (.pdf, .svg)")
        console.print(f"learning curves: tensorboard --logdir {folder.path}")
        return records

    def judge(self, folder: RunFolder) -> list[dict[str, Any]]:
        """Prints a table of all labels that have finished, and returns a record per label and number."""
        ledgers: dict[str, list[Ledger]] = {}
        for label in self.config.learners:
            if self.is_complete(folder, label):
                ledgers[label] = ledgers_of(folder, label)
            else:
                errors.print(f"note: {folder.path}: {label} has not finished and is left out", style="yellow")
        length = counted(self.config.coexistence.intervals, "interval")
        title = f"{self.config.name}: {length} of a minute, {counted(len(self.config.seeds), 'seed')}"
        table, records = results_table(title, ledgers)
        console.print(table, soft_wrap=False)
        console.print(LEGEND.format(first=next(iter(ledgers), "the first one")))
        return records

    def results(self, label: str) -> list[State]:
        """`row/<column>` `[T]`, `extra/<name>` (see `measures_of`), `sums` and `airtime_s`; `points` is empty."""
        rollout = self.experiment(label)
        curves = curves_of(rollout, len(self.config.seeds))
        return [
            {
                **columns_of(curve),
                **{f"extra/{name}": np.array(value) for name, value in measures_of(ledger).items()},
                "points": np.zeros((0, 4), np.int16),
                "sums": ledger.sums,
                "airtime_s": ledger.airtime_s,
            }
            for curve, ledger in zip(curves, rollout.ledgers.by_replica(), strict=True)
        ]

    def code(self, label: str) -> list[Path]:
        return [ROOT / folder for folder in ("lora_marl", "agents", "scripts/runs/coexistence")]

    def inputs(self, label: str) -> list[Path]:
        service = self.config.learners[label].parameters.get("service")
        files = [] if service is None else [ROOT / str(service)]
        vendors = sorted((ROOT / self.config.coexistence.vendors).glob("*.safetensors"))
        return vendors + [file for file in files if file.is_file()]


def results_table(title: str, ledgers: Mapping[str, Sequence[Ledger]]) -> tuple[Table, list[dict[str, Any]]]:
    """Returns the table, and a record per label and number; gains are over the first label.

    Args:
        title: Of the table.
        ledgers: By label, one for each seed.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("coordination", overflow="fold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    records: list[dict[str, Any]] = []
    reference: np.ndarray | None = None
    for label, by_seed in ledgers.items():
        measures = [ledger.measures() for ledger in by_seed]
        estimates = {name: estimate([values[name] for values in measures]) for name in measures[0]}
        prr = np.array([values["prr"] for values in measures])
        reference = prr if reference is None else reference
        estimates["gain_percent"] = estimate((100.0 * (prr / reference - 1.0)).tolist())
        shown = (estimates[name] for name in COLUMNS.values())
        table.add_row(label, *map(with_spread, shown))
        records += [estimate_record(value, learner=label, metric=name) for name, value in estimates.items()]
    return table, records


def sums_path(folder: RunFolder, label: str) -> Path:
    """Returns the file of a label's sums, which is there once the label has finished."""
    return folder.path / f"{label}.npz"


def stored_sums(ledgers: Sequence[Ledger]) -> dict[str, NDArray[np.float64]]:
    """Returns the arrays of a label's file: `sums` `[B, T, S, M]` and `airtime_s` `[B, T, S, C]` in s."""
    return {
        "sums": np.stack([ledger.sums for ledger in ledgers]),
        "airtime_s": np.stack([ledger.airtime_s for ledger in ledgers]),
    }


def ledgers_of(folder: RunFolder, label: str) -> list[Ledger]:
    """Returns the ledgers of a label, by seed.

    Raises:
        UsageError: it has not finished, or its file is damaged.
    """
    path = sums_path(folder, label)
    if not path.exists():
        raise UsageError(f"{path}: {label} has not finished; go on with train.py --resume")
    state = checkpoints.read(path)
    return [Ledger(*arrays) for arrays in zip(state["sums"], state["airtime_s"], strict=True)]


def _tag(column: str) -> str:
    name, _, network = column.rpartition("_")
    return f"server_{network}/{name}" if network.isdigit() else f"networks/{column}"


def measures_of(ledger: Ledger) -> dict[str, float | NDArray]:
    """Returns the measures that studies read: of all networks together, of parts of them, and of each.

    Returns:
        By name: those of `Ledger.measures`; `learning_<name>` of the networks that learn and `legacy_<name>` of those
        that do not (a stored name); `<name>_<s>` of network s.
    """
    measures: dict[str, float | NDArray] = dict(ledger.measures())
    for part, networks in (("learning", ledger.learns), ("legacy", ~ledger.learns)):
        if networks.any():
            of_part = ledger.measures(np.flatnonzero(networks).tolist())
            measures |= {f"{part}_{name}": of_part[name] for name in ("prr", "epn_mj", "atp", "pdr", "delay_s")}
    by_network = ledger.by_network()
    for name in ("prr", "epn_mj", "atp", "pdr"):
        measures |= {f"{name}_{s}": value for s, value in enumerate(by_network[name])}
    return measures
