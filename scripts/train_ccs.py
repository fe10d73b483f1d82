"""Makes the coordination service of coexisting networks, and the vendors' policies that it is trained on.

- `python scripts/train_ccs.py` (fifteen CPU minutes; one core)
- `python scripts/train_ccs.py --out runs/my_service --vendors 2 --seen 1 --quick`

Stages: policies of eight vendors of each kind, of which five take part in training and three stay unseen; rollouts of
independent learners; training on their snapshots; twice more rollouts, with the service in the loop, and training. What
is there is not made again: the same command goes on where it was stopped. `configs/ccs` holds what the default command
made; `scripts/train.py --config configs/ccs_two.yaml` plays it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from scripts.cli import UsageError, console, new_app, one_line_errors
from scripts.coexistence.offline import PASSES, Offline
from scripts.progress import counting

app = new_app()

_QUICK = 20


@app.command(help=__doc__)
def main(
    out: Annotated[Path, typer.Option(metavar="DIR", help="For vendors' policies and the service.")] = Path(
        "runs/ccs_service"
    ),
    work: Annotated[Path | None, typer.Option(metavar="DIR", help="For rollouts and states; by default in it.")] = None,
    vendors: Annotated[int, typer.Option(help="Of each kind.")] = 8,
    seen: Annotated[int, typer.Option(help="Of them that take part in training.")] = 5,
    seed: Annotated[int, typer.Option(help="Of rollouts and training.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A twentieth of everything, to see that it works.")] = False,
) -> None:
    """Makes, and says where."""
    with one_line_errors():
        if not 1 <= seen <= vendors:
            raise UsageError(f"--seen: {seen} is not from 1 to the {vendors} vendors")
        making = Offline(out, work or out / "work", vendors, seen, seed=seed)
        if quick:
            passes = tuple(
                dataclasses.replace(each, rollouts=max(2, each.rollouts // _QUICK), steps=each.steps // _QUICK)
                for each in PASSES
            )
            making = dataclasses.replace(making, passes=passes, intervals=making.intervals // _QUICK)
        try:
            making.make(counting)
        except ValueError as error:
            raise UsageError(str(error)) from None
        console.print(f"vendors: {out}/<kind>-<number>.safetensors; service: {out}/service.safetensors", markup=False)


if __name__ == "__main__":
    app()
