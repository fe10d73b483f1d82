"""Fits the constants of the coordination service's model of the air to packet runs.

- `python scripts/fit_proxy.py` (a CPU minute a preset)
- `python scripts/fit_proxy.py ccs_study --out runs/proxy --worlds 4 --stretches 6`

Plays random operating points of one to four networks, of learning and legacy ones, at loads that differ by ten times,
and finds the constants under which what was received is likeliest (`agents/ccs/fitting.py`). Worlds of their
own, which the fit does not see, say how well groups' shares of received attempts are foretold before and after.
`configs/ccs/proxy-<preset>.json` is what the default command made; `train_ccs.py --set proxy=PATH` trains on it. The
service in `configs/ccs` was trained on constants set by hand (`agents/ccs/proxy.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from agents.ccs.fitting import STEPS, Quality, Segments, fit, quality
from agents.ccs.proxy import Constants, Proxy
from agents.torch_utils import threads
from scripts.runs.cli import JsonPath, UsageError, console, new_app, one_line_errors, write_json
from scripts.runs.progress import counting
from scripts.service_training.calibration import PRESETS, REGIMES, draw_quality, play

app = new_app()

LEGEND = """error: mean absolute error of a group's share of attempts received; chance: that of a perfect prediction
bias: mean of predicted less played, over attempts; attempts: those expected over those made
by tenth: shares of the groups in order of the prediction"""

HELD_OUT = 1_000_000
"""Seeds from here on are of worlds that the fit does not see."""

_COLUMNS = ("error", "chance", "bias", "attempts")


@app.command(help=__doc__)
def main(
    presets: Annotated[list[str] | None, typer.Argument(metavar="[PRESET]...", help="By default all.")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="For constants and pictures.")] = Path("runs/proxy"),
    worlds: Annotated[int, typer.Option(min=1, help="Of each regime; a third as many again are held out.")] = 16,
    stretches: Annotated[int, typer.Option(min=1, help="Of operating points, in every world.")] = 24,
    steps: Annotated[int, typer.Option(min=1, help="Of the fit.")] = STEPS,
    json: JsonPath = None,
) -> None:
    """Fits, and says how well."""
    with one_line_errors(), threads(1):
        for preset in presets or ():
            if preset not in PRESETS:
                raise UsageError(f"{preset!r} is no preset of coexisting networks; known: {', '.join(PRESETS)}")
        out.mkdir(parents=True, exist_ok=True)
        records = []
        for preset in dict.fromkeys(presets or PRESETS):
            command = f"scripts/fit_proxy.py {preset} --worlds {worlds} --stretches {stretches} --steps {steps}"
            seen = runs(preset, range(worlds), stretches)
            with counting(f"{preset}, fit", steps, "steps") as told:
                constants = fit(
                    seen, downlinks=PRESETS[preset][0](1).radio.feedback == "downlink", told=told, steps=steps
                )
            constants.save(out / f"proxy-{preset}.json", f"python {command}")
            unseen = runs(preset, range(HELD_OUT, HELD_OUT + -(-worlds // 3)), stretches)
            found = {
                name: quality(Proxy(each), unseen) for name, each in (("by hand", Constants()), ("fitted", constants))
            }
            draw_quality(out / f"proxy-{preset}.png", f"{preset}: attempts received, worlds held out", found)
            console.print(table(f"{preset}: groups of worlds held out", found))
            records += [record(preset, name, each) for name, each in found.items()]
        console.print(LEGEND, markup=False)
        console.print(f"constants and pictures: {out}/", markup=False)
        write_json(json, records)


def runs(preset: str, seeds: range, stretches: int) -> list[Segments]:
    """Packet runs of all regimes."""
    found = []
    with counting(f"{preset}, worlds from {seeds[0]}", len(REGIMES), "regimes") as advance:
        for regime in REGIMES:
            found.append(play(preset, regime, seeds, stretches))
            advance(len(found))
    return found


def table(title: str, found: dict[str, Quality]) -> Table:
    """Errors, and predicted and played shares by tenth of the groups."""
    shown = Table(title=title, title_justify="left")
    for header in ("constants", *_COLUMNS, "predicted : played, by tenth"):
        shown.add_column(header)
    for name, each in found.items():
        tenths = "  ".join(f"{predicted:.2f}:{played:.2f}" for predicted, played in each.deciles)
        shown.add_row(name, *(f"{getattr(each, column):.4f}" for column in _COLUMNS), tenths)
    return shown


def record(preset: str, name: str, found: Quality) -> dict[str, object]:
    """For machines."""
    numbers = {column: getattr(found, column) for column in _COLUMNS}
    return {"preset": preset, "constants": name, **numbers, "deciles": found.deciles}


if __name__ == "__main__":
    app()
