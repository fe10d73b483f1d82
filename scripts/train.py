"""Trains the learners of a configuration and reports how they did.

- `python scripts/train.py --config configs/dlora.yaml`
- `python scripts/train.py --config configs/dlora.yaml --set name=short duration_h=50 seeds=[0,1]`

Every learner meets the same air: all seeds are replicas of one call, and replica b depends on its seed alone. What a
run leaves on disk is listed in `scripts/runs/folder.py`. Ctrl-C stops it after the current interval, with exit status
130; `--resume` continues from there to the same numbers, byte for byte, as a run that was never stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.runs.assumptions import assumptions_of, assumptions_table
from scripts.runs.cli import (
    INTERRUPTED,
    JsonPath,
    UsageError,
    console,
    errors,
    new_app,
    one_line_errors,
    read_config,
    write_json,
)
from scripts.runs.figures import Band, BandOption
from scripts.runs.folder import RunFolder
from scripts.runs.loop import train
from scripts.runs.progress import StopRequest
from scripts.runs.registry import run_type_of

app = new_app()


@app.command(help=__doc__)
def main(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The run, a YAML file such as configs/dlora.yaml.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value; more may follow.")
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Further changes.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue where an earlier run stopped, or begin.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run of this name.")] = False,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Folder for runs.")] = Path("runs"),
    band: BandOption = Band.interval,
    json: JsonPath = None,
) -> None:
    """Trains, reports, draws."""
    with one_line_errors():
        if resume and overwrite:
            raise UsageError("--resume and --overwrite: one keeps the earlier run, the other removes it; give one")
        run = run_type_of(read_config(config, [*(set_ or ()), *(more or ())]))
        run.check()
        folder = RunFolder(runs / run.config.name, run.config.seeds)
        with folder.locked():
            folder.prepare(run.config, resume=resume, overwrite=overwrite)
            with StopRequest() as stop:
                finished = train(run, folder, stop)
            if not finished:
                errors.print(
                    f"interrupted; what was played is in {folder.path}; the same command with --resume goes on"
                )
                raise typer.Exit(INTERRUPTED)
            console.print(assumptions_table(assumptions_of(run.config)), soft_wrap=False)
            records = run.report(folder, band)
            changes = [*(set_ or ()), *(more or ())]
            console.print("next:")
            for what, command in run.next_commands(folder, config, changes):
                console.print(f"  {command}  # {what}")
            write_json(json, records)


if __name__ == "__main__":
    app()
