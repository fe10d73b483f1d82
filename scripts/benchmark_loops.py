"""Times loops of reinforcement learning on `uplink_v0`, and shows where their time goes.

- `python scripts/benchmark_loops.py`
- `python scripts/benchmark_loops.py --steps 8000 --seeds 3`

`recipes/ppo_arrays.py` beside PPO and MaskablePPO of Stable-Baselines3: agent steps per CPU second, shares of
environment, acting and updating, and the reward of the policy on held-out seeds. Loops take turns, seed by seed; shown
are medians. Needs the extra `sb3`.
"""

from __future__ import annotations

import os
import statistics
import warnings
from dataclasses import asdict, fields
from typing import Annotated

import typer
from rich.table import Table

from lora_marl.core.duty_cycle import DutyCycleWarning
from scripts.runs.cli import JsonPath, UsageError, console, new_app, one_line_errors, write_json

app = new_app()


@app.command(help=__doc__)
def main(
    steps: Annotated[int, typer.Option(min=64, help="Environment steps of training, over all replicas.")] = 4_000,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of training.")] = 3,
    json: JsonPath = None,
) -> None:
    """Measures and reports."""
    with one_line_errors():
        warnings.simplefilter("ignore", DutyCycleWarning)  # the journal's network is a published one
        try:
            from scripts.speed.loops import LOOPS, LoopTimes, loop_times  # which load the libraries
        except ImportError as error:
            raise UsageError(f"{error}; install the extra sb3") from None
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in LOOPS}
        for seed in range(seeds):
            for name, times in measured.items():
                times.append(asdict(loop_times(name, steps, seed=seed, max_cycles=100)))
        columns = [field.name for field in fields(LoopTimes)]
        table = Table("loop", title=f"uplink_v0, {steps:,} environment steps, {seeds} seeds")
        for column in columns:
            table.add_column(column.replace("_per_s", "/s").replace("_", " "), justify="right")
        records = []
        for name, times in measured.items():
            medians = {column: statistics.median(row[column] for row in times) for column in columns}
            shares = (f"{100 * medians[column]:.0f} %" for column in ("environment", "acting", "updating"))
            table.add_row(name, f"{medians['agent_steps_per_s']:,.0f}", *shares, f"{medians['reward']:.4f}")
            records.append({"loop": name, "steps": steps, "seeds": seeds, **medians, "load": os.getloadavg()[0]})
        console.print(table, soft_wrap=False)
        write_json(json, records)


if __name__ == "__main__":
    app()
