"""A run of coexisting networks: plays every way of coordinating them on the same air, keeps it on disk, reports, draws.

```
runs/<name>/curves.png                     PRR, energy and overlap over time; bands over seeds
            channels.png                   channel by time of every network, a column for each way, first seed
            <label>.npz                    sums and airtimes of all intervals, networks and seeds
runs/<name>/<seed>/<label>/metrics.csv     one row per interval, and TensorBoard events, by network
```

A label that was stopped is played again from its beginning by `--resume`, to the same numbers; one that had finished is
not.

The table of a run of coexisting networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import numpy as np
from rich.markup import escape
from rich.table import Table
from agents.coexistence.ledger import Ledger
from scripts.runs.statistics import estimate
from scripts.runs.report import number
from contextlib import ExitStack
from pathlib import Path
from numpy.typing import NDArray
from lora_marl.config import TrainConfig
from lora_marl.envs.rewards import TermError
from scripts.runs import checkpoints
from scripts.runs.cli import UsageError, console, errors
from scripts.runs.coexistence.play import coexistence_of, environment
from scripts.runs.coexistence.play import Play, sums_of
from agents.coexistence.rules import way_of
from scripts.runs.events import EventFile
from scripts.runs.metrics import Row
from scripts.runs.coexistence.plots import draw_channels, draw_curves
from scripts.runs.progress import StopRequest, counting
from scripts.runs.report import counted
from scripts.runs.folder import RunFolder
from scripts.runs.checkpoints import State


COLUMNS = {"PRR": "prr", "EPN [mJ]": "epn_mj", "ATP": "atp", "delay [s]": "delay_s", "overlap": "overlap",
           "gain [%]": "gain_percent"}  # fmt: skip
"""What is shown; records have all measures."""

LEGEND = """mean over seeds (sd), from sums over networks and intervals
PRR: attempts received over attempts; EPN: energy over frames delivered; ATP: attempts over frames delivered
delay: from a frame's birth to its first reception; overlap: of the networks' shares of channels, 0 to 1
gain: of PRR over {first}, paired by seed"""


def results_table(title: str, ledgers: Mapping[str, Sequence[Ledger]]) -> tuple[Table, list[dict[str, object]]]:
    """The table, and a record per label and number; gains are over the first label."""
    table = Table(title=title, title_justify="left")
    table.add_column("coordination", no_wrap=True)
    for column in COLUMNS:
        table.add_column(escape(column))
    records: list[dict[str, object]] = []
    reference: np.ndarray | None = None
    for label, by_seed in ledgers.items():
        measures = [ledger.measures() for ledger in by_seed]
        found = {name: estimate([each[name] for each in measures]) for name in measures[0]}
        prr = np.array([each["prr"] for each in measures])
        reference = prr if reference is None else reference
        found["gain_percent"] = estimate((100.0 * (prr / reference - 1.0)).tolist())
        shown = (found[name] for name in COLUMNS.values())
        table.add_row(label, *(f"{number(each.mean)} ({number(each.spread)})" for each in shown))
        records += [
            {"learner": label, "metric": name, "mean": each.mean, "sd": each.spread, "seeds": each.seeds}
            for name, each in found.items()
        ]
    return table, records


__all__ = ["SOURCES", "TITLE", "Run", "evaluate", "states_of"]

TITLE, SOURCES = "a run of coexisting networks", ("scripts/runs/coexistence",)


class Run:
    """All labels of a run.

    Raises:
        ConfigError: what cannot be built, naming it.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        for label in folder.config.learners:
            way_of(folder.config, label)

    def play(self, stop: StopRequest) -> bool:
        """All labels that have not finished; False: a stop was requested. UsageError: a reward term that fails."""
        labels = self.folder.config.learners
        try:
            return all(kept(self.folder, label).exists() or play(self.folder, label, stop) for label in labels)
        except TermError as error:
            raise UsageError(f"coexistence.{error}") from error

    def report(self) -> list[dict[str, object]]:
        """Prints the table, draws the pictures, says where everything is."""
        run, folder = self.folder.config, self.folder
        records = evaluate(folder)
        curves = {label: [folder.curve(label, seed) for seed in run.seeds] for label in run.learners}
        title = f"{run.name}: {counted(len(run.seeds), 'seed')}"
        draw_curves(folder.path / "curves.png", title, curves)
        airtimes_s = {label: ledgers_of(folder, label)[0].airtime_s for label in run.learners}
        rules = [network.learner for network in coexistence_of(run).networks]
        draw_channels(folder.path / "channels.png", f"{run.name}: seed {run.seeds[0]}", airtimes_s, rules)
        console.print(f"metrics:         {folder.path}/<seed>/<label>/", markup=False)
        console.print(f"pictures:        {folder.path}/curves.png, channels.png", markup=False)
        console.print(f"learning curves: tensorboard --logdir {folder.path}", markup=False)
        return records


def new_play(config: TrainConfig, label: str) -> Play:
    """A label of a run, before its first interval. ConfigError: what cannot be built, naming it."""
    way = way_of(config, label)
    env = environment(coexistence_of(config), len(config.seeds), per_packet=way.hops, indicator=way.indicator)
    return Play(env, way, config.seeds)


def play(folder: RunFolder, label: str, stop: StopRequest) -> bool:
    """Plays a label from its beginning; False: a stop was requested."""
    seeds, playing = folder.config.seeds, new_play(folder.config, label)
    with ExitStack() as opened:
        events = {}
        for seed in seeds:
            folder.cut(label, seed, 0)
            events[seed] = opened.enter_context(EventFile(folder.folder(label, seed)))
        advance = opened.enter_context(counting(label, playing.env.max_cycles, "intervals"))
        while not playing.finished and not stop.requested:
            playing.play_next()
            for seed, row in zip(seeds, playing.rows(), strict=True):
                folder.append(label, seed, row)
                events[seed].add(*event(row))
            advance(playing.done)
    if playing.finished:
        checkpoints.write(kept(folder, label), sums_of(playing.book.ledgers()))
    return playing.finished


def kept(folder: RunFolder, label: str) -> Path:
    """Where a label's sums are, once it has finished."""
    return folder.path / f"{label}.npz"


def ledgers_of(folder: RunFolder, label: str) -> list[Ledger]:
    """What came of a label, by seed.

    Raises:
        UsageError: it has not finished, or its file is damaged.
    """
    path = kept(folder, label)
    if not path.exists():
        raise UsageError(f"{path}: {label} has not finished; go on with train.py --resume")
    state = checkpoints.read(path)
    return [Ledger(*parts) for parts in zip(state["sums"], state["airtime_s"], strict=True)]


def event(row: Row) -> tuple[int, Row]:
    """A row for TensorBoard: the interval, and its numbers by tag, a folder for each network."""
    return round(row["interval"]), {_tag(name): value for name, value in row.items() if name != "interval"}


def _tag(column: str) -> str:
    name, _, number = column.rpartition("_")
    return f"server_{number}/{name}" if number.isdigit() else f"networks/{column}"


def evaluate(folder: RunFolder) -> list[dict[str, object]]:
    """Prints a table of all labels; for machines, a record per label and number."""
    run = folder.config
    ledgers: dict[str, list[Ledger]] = {}
    for label in run.learners:
        if kept(folder, label).exists():
            ledgers[label] = ledgers_of(folder, label)
        else:
            errors.print(f"note: {folder.path}: {label} has not finished and is left out", style="yellow")
    table, records = results_table(f"{run.name}: {counted(len(run.seeds), 'seed')}", ledgers)
    console.print(table)
    console.print(LEGEND.format(first=next(iter(ledgers), "the first one")), markup=False)
    return records


def states_of(config: TrainConfig, label: str) -> list[State]:
    """What is kept for a study, of every seed: `sums`, `airtime_s` and `extra/<measure>`, of networks `_<s>`."""
    playing = new_play(config, label)
    rows: list[list[Row]] = [[] for _ in config.seeds]
    while not playing.finished:
        playing.play_next()
        for kept_rows, row in zip(rows, playing.rows(), strict=True):
            kept_rows.append(row)
    return [
        {f"row/{name}": np.array([row[name] for row in own]) for name in own[0]}
        | {f"extra/{name}": np.array(value) for name, value in extras(ledger).items()}
        | {"points": np.zeros((0, 4), np.int16), "sums": ledger.sums, "airtime_s": ledger.airtime_s}
        for own, ledger in zip(rows, playing.book.ledgers(), strict=True)
    ]


def extras(ledger: Ledger) -> dict[str, float | NDArray]:
    """Measures of all networks; `learning_...` of those that learn, `legacy_...` of others, `..._<s>` of each."""
    found: dict[str, float | NDArray] = dict(ledger.measures())
    for name, networks in (("learning", ledger.learns), ("legacy", ~ledger.learns)):
        if networks.any():
            own = ledger.measures(np.flatnonzero(networks).tolist())
            found |= {f"{name}_{measure}": own[measure] for measure in ("prr", "epn_mj", "atp", "pdr", "delay_s")}
    each = ledger.by_network()
    for name in ("prr", "epn_mj", "atp", "pdr"):
        found |= {f"{name}_{s}": value for s, value in enumerate(each[name])}
    return found
