"""Draws the training curves of an environment from the file of its setting `episode_log`.

- `python scripts/curves.py runs/first/episodes.csv`

Every environment can write such a file, whatever library trains on it: a row for each finished episode, with return and
metrics (`lora_marl/envs/episode_log.py`). `train_sb3.py` and the recipes write and draw it without being asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.runs.cli import console, new_app, one_line_errors
from scripts.runs.episodes import draw_episodes, read_episodes

app = new_app()


@app.command(help=__doc__)
def main(
    episodes: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file of an environment's episode_log.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The picture; default: beside the file.")] = None,
    title: Annotated[str | None, typer.Option(help="Of the picture; default: the folder of the file.")] = None,
) -> None:
    """Draws."""
    with one_line_errors():
        picture = episodes.with_suffix(".png") if out is None else out
        draw_episodes(picture, read_episodes(episodes), episodes.resolve().parent.name if title is None else title)
        console.print(f"picture: {picture} (.pdf, .svg)")


if __name__ == "__main__":
    app()
