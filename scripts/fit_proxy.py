"""Fits the constants of the coordination service's model of the air to packet runs.

- `python scripts/fit_proxy.py` (a CPU minute a preset)
- `python scripts/fit_proxy.py ccs_study --out runs/proxy --worlds 4 --segments 6`

Plays random operating points of one to four networks, some of which may not learn, at loads that differ by ten times,
and finds the constants under which what was received is likeliest (`agents/ccs/fitting.py`). Held-out worlds say how
well groups' shares of received attempts are predicted before and after. `configs/ccs/proxy-<preset>.json` is what the
default command made; `train_ccs.py --set proxy=PATH` trains on it. The service in `configs/ccs` was trained on
constants set by hand (`agents/ccs/proxy.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scripts.runs.cli import JsonPath, UsageError, console, errors, needed, new_app, one_line_errors, write_json
from scripts.runs.progress import counting

with needed("torch"):
    from agents.ccs.fitting import STEPS, Quality, Segments, fit, quality
    from agents.ccs.proxy import Constants, Proxy
    from agents.torch_utils import threads
    from scripts.service_training.calibration import PRESETS, REGIMES, draw_quality, run_segments

app = new_app()

LEGEND = """error: mean absolute error of a group's share of attempts received; chance: that of a perfect prediction
bias: mean of predicted less played, over attempts; attempts: those expected over those made
by tenth: shares of the groups in order of the prediction"""

HELD_OUT = 1_000_000
"""Seeds from here on are of worlds that the fit does not see."""

_COLUMNS = ("error", "chance", "bias", "attempts")


@app.command(help=__doc__)
def main(
    presets: Annotated[
        list[str] | None, typer.Argument(metavar="[PRESET]...", help="Presets to fit; default: all.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for constants and pictures.")] = Path("runs/proxy"),
    worlds: Annotated[int, typer.Option(min=1, help="Worlds of each regime; a third as many again are held out.")] = 16,
    segments: Annotated[
        int, typer.Option(min=1, help="Segments of every world, each with operating points of its own.")
    ] = 24,
    stretches: Annotated[int | None, typer.Option(min=1, hidden=True)] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the fit.")] = STEPS,
    json: JsonPath = None,
) -> None:
    """Fits the constants and reports how well the model then predicts."""
    if stretches is not None:
        errors.print("note: `--stretches` is now `--segments`; the old name goes in 0.2.0", style="yellow")
        segments = stretches
    with one_line_errors(), threads(1):
        for preset in presets or ():
            if preset not in PRESETS:
                raise UsageError(f"{preset!r} is no preset of coexisting networks; known: {', '.join(PRESETS)}")
        out.mkdir(parents=True, exist_ok=True)
        records = []
        for preset in dict.fromkeys(presets or PRESETS):
            command = f"scripts/fit_proxy.py {preset} --worlds {worlds} --segments {segments} --steps {steps}"
            seen = runs(preset, range(worlds), segments)
            downlinks = PRESETS[preset][0](1).radio.feedback == "downlink"
            with counting(f"{preset}, fit", steps, "steps") as progress:
                constants = fit(seen, downlinks=downlinks, progress=progress, steps=steps)
            constants.save(out / f"proxy-{preset}.json", f"python {command}")
            unseen = runs(preset, range(HELD_OUT, HELD_OUT + -(-worlds // 3)), segments)
            qualities = {
                name: quality(Proxy(numbers), unseen)
                for name, numbers in (("by hand", Constants()), ("fitted", constants))
            }
            draw_quality(out / f"proxy-{preset}.png", f"{preset}: attempts received, worlds held out", qualities)
            console.print(table(f"{preset}: groups of worlds held out", qualities), soft_wrap=False)
            records += [record(preset, name, measured) for name, measured in qualities.items()]
        console.print(LEGEND)
        console.print(f"constants and pictures: {out}/")
        write_json(json, records)


def runs(preset: str, seeds: range, segments: int) -> list[Segments]:
    """Returns the segments of all regimes, simulated packet by packet."""
    parts = []
    with counting(f"{preset}, worlds from {seeds[0]}", len(REGIMES), "regimes") as progress:
        for regime in REGIMES:
            parts.append(run_segments(preset, regime, seeds, segments))
            progress(len(parts))
    return parts


def table(title: str, qualities: dict[str, Quality]) -> Table:
    """A table of errors, and of predicted and played shares by tenth of the groups."""
    shown = Table(title=title, title_justify="left")
    for header in ("constants", *_COLUMNS, "predicted : played, by tenth"):
        shown.add_column(header)
    for name, measured in qualities.items():
        tenths = "  ".join(f"{predicted:.2f}:{played:.2f}" for predicted, played in measured.deciles)
        shown.add_row(name, *(f"{getattr(measured, column):.4f}" for column in _COLUMNS), tenths)
    return shown


def record(preset: str, name: str, measured: Quality) -> dict[str, object]:
    """A record of a quality for a JSON file."""
    numbers = {column: getattr(measured, column) for column in _COLUMNS}
    return {"preset": preset, "constants": name, **numbers, "deciles": measured.deciles}


if __name__ == "__main__":
    app()
