"""Training curves of environments: the rows that `lora_marl.envs.episode_log` leaves, as a picture."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.files import one_line, require_regular
from scripts.runs.cli import UsageError, errors
from scripts.runs.figures import COLOURS, paper_figure, paper_style, save

EPISODES = "episodes.csv"
"""Name of the file beside a trained policy."""

_COUNTS = ("process", "steps", "replica", "length", "reward")
_SMOOTH_SHARE = 20
"""A point of the line is the mean over this fraction of all episodes."""
_COLUMNS, _WIDTH_INCH, _HEIGHT_INCH = 3, 7.16, 1.7


def read_episodes(path: Path) -> dict[str, NDArray[np.float64]]:
    """The columns of a file of episodes, in the order in which they ended. `[E]` each

    Raises:
        UsageError: no such file, or no table of numbers.
    """
    try:
        require_regular(path)
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]} if rows else {}
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read ({one_line(error)})") from None
    if not {"length", "return"} <= columns.keys():
        raise UsageError(f"{path}: is no file of episodes, or none has ended")
    return columns


@paper_style()
def draw_episodes(path: Path, columns: dict[str, NDArray[np.float64]], title: str) -> None:
    """Draws return and metrics of episodes over environment steps: every episode as a dot, and their running mean.

    Args:
        path: Of the PNG file.
        columns: Of `read_episodes`.
        title: Of the picture.
    """
    shown = [name for name in columns if name not in _COUNTS and np.isfinite(columns[name]).any()]
    lines = -(-len(shown) // _COLUMNS)
    figure = paper_figure(_WIDTH_INCH, _HEIGHT_INCH * lines + 0.4)
    window = max(1, len(columns["length"]) // _SMOOTH_SHARE)
    figure.suptitle(f"{title} (dots: episodes; line: mean of {window})")
    steps = np.cumsum(columns["length"])
    panels = figure.subplots(lines, _COLUMNS, squeeze=False, sharex=True).ravel()
    for axes, name in zip(panels, shown, strict=False):
        axes.plot(steps, columns[name], ".", ms=2, color=COLOURS[5], alpha=0.6)
        axes.plot(steps[window - 1 :], _running_mean(columns[name], window), color=COLOURS[0])
        axes.set_ylabel(name.replace("_", " "))
        axes.grid(alpha=0.3)
    for axes in panels[len(shown) :]:
        axes.remove()
    for axes in panels[max(0, len(shown) - _COLUMNS) : len(shown)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("environment steps")
    save(figure, path)


def show_episodes(path: Path, title: str) -> None:
    """Draws a file of episodes beside it, and says where; a line says where no episode has ended."""
    try:
        columns = read_episodes(path)
    except UsageError as error:
        errors.print(f"note: no training curves: {error}", style="yellow")
        return
    picture = path.with_suffix(".png")
    draw_episodes(picture, columns, title)
    errors.print(f"training curves: {path}, {picture.name} (.pdf, .svg)")


def _running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Means over so many neighbours. `[E - window + 1]`"""
    return np.convolve(values, np.full(window, 1.0 / window), mode="valid")
