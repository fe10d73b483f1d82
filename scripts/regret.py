"""Measures the regret of learners on a network of one node, whose best operating point is known, and how it grows.

- `python scripts/regret.py`
- `python scripts/regret.py --learners cucb,thompson,epsilon-greedy --set cucb.c=1 --packets 20000`
- `python scripts/regret.py --path-loss-db 140`

Every replica is one node on an air of its own (`lora_marl.core.presets.single_node`), so the average worth of every
choice is known exactly. The regret of a choice is the difference between its worth and the best one's. It is in
two currencies for all learners: `reward` is D-LoRa's rewards summed over its factors, with the parameters of `cucb`;
`packets` is the chance of delivery, and its regret counts the packets that a better choice would have delivered. D-LoRa
(`cucb`) maximises the first and NaiveMAB (`ucb1`) the second. Where their best points differ, each one's regret grows
without end in the other's currency. The papers' bound is shown for the learner and the currency that it is about.

The bound assumes that every factor of D-LoRa would choose the best point by itself; the last line of the report says
whether that holds. At 140 dB it does not, and D-LoRa's regret grows in proportion to time: its exponent is 1, where
that of a logarithm falls towards 0. Writes `regret.md`, `regret.json` and `regret.png`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import yaml
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rich.table import Table

from lora_marl.core.presets.single_node import (
    delivery_probabilities,
    equilibria,
    expected_rewards,
    single_node_network,
)
from lora_marl.core.scenario import Scenario
from scripts.runs.cli import JsonPath, UsageError, console, new_app, one_line_errors, write_json
from scripts.runs.report import markdown, number
from scripts.studies.regret import (
    HEADER,
    Parameters,
    RegretResult,
    choices,
    draw_regret,
    log_times,
    make_learner,
    parameters_for,
    point_values,
    regret_results,
    reward_learner,
)

app = new_app()


@app.command(help=__doc__)
def main(
    learners: Annotated[str, typer.Option(metavar="NAME,...", help="Learners to compare.")] = "cucb,ucb1,random",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="LEARNER.PARAMETER=VALUE", help="More may follow.")
    ] = None,
    packets: Annotated[int, typer.Option(min=100, help="Packets of every node.")] = 100_000,
    seeds: Annotated[int, typer.Option(min=1, help="How many replicas: seeds 0, 1, ...")] = 32,
    path_loss_db: Annotated[float, typer.Option(help="Path loss of the node, in dB.")] = 138.0,
    jobs: Annotated[int, typer.Option(min=1, help="Learners simulated at the same time.")] = 2,
    results: Annotated[Path, typer.Option(metavar="DIR", help="Folder for results.")] = Path("results"),
    json: JsonPath = None,
) -> None:
    """Simulates and reports."""
    with one_line_errors():
        names, scenario = list(dict.fromkeys(learners.split(","))), single_node_network(path_loss_db)
        parameters = parsed(set_ or (), names)
        for name in names:  # an error in any learner stops the command before the first simulation
            make_learner(name, scenario, [0], parameters)
        chosen = Parallel(n_jobs=jobs)(
            delayed(choices)(name, scenario, range(seeds), packets, parameters_for(name, parameters)) for name in names
        )
        times = log_times(packets)
        measured = regret_results(dict(zip(names, chosen, strict=True)), scenario, times, parameters)
        title = f"single-node network, {path_loss_db:g} dB, {packets:,} packets, {seeds} seeds"
        report(title, measured, best_points(scenario, parameters), times, results)
        write_json(results / "regret.json", [result.record() for result in measured])
        write_json(json, [result.record() for result in measured])


def parsed(settings: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parameters by learner, from `learner.parameter=value`; those of `cucb` are also those of the currency.

    Raises:
        UsageError: text of another form, or a learner that is not compared.
    """
    parameters: dict[str, dict[str, Any]] = {}
    for setting in settings:
        path, _, text = setting.partition("=")
        learner, _, name = path.rpartition(".")
        if not text or learner not in (*names, "cucb"):
            raise UsageError(f"--set {setting}: give LEARNER.PARAMETER=VALUE for one of {', '.join(names)}")
        parameters.setdefault(learner, {})[name] = yaml.safe_load(text)
    return parameters


def best_points(scenario: Scenario, parameters: Parameters) -> list[str]:
    """Sentences about the best point in each currency, and the points that D-LoRa's factors would not leave."""
    delivered, lines = delivery_probabilities(scenario), []
    cucb = reward_learner(scenario, parameters)
    stable = equilibria(expected_rewards(delivered, cucb.rewards, cucb.factors), cucb.factors).ravel()
    for currency, worth in point_values(scenario, parameters).items():
        best, second = np.argsort(-worth)[:2]
        lines.append(
            f"best in {currency}: {_point(scenario, best)}, {number(worth[best])}, "
            f"delivers {100 * delivered.flat[best]:.1f} %; the next is {number(worth[best] - worth[second])} below"
        )
    points = ", ".join(_point(scenario, index) for index in np.flatnonzero(stable))
    lines.append(f"points that none of D-LoRa's factors would leave alone: {points or 'none'}")
    return lines


def report(
    title: str, measured: Sequence[RegretResult], notes: Sequence[str], times: NDArray[np.int64], results: Path
) -> None:
    """Prints the table, writes it as Markdown and draws the curves."""
    table = Table(*HEADER, title=title, title_justify="left")
    for result in measured:
        table.add_row(*result.cells())
    console.print(table, soft_wrap=False)
    for note in notes:
        console.print(note)
    results.mkdir(parents=True, exist_ok=True)
    text = markdown(HEADER, [result.cells() for result in measured])
    listed = "".join(f"- {note}\n" for note in notes)
    (results / "regret.md").write_text(f"{title}\n\n{text}\n{listed}", encoding="utf-8")
    curves: dict[str, dict[str, NDArray]] = {}
    bounds: dict[str, dict[str, NDArray]] = {}
    for result in measured:
        curves.setdefault(result.currency, {})[result.learner] = result.curve
        if result.bound is not None:
            bounds.setdefault(result.currency, {})[result.learner] = result.bound
    draw_regret(results / "regret.png", title, times, curves, bounds)
    console.print(f"as Markdown, JSON and picture: {results}/regret.md, regret.json, regret.png")


def _point(scenario: Scenario, index: np.integer) -> str:
    """An operating point in words, by its index into the flattened `[S, W, C, T]`."""
    point = np.array(np.unravel_index(index, scenario.region.factor_sizes))
    chosen = scenario.region.physical(point)
    return f"SF{int(chosen.sf)}, channel {int(chosen.channel)}, {float(chosen.tp_dbm):g} dBm"


if __name__ == "__main__":
    app()
