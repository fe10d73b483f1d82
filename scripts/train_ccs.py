"""Trains the coordination service of coexisting networks, and the vendors' policies that it is trained on.

- `python scripts/train_ccs.py` (fifteen CPU minutes; one core)
- `python scripts/train_ccs.py --out runs/my_service --vendors 2 --seen 1 --quick`
- `python scripts/train_ccs.py --out runs/no_code --set design.code_scope=none --vendors-from configs/ccs --passes 1`

Stages: policies of eight vendors of each kind, of which five take part in training and three are held out; rollouts of
independent learners; training on their snapshots; some rollouts with the service in the loop; training on all of them.
Files that exist are not made again: the same command continues where it was stopped (Ctrl-C, too). `configs/ccs` holds
what the default command made; `scripts/train.py --config configs/ccs_two.yaml` plays it. CPU seconds of every stage are
kept in `<work>/cpu_s.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.runs.cli import UsageError, console, errors, needed, new_app, one_line_errors
from scripts.runs.progress import counting

with needed("torch"):
    from scripts.service_training.overrides import with_overrides
    from scripts.service_training.pipeline import CPU_S, PASSES, ServiceTraining, cpu_s_by_stage, shortened

app = new_app()

PLAY = "python scripts/train.py --config configs/ccs_two.yaml"
"""The command that runs vendors and a service."""


@app.command(help=__doc__)
def main(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for vendors' policies and the service.")] = Path(
        "runs/ccs_service"
    ),
    work: Annotated[
        Path | None, typer.Option(metavar="DIR", help="For rollouts and states; default: <out>/work.")
    ] = None,
    vendors: Annotated[int, typer.Option(help="Vendors of each kind.")] = 8,
    seen: Annotated[int, typer.Option(help="How many of them are used in training.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of rollouts and training.")] = 0,
    passes: Annotated[int, typer.Option(min=1, max=len(PASSES), help="Passes of training.")] = len(PASSES),
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="design.<field>, hyper.<field> or proxy.")
    ] = None,
    vendors_from: Annotated[Path | None, typer.Option(metavar="DIR", help="Take vendors' policies from here.")] = None,
    rollouts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take the first rollouts from another training's work folder.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A twentieth of everything, to see that it works.")] = False,
) -> None:
    """Trains the service and prints where its files are."""
    with one_line_errors():
        if not 1 <= seen <= vendors:
            raise UsageError(f"--seen: {seen} is not from 1 to the {vendors} vendors")
        training = ServiceTraining(
            out, work or out / "work", vendors, seen, passes=PASSES[:passes], seed=seed,
            vendors_from=vendors_from, rollouts_from=rollouts,
        )  # fmt: skip
        training = with_overrides(shortened(training) if quick else training, set_ or ())
        try:
            training.run(counting)
        except ValueError as error:
            raise UsageError(str(error)) from None
        except KeyboardInterrupt:
            errors.print(f"{training.work}: holds what is made; the same command continues")
            raise
        costs = cpu_s_by_stage(training.work / CPU_S)
        stages = ", ".join(f"{stage} {cpu_s:.0f}" for stage, cpu_s in costs.items())
        console.print(f"CPU seconds: {stages}; together {sum(costs.values()):.0f}")
        console.print(f"vendors: {out}/<kind>-<number>.safetensors; service: {out}/service.safetensors")
        changes = f"coexistence.vendors={out.resolve()} coexistence.vendor={vendors - 1}"
        console.print(f"to play it: {PLAY} --set {changes}")


if __name__ == "__main__":
    app()
