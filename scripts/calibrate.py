"""Calibrates a network from recorded traffic: a scenario that behaves like it, and how far that can be trusted.

- `python scripts/calibrate.py runs/logs/mine --region EU868 --out runs/twins/mine`
- `python scripts/compare.py runs/twins/mine/scenario.yaml`

First the earlier part of the log predicts the later one, beside the naive predictor (the earlier part's own rates) and
simpler models; a calibration that predicts worse says so at its top. Then the whole log is fitted and written:
`scenario.yaml` with the CSV files that it reads, every link with standard errors (`fit.csv`), the figures
(`validation.json`) and a picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scripts.runs.cli import UsageError, checked_name, console, needed, new_app, one_line_errors, write_json

with needed("orjson"), needed("pyarrow"), needed("scipy"):
    from lora_marl.logs.calibration import calibrate
    from lora_marl.logs.tables import TrafficLog
    from lora_marl.logs.twin import not_identified, write_scenario
    from lora_marl.logs.validation import EARLIER_SHARE, Figure, validate

from scripts.bridge.calibration_pictures import draw_calibration

app = new_app()


@app.command(help=__doc__)
def main(
    log: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an imported log (`scripts/logs.py import`).")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the scenario.")],
    region: Annotated[str, typer.Option(help="Region of the network, such as EU868; a log does not say which.")],
    share: Annotated[
        float, typer.Option(min=0.1, max=0.9, help="Share of the log's span that predicts the rest.")
    ] = EARLIER_SHARE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier scenario.")] = False,
) -> None:
    """Validates, fits and writes."""
    with one_line_errors():
        if (out / "scenario.yaml").exists() and not overwrite:
            raise UsageError(f"--out: {out} has a scenario already; replace it with --overwrite")
        try:
            recorded = TrafficLog.load(log)
            figures = validate(recorded, share)
            fitted = calibrate(recorded)
            out.mkdir(parents=True, exist_ok=True)
            path = write_scenario(fitted, recorded.gateway_lat_lon, out, checked_name(out.resolve().name), region)
        except (ValueError, OSError) as error:
            raise UsageError(str(error)) from None
        show_figures(figures, share)
        write_json(
            out / "validation.json",
            [{"figure": f.name, "worse_than_naive": f.worse_than_naive, **f.by_model} for f in figures],
        )
        draw_calibration(recorded, fitted, out / "calibration.png")
        console.print("Not identified:")
        for sentence in not_identified(fitted):
            console.print(f"- {sentence}")
        console.print(f"{len(fitted.links)} links of {len(fitted.devices)} devices: {path}")


def show_figures(figures: list[Figure], share: float) -> None:
    """Prints the table of figures, a warning before it where the naive predictor is better."""
    worse = [figure.name for figure in figures if figure.worse_than_naive]
    if worse:
        console.print(
            f"This calibration predicts worse than the earlier part's own rates in {len(worse)} of {len(figures)} "
            f"figures: {'; '.join(worse)}. Where settings stay as they are, expect what was, not what it says.",
            style="yellow",
        )  # fmt: skip
    table = Table(title=f"the first {100 * share:g} % of the log predict the rest", title_justify="left")
    names = list(dict.fromkeys(name for figure in figures for name in figure.by_model))
    table.add_column("figure")
    for name in names:
        table.add_column(name, justify="right")
    for figure in figures:
        table.add_row(
            figure.name, *(f"{figure.by_model[name]:.4f}" if name in figure.by_model else "" for name in names)
        )
    console.print(table, soft_wrap=False)


if __name__ == "__main__":
    app()
