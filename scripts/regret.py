"""Measures the regret of learners on the toy air, whose best operating point is known, and how fast it grows.

- `python scripts/regret.py`
- `python scripts/regret.py --learners cucb,thompson,epsilon-greedy --set cucb.c=1 --packets 20000`
- `python scripts/regret.py --path-loss-db 140`

Every replica is one node on an air of its own (`lora_marl.core.published.single_node`), so the average worth of every
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

from lora_marl.core.published.single_node import (
    delivery_probabilities,
    equilibria,
    expected_rewards,
    single_node_network,
)
from lora_marl.core.scenario import Scenario
from scripts.runs.cli import JsonPath, UsageError, console, new_app, one_line_errors, write_json
from scripts.runs.report import markdown, number
from scripts.studies.plots import draw_regret
from scripts.studies.regret import (
    HEADER,
    Parameters,
    RegretResult,
    choices,
    found,
    log_times,
    make_learner,
    point_values,
    reward_learner,
)

app = new_app()


@app.command(help=__doc__)
def main(
    learners: Annotated[str, typer.Option(metavar="NAME,...", help="Who plays.")] = "cucb,ucb1,random",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="LEARNER.PARAMETER=VALUE", help="More may follow.")
    ] = None,
    packets: Annotated[int, typer.Option(min=100, help="Of every node.")] = 100_000,
    seeds: Annotated[int, typer.Option(min=1, help="How many replicas: seeds 0, 1, ...")] = 32,
    path_loss_db: Annotated[float, typer.Option(help="Of the node, in dB.")] = 138.0,
    jobs: Annotated[int, typer.Option(min=1, help="Learners played at the same time.")] = 2,
    results: Annotated[Path, typer.Option(metavar="DIR", help="Where the results go.")] = Path("results"),
    json: JsonPath = None,
) -> None:
    """Plays and reports."""
    with one_line_errors():
        names, scenario = list(dict.fromkeys(learners.split(","))), single_node_network(path_loss_db)
        parameters = parsed(set_ or (), names)
        for name in names:  # an error in any learner stops the command before the first simulation
            make_learner(name, scenario, [0], parameters)
        played = Parallel(n_jobs=jobs)(
            delayed(choices)(name, scenario, range(seeds), packets, parameters.get(name, {})) for name in names
        )
        times = log_times(packets)
        findings = found(dict(zip(names, played, strict=True)), scenario, times, parameters)
        title = f"toy air, {path_loss_db:g} dB, {packets:,} packets, {seeds} seeds"
        report(title, findings, described(scenario, parameters), times, results)
        write_json(results / "regret.json", [finding.record() for finding in findings])
        write_json(json, [finding.record() for finding in findings])


def parsed(settings: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parameters by learner from `learner.parameter=value`; those of `cucb` also set the currency.

    Raises:
        UsageError: no such form, or a learner that does not play.
    """
    parameters: dict[str, dict[str, Any]] = {}
    for setting in settings:
        path, _, text = setting.partition("=")
        learner, _, name = path.rpartition(".")
        if not text or learner not in (*names, "cucb"):
            raise UsageError(f"--set {setting}: give LEARNER.PARAMETER=VALUE for one of {', '.join(names)}")
        parameters.setdefault(learner, {})[name] = yaml.safe_load(text)
    return parameters


def described(scenario: Scenario, parameters: Parameters) -> list[str]:
    """The best point in each currency, and whether D-LoRa's factors would stay there, in sentences."""
    delivered, lines = delivery_probabilities(scenario), []
    cucb = reward_learner(scenario, parameters)
    stays = equilibria(expected_rewards(delivered, cucb.rewards, cucb.factors), cucb.factors).ravel()
    for currency, worth in point_values(scenario, parameters).items():
        best, second = np.argsort(-worth)[:2]
        lines.append(
            f"best in {currency}: {_point(scenario, best)}, {number(worth[best])}, "
            f"delivers {100 * delivered.flat[best]:.1f} %; the next is {number(worth[best] - worth[second])} below"
        )
    places = ", ".join(_point(scenario, place) for place in np.flatnonzero(stays))
    lines.append(f"points that none of D-LoRa's factors would leave alone: {places or 'none'}")
    return lines


def report(
    title: str, findings: Sequence[RegretResult], lines: Sequence[str], times: NDArray[np.int64], results: Path
) -> None:
    """Prints the table, writes it as Markdown and draws the curves."""
    table = Table(*HEADER, title=title, title_justify="left")
    for finding in findings:
        table.add_row(*finding.cells())
    console.print(table)
    for line in lines:
        console.print(line, markup=False)
    results.mkdir(parents=True, exist_ok=True)
    text = markdown(HEADER, [finding.cells() for finding in findings])
    listed = "".join(f"- {line}\n" for line in lines)
    (results / "regret.md").write_text(f"{title}\n\n{text}\n{listed}", encoding="utf-8")
    curves: dict[str, dict[str, NDArray]] = {}
    allowed: dict[str, dict[str, NDArray]] = {}
    for finding in findings:
        curves.setdefault(finding.currency, {})[finding.learner] = finding.curve
        if finding.bound is not None:
            allowed.setdefault(finding.currency, {})[finding.learner] = finding.bound
    draw_regret(results / "regret.png", title, times, curves, allowed)
    console.print(f"as Markdown, JSON and picture: {results}/regret.md, regret.json, regret.png", markup=False)


def _point(scenario: Scenario, place: np.integer) -> str:
    point = np.array(np.unravel_index(place, scenario.region.factor_sizes))
    chosen = scenario.region.physical(point)
    return f"SF{int(chosen.sf)}, channel {int(chosen.channel)}, {float(chosen.tp_dbm):g} dBm"


if __name__ == "__main__":
    app()
