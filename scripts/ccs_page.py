"""Writes the tables and pictures of coexisting networks into the documents that show them.

- `python scripts/ccs_page.py` (`docs/coexistence.md` and `docs/coexistence_tables.md`)
- `python scripts/ccs_page.py docs/coexistence_tables.md --only ccs-dynamic --only ccs-static`

Each table directly under a comment that names it, such as `<!-- ccs-dynamic: gains -->`, is rewritten, and so are the
pictures that a page links to; the text around them stays as it is. Cells are those of `reproduce.py`. Missing ones are
played, except those of `direct`, which no table shows and whose rounds take seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from PIL import Image

from lora_marl.core.checks import suggest
from lora_marl.core.files import write_atomically
from scripts.runs.cli import ROOT, UsageError, console, needed, new_app, one_line_errors
from scripts.runs.jobs import Store
from scripts.studies import studies
from scripts.studies.claim import Results, Study
from scripts.studies.results import simulated

with needed("torch"):
    from scripts.studies.ccs import eu868, figures, options, regimes, tables
    from scripts.studies.ccs.tables import Table

app = new_app()
PAGES = (ROOT / "docs" / "coexistence.md", ROOT / "docs" / "coexistence_tables.md")
FIGURES = ROOT / "docs" / "figures"
COMMENT = re.compile(r"<!--[^>]*\bccs[^>]*-->.*\n?")
"""A comment that seems to name a table."""

PLACE = re.compile(r"(?P<comment><!-- (?P<study>ccs-[\w-]+): (?P<what>[\w ]+) -->\n)(?P<table>(?:\|.*(?:\n|\Z))+)")
"""A comment with a table directly under it."""

SETTINGS = {
    "ccs-dynamic": ("settled, moving independent", "settled, moving ccs"),
    "ccs-static": ("settled independent", "settled ccs"),
    "ccs-light": ("least", "worst"),
    "ccs-static-light": ("least", "worst"),
    "ccs-heavy": (),
    "ccs-static-heavy": (),
}
"""Studies of Table 1's regimes, and further columns of their first table; see `scripts.studies.ccs.tables.gains`."""

TABLES: Mapping[tuple[str, str], Table] = {
    **{(s, "gains"): tables.gains(s, columns, paper=s == "ccs-dynamic") for s, columns in SETTINGS.items()},
    **{(study, "strategies"): tables.strategies(study) for study in SETTINGS},
    **{(study, "vendors"): tables.vendors(study) for study in SETTINGS},
    ("ccs-dynamic", "gains in short"): tables.gains("ccs-dynamic", paper=True),
    ("ccs-dynamic", "pooled"): partial(tables.pooled_by_size, study="ccs-dynamic"),
    ("ccs-unequal", "prr"): regimes.unequal_prr,
    ("ccs-unequal", "gains"): regimes.unequal_gains,
    ("ccs-unequal", "settled"): regimes.unequal_settled,
    ("ccs-eu868", "gains"): eu868.gains_table,
    ("ccs-eu868", "strategies"): eu868.strategies_table,
    ("ccs-networks", "sweep"): figures.sweep_table("ccs-networks"),
    ("ccs-load", "sweep"): figures.sweep_table("ccs-load"),
    ("ccs-attacks", "gains"): options.attacks_table,
    ("ccs-attacks", "medians"): options.medians_table,
    ("ccs-compression", "gains"): options.compression_table,
    ("ccs-figure-4", "gains"): figures.mixed_table,
    **{(study, "gains"): options.options_table(study) for study in ("ccs-variants", "ccs-privacy", "ccs-stale")},
}
PICTURES = {
    "ccs-figure-3": "coexistence_failure.png",
    "ccs-networks": "coexistence_networks.png",
    "ccs-load": "coexistence_load.png",
    "ccs-attacks": "coexistence_attacks.png",
}


@app.command(help=__doc__)
def main(
    pages: Annotated[
        list[Path] | None, typer.Argument(metavar="[PAGE]...", exists=True, dir_okay=False, help="By default both.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="STUDY", help="By default all that pages name.")] = None,
    results: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the results of reproduce.py.")] = Path(
        "results"
    ),
    figures: Annotated[Path, typer.Option(metavar="DIR", help="Folder for pictures.")] = FIGURES,
    jobs: Annotated[int, typer.Option(min=1, help="Cells played at the same time.")] = 2,
) -> None:
    """Plays missing cells, and writes tables and pictures."""
    with one_line_errors():
        paths = pages or list(PAGES)
        wanted = selected(studies_of(path.read_text(encoding="utf-8") for path in paths), only or ())
        by_name = studies()
        shown = [without_direct(by_name[study]) for study in wanted]
        numbers = simulated(shown, Store(results / "reproduce" / "cells"), quick=False, jobs=jobs)
        # Pages are read again, because somebody may have edited them while cells were played, for hours.
        texts = {path: with_tables(path.read_text(encoding="utf-8"), wanted, numbers) for path in paths}
        for path, text in texts.items():
            write_atomically(path, text)
            console.print(f"tables: {path}")
        for path in draw(shown, numbers, figures):
            console.print(f"picture: {path}")


def studies_of(texts: Iterable[str]) -> list[str]:
    """Returns the studies whose tables or pictures pages show, each once. UsageError: a comment without a table."""
    names: dict[str, None] = {}
    for text in texts:
        places = {match["comment"]: (match["study"], match["what"]) for match in PLACE.finditer(text)}
        for comment in COMMENT.findall(text):
            if places.get(comment) not in TABLES:
                known = ", ".join(": ".join(key) for key in TABLES)
                raise UsageError(f"{comment.strip()}: no table, or none right under it; known: {known}")
        names |= dict.fromkeys(study for study, _ in places.values())
        names |= dict.fromkeys(study for study, picture in PICTURES.items() if picture in text)
    return list(names)


def selected(shown: Sequence[str], only: Sequence[str]) -> list[str]:
    """Returns the studies that `only` names, or all if it is empty. UsageError: one that no page shows."""
    for study in only:
        if study not in shown:
            hint = suggest(study, shown)
            raise UsageError(f"--only: {study!r} is on none of the pages{hint}; known: {', '.join(shown)}")
    return [study for study in shown if not only or study in only]


def without_direct(study: Study) -> Study:
    """Returns a study without its cells of `direct`, which no page shows."""
    return replace(study, cells=tuple(cell for cell in study.cells if cell.learner != "direct"))


def with_tables(text: str, wanted: Sequence[str], numbers: Results) -> str:
    """Returns a page in which the tables of some studies show these numbers."""

    def rewritten(match: re.Match[str]) -> str:
        key = match["study"], match["what"]
        return match["comment"] + TABLES[key](numbers) if match["study"] in wanted else match[0]

    return PLACE.sub(rewritten, text)


def draw(shown: Sequence[Study], numbers: Results, figures: Path) -> list[Path]:
    """Draws the pictures of the studies that have one, and returns their paths."""
    figures.mkdir(parents=True, exist_ok=True)
    paths = []
    for study in shown:
        if study.name in PICTURES and study.draw is not None:
            path = figures / PICTURES[study.name]
            with TemporaryDirectory() as folder:  # pages show PNG alone
                picture = Path(folder) / path.name
                study.draw(picture, {cell.name: numbers[cell.name] for cell in study.cells})
                write_atomically(path, partial(_quantised, picture=picture))
            paths.append(path)
    return paths


def _quantised(path: Path, picture: Path) -> None:
    """Writes a picture with a palette of 256 colours, which takes a quarter of the bytes."""
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(path, format="png", optimize=True)


if __name__ == "__main__":
    app()
