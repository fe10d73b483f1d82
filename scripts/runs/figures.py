"""How all pictures look: widths and fonts of a two-column paper, colours that everybody can tell apart, formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
import typer
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from scripts.runs.statistics import mean_interval

COLUMN_INCH, PAGE_INCH = 3.5, 7.16
"""Widths of a column and of both columns of a page. Source: IEEE's guide for authors, figures (21 and 43 picas)."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of lines. Source: M. Okabe, K. Ito, Color Universal Design (2008), without yellow, which is lost on white."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X")
"""Marks on lines, so that they can be told apart without colours, too; one for each colour."""

MOST_LINES = len(COLOURS)
"""Lines that one panel has at most."""

_MARKS_PER_LINE, _WIDEST_INCH = 8, 12.0
_PNG_DPI, _PNG_WIDTH = 200, 1600
"""Resolution of a picture on a page, and of a wider one the width in pixels that it is reduced to."""

_STYLE: Any = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "figure.titlesize": 8.0,
    "legend.fontsize": 7.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "axes.linewidth": 0.6,
    "axes.grid": False,
    "grid.linewidth": 0.4,
    "axes.prop_cycle": cycler(color=COLOURS),
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3
    "svg.fonttype": "none",  # text stays text
}


class Band(StrEnum):
    """What the band around a curve of means over seeds shows."""

    interval = "interval"
    sd = "sd"
    range = "range"
    none = "none"

    def legend(self, seeds: int) -> str:
        """The words of a picture's title on the band; empty: there is none."""
        if seeds < 2 or self is Band.none:
            return "mean over seeds" if seeds > 1 else "1 seed"
        return f"mean over seeds; band: {_LEGENDS[self]}"

    def ends(self, values: ArrayLike, highest: float | None = None) -> tuple[NDArray, NDArray] | None:
        """Lower and upper end of the band; None: there is none.

        Args:
            values: Of the seeds. `[n, ...]`
            highest: The largest value where they are shares (`scripts.runs.statistics.within`).
        """
        array = np.asarray(values, np.float64)
        if len(array) < 2 or self is Band.none:
            return None
        if self is Band.interval:
            return mean_interval(array, highest)
        if self is Band.range:
            return array.min(axis=0), array.max(axis=0)
        mean, spread = array.mean(axis=0), array.std(axis=0, ddof=1)
        return mean - spread, mean + spread


_LEGENDS = {
    Band.interval: "95 % interval of the mean",
    Band.sd: "one standard deviation",
    Band.range: "smallest to largest seed",
}

BandOption = Annotated[Band, typer.Option(help="What bands around curves show, over seeds.")]
"""Option of commands that draw curves."""


@contextmanager
def paper_style() -> Iterator[None]:
    """Pictures that are drawn within have fonts, lines and colours for a paper; also a decorator."""
    with matplotlib.rc_context(_STYLE):
        yield


def paper_figure(width_inch: float, height_inch: float) -> Figure:
    """An empty picture of this shape, as wide as a page unless it is narrower or too wide to be read there. inch"""
    scale = PAGE_INCH / width_inch if PAGE_INCH < width_inch <= _WIDEST_INCH else 1.0
    return Figure(figsize=(scale * width_inch, scale * height_inch), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Writes a picture as PNG, PDF and SVG.

    Args:
        figure: The picture.
        path: Of the PNG file; the others lie beside it.
    """
    with matplotlib.rc_context(_STYLE):
        figure.savefig(path, dpi=min(_PNG_DPI, _PNG_WIDTH / figure.get_figwidth()))
        figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def groups_of_lines(labels: Sequence[str]) -> list[list[str]]:
    """Labels in groups of about the same size, none with more lines than a panel has at most; at least one group."""
    count = max(1, -(-len(labels) // MOST_LINES))
    ends = [len(labels) * number // count for number in range(count + 1)]
    return [list(labels[low:high]) for low, high in zip(ends, ends[1:], strict=False)]


def draw_line(
    axes: Axes, number: int, at: ArrayLike, values: ArrayLike, band: Band, highest: float | None = None, **style: Any
) -> None:
    """Draws the mean of a curve over seeds, and its band.

    Args:
        axes: To draw on.
        number: Of the line on its panel, below `MOST_LINES`: its colour and its mark.
        at: Places on the axis. `[T]`
        values: Of the seeds. `[n, T]`
        band: Around the mean.
        highest: The largest value where they are shares.
        style: Of the line, such as its label.
    """
    places, array = np.asarray(at, np.float64), np.asarray(values, np.float64)
    every = max(1, len(places) // _MARKS_PER_LINE)
    marks: dict[str, Any] = {"marker": MARKERS[number], "markevery": (number * every // MOST_LINES, every)}
    axes.plot(places, array.mean(axis=0), color=COLOURS[number], **marks, **style)
    ends = band.ends(array, highest)
    if ends is not None:
        axes.fill_between(places, *ends, color=COLOURS[number], alpha=0.2, lw=0)
