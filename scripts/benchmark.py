"""Times the air, learners, closed forms and environments on one core, per CPU second, and compares with targets.

- `python scripts/benchmark.py`
- `python scripts/benchmark.py --quick --json benchmark.json`
- `python scripts/benchmark.py --quick --against COMMIT --lines air_32_replicas,cucb_1_replica`

Default reception, one gateway, the journal's traffic (50 bytes every 20 s from 100 nodes; more nodes send less often,
at equal offered Erlang per channel). Every line is measured several times: median, smallest and largest value are
shown. Compilation and warm-up are left out, save in lines of start-up. NoReL and the closed forms are timed on NoReL's
network. MAAC and the coordination service are timed where torch is installed, on one thread; Stable-Baselines3's rows
where it is, and against SuperSuit where that is.

`--against` compares with another commit: both versions are played in turns, and a line's ratio is a mean over turns
with its 95 % interval. Above 1, this version is the better one.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from lora_marl.core.expect.lognormal import Variant
from scripts.runs.cli import ROOT, JsonPath, UsageError, console, errors, new_app, one_line_errors, write_json
from scripts.speed import cases, kernels, libraries, versions
from scripts.speed.versions import median_with_range, number

app = new_app()

FEW, MANY = 1_000, 100_000
MANY_GATEWAYS, WIDE_M = 100, 30e3
RUN_PACKETS = 36e6
"""2,000 h of 100 nodes with a packet every 20 s."""


@dataclass(frozen=True)
class Line:
    """One line of the benchmark.

    Attributes:
        name: Stable, for programs that read the JSON file.
        what: What is measured, for readers of the table.
        unit: That of value and target.
        target: The least value, or the largest where `at_most`, that is good enough.
        measure: Takes the measurement.
        at_most: Whether the target is an upper limit.
        once: Whether repeats would give the same value, or nearly, and cost too much.
    """

    name: str
    what: str
    unit: str
    target: float
    measure: Callable[[], float]
    at_most: bool = False
    once: bool = False

    def meets(self, value: float) -> bool:
        """Whether a value meets the target."""
        return value <= self.target if self.at_most else value >= self.target


@app.command(help=__doc__)
def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="Shorter runs, fewer repeats: same lines, more noise.")
    ] = False,
    only: Annotated[
        str | None, typer.Option("--lines", metavar="NAME,...", help="Measure these lines alone, by their names.")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="COMMIT", help="Compare with this commit, in turns.")
    ] = None,
    turns: Annotated[int, typer.Option("--turns", min=3, help="With --against: how often each is played.")] = 9,
    repeats: Annotated[
        int | None, typer.Option("--repeats", min=1, help="How often a line is measured; 5, or 3 where --quick.")
    ] = None,
    json: JsonPath = None,
) -> None:
    """Prints a table with a row for each line, and writes the values for machines."""
    with one_line_errors():
        chosen = chosen_lines(lines(quick), only)
        if against is not None:
            options = ["--quick"] * quick + [f"--lines={','.join(line.name for line in chosen)}"] * (only is not None)
            compare(against, chosen, options, turns, json)
            return
        table = Table("what", title=f"per CPU second of one core: {cpu()}", title_justify="left")
        for name in ("median", "range", "target", "unit"):
            table.add_column(name, justify="right" if name != "unit" else "left")
        table.add_column("met")
        records = []
        for line, values in measured(chosen, repeats or (3 if quick else 5)):
            value = statistics.median(values)
            records.append(
                {"name": line.name, "value": value, "low": min(values), "high": max(values), "unit": line.unit,
                 "target": line.target, "cpu": cpu(), "load": os.getloadavg()[0]}
            )  # fmt: skip
            sign = "at most" if line.at_most else "at least"
            met = "yes" if line.meets(value) else "no"
            spread = f"{number(min(values))} to {number(max(values))}"
            table.add_row(line.what, number(value), spread, f"{sign} {line.target:,g}", line.unit, met)
        console.print(table, soft_wrap=False)
        console.print(load())
        write_json(json, records)


def compare(commit: str, chosen: Sequence[Line], options: Sequence[str], turns: int, json: Path | None) -> None:
    """Prints a row for each line that this version and a commit have, and writes the values for machines."""
    measured = []
    with versions.checkout(commit, ROOT) as old:
        for number_of_turn, turn in enumerate(versions.turns(old, ROOT, options, turns), start=1):
            errors.print(f"turn {number_of_turn} of {turns}: {load()}")
            measured.append(turn)
    smaller_is_better = frozenset(line.name for line in chosen if line.at_most)
    table = Table("what", title=f"this version over {commit}, {turns} turns: {cpu()}", title_justify="left")
    for name in (commit, "now", "unit", "ratio", "95 % interval"):
        table.add_column(name, justify="right" if name != "unit" else "left")
    records, titles = [], {line.name: line.what for line in chosen}
    for line in versions.compared(measured, smaller_is_better):
        table.add_row(
            titles.get(line.name, line.name), median_with_range(line.old), median_with_range(line.new), line.unit,
            f"{line.speed:.3f}", f"{line.low:.3f} to {line.high:.3f}",
        )  # fmt: skip
        records.append(
            {"name": line.name, "unit": line.unit, "old": line.old, "new": line.new, "ratio": line.speed,
             "low": line.low, "high": line.high, "cpu": cpu()}
        )  # fmt: skip
    console.print(table, soft_wrap=False)
    console.print(load())
    write_json(json, records)


def chosen_lines(all_lines: list[Line], only: str | None) -> list[Line]:
    """Lines by their names, separated by commas; all where none is named.

    Raises:
        UsageError: a name that no line has.
    """
    if only is None:
        return all_lines
    names = only.split(",")
    known = {line.name for line in all_lines}
    for name in names:
        if name not in known:
            raise UsageError(f"--lines: {name!r} is not one of {', '.join(sorted(known))}")
    return [line for line in all_lines if line.name in names]


def measured(chosen: list[Line], repeats: int) -> Iterator[tuple[Line, list[float]]]:
    """Lines with the values of their repeats; the error stream names the one that is measured."""
    for line in chosen:
        with errors.status(line.what):
            values = [line.measure() for _ in range(1 if line.once else repeats)]
        yield line, values


def load() -> str:
    """Returns how busy the machine is, in words: processes that ran in the last minute, on average, and its cores."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def lines(quick: bool) -> list[Line]:
    """All lines in the order of the table; `quick` shortens the runs and leaves the networks as they are."""
    share = 0.1 if quick else 1.0
    with_torch = find_spec("torch") is not None
    return [
        *packets(share),
        *closed_forms(1),
        *rayleigh(1),
        *growth(1),
        *threads(share),
        *startup(),
        *(maac(quick, 1) if with_torch else []),
        *(ccs(1) if with_torch else []),
        *environments(quick, 1),
        *(sb3(quick, 1) if find_spec("stable_baselines3") else []),
        *(recorded(share) if find_spec("orjson") and find_spec("pyarrow") else []),
    ]


def packets(share: float) -> list[Line]:
    """Packets of the air and of learners that decide after every packet; `share` shortens the runs."""

    def rate(learner: str | None, replicas: int, timed: float) -> Callable[[], float]:
        return lambda: cases.packets_per_s(
            learner, replicas=replicas, warm_up=50 * share, timed=timed * share, repeats=1
        )

    def run_s(learner: str) -> Callable[[], float]:
        lengths: Any = {"replicas": 1, "warm_up": 5000 * share, "timed": 5000 * share, "repeats": 1}
        return lambda: RUN_PACKETS / cases.packets_per_s(learner, **lengths)

    from_packets = f"from {5000 * share * cases.JOURNAL_NODES / 1e6:g} million"

    def norel(nodes: int) -> Callable[[], float]:
        return lambda: cases.norel_packets_per_s(nodes, replicas=32, hours=240 * share)

    return [
        Line("air_32_replicas", "air, fixed allocation, 32 replicas", "packets/s", 4e6, rate(None, 32, 1000)),
        Line("cucb_32_replicas", "CUCB after every packet, 32 replicas", "packets/s", 2.5e6, rate("cucb", 32, 500)),
        Line("cucb_1_replica", "CUCB after every packet, 1 replica", "packets/s", 1e6, rate("cucb", 1, 10_000)),
        *(
            Line(
                f"run_{name}",
                f"{name}, 2,000 h, one replica (36 million packets, {from_packets})",
                "s",
                limit,
                run_s(name),
                True,
            )
            for name, limit in (("cucb", 60), ("cd-lora", 60), ("ucb1", 60), ("mix-mab", 120))
        ),
        *(
            Line(f"norel_{nodes}", f"NoReL with downlinks, {nodes} nodes, 32 replicas", "packets/s", 1e6, norel(nodes))
            for nodes in (200, 1000)
        ),
    ]


def recorded(share: float) -> list[Line]:
    """Reading recorded traffic, with seven gateways per frame and with one; `share` shortens the files."""
    from scripts.speed.recorded import import_rate

    many, single = round(20_000 * share), round(60_000 * share)
    return [
        Line("log_receptions", "import of a log, seven gateways per frame", "receptions/s", 2e5,
             lambda: import_rate(many, 7, of_receptions=True)),
        Line("log_frames", "import of a log, one gateway per frame", "frames/s", 1e5,
             lambda: import_rate(single, 1, of_receptions=False)),
    ]  # fmt: skip


def closed_forms(repeats: int) -> list[Line]:
    """The closed form of NoReL's network."""

    def form(variant: Variant, nodes: int, gateways: int = 1) -> Callable[[], float]:
        return lambda: kernels.lognormal_ms(variant, nodes, gateways=gateways, repeats=repeats)

    return [
        Line("pairwise", "closed form, pairwise, 1,000 nodes", "ms", 10, form("pairwise", 1000), True),
        Line("joint", "closed form, joint, 1,000 nodes", "ms", 15, form("joint", 1000), True),
        Line("pairwise_4", "closed form, 1,000 nodes, 4 gateways", "ms", 80, form("pairwise", 1000, 4), True),
        Line("joint_many", f"closed form, joint, {MANY:,} nodes", "ms", 2000, form("joint", MANY), True),
    ]


def rayleigh(repeats: int) -> list[Line]:
    """MMALoRa's closed form and game: 160 nodes, 3 gateways and 4 channels where nothing else is said."""

    def of(measure: Callable[..., float], *sizes: int, **settings: Any) -> Callable[[], float]:
        return lambda: measure(*sizes, **settings, repeats=repeats)

    return [
        Line("rayleigh_kernel", "Rayleigh closed form, compiled function", "us", 100,
             of(kernels.rayleigh_kernel_us, 160, 3), True),
        Line("rayleigh", "Rayleigh closed form", "us", 200, of(kernels.rayleigh_us, 160, 3), True),
        Line("rayleigh_joint", "Rayleigh closed form, joint", "us", 1000,
             of(kernels.rayleigh_us, 160, 3, variant="joint"), True),
        Line("rayleigh_1000", "Rayleigh closed form, 1,000 nodes, 4 gateways", "us", 10_000,
             of(kernels.rayleigh_us, 1000, 4), True),
        Line("rayleigh_trial", "Rayleigh, one point tried", "us", 5, of(kernels.trial_us, 160, 3), True),
        Line("rayleigh_swap", "Rayleigh, one swap tried", "us", 50, of(kernels.swap_us, 160, 3), True),
        Line("matching", "literal swap matching of channels", "s", 0.1, of(kernels.matching_s, 160, 3), True),
        Line("rayleigh_without", "Rayleigh, 40 nodes of a channel without each", "us", 50,
             of(kernels.counterfactuals_us, 40, 3), True),
        Line("energy_array", "energy environment, arrays, 32 x 40 nodes of a channel", "agent steps/s", 1e6,
             of(kernels.agent_steps_per_s, 40, 3, replicas=32)),
    ]  # fmt: skip


def growth(repeats: int) -> list[Line]:
    """Cost of a packet among many nodes or gateways over that among few, and the memory that many nodes take."""
    sizes = f"{MANY:,} over {FEW:,} nodes"

    def ratio(learner: str | None) -> Callable[[], float]:
        return lambda: cases.cost_ratio(learner, FEW, MANY, repeats=repeats)

    gateways = f"{MANY_GATEWAYS} gateways over one, {FEW:,} nodes on {WIDE_M / 1000:g} km"

    def gateway_ratio(negligible_db: float | None) -> Callable[[], float]:
        return lambda: cases.gateway_cost_ratio(MANY_GATEWAYS, FEW, WIDE_M, negligible_db, repeats=3 * repeats)

    return [
        Line("gateways_100", f"air, cost of a packet: {gateways}", "ratio", 6, gateway_ratio(None), True),
        Line(
            "gateways_100_approximate",
            "the same, powers 20 dB below noise neglected",
            "ratio",
            4,
            gateway_ratio(20.0),
            True,
        ),  # fmt: skip
        Line("air_cost_ratio", f"air, cost of a packet: {sizes}", "ratio", 3, ratio(None), True),
        Line("cucb_cost_ratio", f"CUCB, cost of a packet: {sizes}", "ratio", 4, ratio("cucb"), True),
        Line("memory", f"peak memory, {MANY:,} nodes", "GiB", 1, lambda: cases.peak_memory_gib(MANY), True, True),
    ]


def threads(share: float) -> list[Line]:
    """Two threads beside one, by wall time: on a machine that has nothing else to do."""

    def ratio(what: str) -> Callable[[], float]:
        return lambda: cases.thread_ratios(what, replicas=32, nodes=100, turns=round(200 * share))

    return [
        Line(
            f"threads_{what}", f"`{what}`, 32 x 100 nodes: wall time of one thread over two", "ratio", 1.6, ratio(what)
        )
        for what in ("advance", "step_array")
    ]


def startup() -> list[Line]:
    """The times of the first simulations after installation, with nothing compiled yet."""

    def first(name: str) -> Callable[[], float]:
        return lambda: cases.first_s(name)

    return [
        Line(f"first_{name}", f"first {what}, nothing compiled yet", "s", limit,
             first(name), True, True)
        for name, what, limit in (("advance", "Air.advance", 10), ("run", "run of CUCB", 20))
    ]  # fmt: skip


def maac(quick: bool, repeats: int) -> list[Line]:
    """Updates of MAAC."""
    from scripts.speed import torch_cases  # torch loads only where it is installed

    def speed_up() -> float:
        return torch_cases.maac_speed_up(40, repeats=1 if quick else 3, hidden=128, batch=1024, mu=0.99)

    def update_s() -> float:
        return torch_cases.maac_update_s(groups=4, agents=40, repeats=4 * repeats, hidden=64, batch=128)

    return [
        Line("maac_speed_up", "MAAC, agent by agent over all at once, 40 agents", "ratio", 3, speed_up),
        Line("maac_update", "MAAC, an update of 4 x 40 agents", "s", 0.16, update_s, True),
    ]


def ccs(repeats: int) -> list[Line]:
    """The coordination service: a round, and the size of what a server sends to it."""
    from scripts.speed import torch_cases

    def size(encoding: str, share: float = 0.5) -> Callable[[], float]:
        return lambda: torch_cases.snapshot_bytes(encoding, share)

    return [
        Line("ccs_round_4", "coordination service, a round of 4 networks", "ms", 20,
             lambda: 1e3 * torch_cases.round_s(4, repeats=4 * repeats), True),
        Line("ccs_round_1000", "coordination service, a round of 1,000 networks", "s", 1,
             lambda: torch_cases.round_s(1000, repeats=min(repeats, 2)), True),
        Line("ccs_round_limit", "coordination service, a round of all that its limits allow", "s", 4,
             torch_cases.costliest_round_s, True),
        Line("ccs_float32", "snapshot of a server, exact", "bytes", 112_000, size("float32"), True),
        Line("ccs_float16", "snapshot, half precision", "bytes", 56_000, size("float16"), True),
        Line("ccs_int8", "snapshot, eight bits", "bytes", 28_600, size("int8"), True),
        Line("ccs_top_half", "snapshot, larger half of the weights", "bytes", 31_500, size("top", 0.5), True),
        Line("ccs_top_quarter", "snapshot, largest quarter", "bytes", 17_500, size("top", 0.25), True),
        Line("ccs_top_tenth", "snapshot, largest tenth", "bytes", 9_100, size("top", 0.1), True),
    ]  # fmt: skip


def environments(quick: bool, repeats: int) -> list[Line]:
    """The uplink environment by its arrays and by PettingZoo's dicts."""
    array: Any = {"replicas": 32, "nodes": 100, "steps": 20 if quick else 200, "repeats": repeats}
    dicts: Any = {"nodes": 30, "steps": 50 if quick else 500, "repeats": repeats}
    return [
        Line("env_array", "environment, arrays, 32 x 100 nodes", "agent steps/s", 1e6,
             lambda: cases.array_agent_steps_per_s(**array)),
        Line("env_dict", "environment, dicts, 30 nodes", "steps/s", 500, lambda: cases.dict_steps_per_s(**dicts)),
    ]  # fmt: skip


def sb3(quick: bool, repeats: int) -> list[Line]:
    """Stable-Baselines3's rows, and against SuperSuit where it is installed."""

    def rate(wrapper: str) -> float:
        return libraries.steps_per_s(wrapper, steps=10 if quick else 100, repeats=repeats)

    ours, theirs = "Stable-Baselines3's rows", "SuperSuit for Stable-Baselines3"
    return [
        Line("sb3_rows", f"{ours}, 32 replicas x 100 nodes", "steps/s", 1e4, lambda: rate(ours)),
        *([Line("sb3_over_supersuit", "the same over SuperSuit's", "ratio", 10, lambda: rate(ours) / rate(theirs))]
          if libraries.WRAPPERS[theirs].installed else []),
    ]  # fmt: skip


def cpu() -> str:
    """The processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    app()
