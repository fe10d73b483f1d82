"""Writes the tables and pictures of coexisting networks into the documents that show them.

- `python scripts/ccs_page.py` (`docs/coexistence.md` and `README.md`)
- `python scripts/ccs_page.py docs/coexistence.md --only ccs-dynamic --only ccs-static`

A table stands right under a comment that names it, `<!-- ccs-dynamic: gains -->`, and is written anew, as are pictures
that a page links to; the text around them stays as it is. Cells are those of `reproduce.py`; what is missing is played,
but for `direct`, which no such table shows: a round of it takes seconds, and it knows no service.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from lora_marl.core.checks import suggest
from lora_marl.core.files import write_atomically
from scripts.runs.cli import ROOT, UsageError, console, new_app, one_line_errors
from scripts.runs.jobs import Store
from scripts.studies import studies
from scripts.studies.ccs import eu868, figures, options, regimes, tables
from scripts.studies.ccs.tables import Table
from scripts.studies.claim import Results, Study
from scripts.studies.results import simulated

app = new_app()
PAGES = (ROOT / "docs" / "coexistence.md", ROOT / "README.md")
FIGURES = ROOT / "docs" / "figures"
COMMENT = re.compile(r"<!--[^>]*\bccs[^>]*-->.*\n?")
"""Anything that looks as if it named a table."""

PLACE = re.compile(r"(?P<comment><!-- (?P<study>ccs-[\w-]+): (?P<what>[\w ]+) -->\n)(?P<table>(?:\|.*(?:\n|\Z))+)")
"""A comment with a table right under it."""

SETTINGS = {
    "ccs-dynamic": ("settled, moving independent", "settled, moving ccs"),
    "ccs-static": ("settled independent", "settled ccs"),
    "ccs-light": ("least", "worst"),
    "ccs-static-light": ("least", "worst"),
    "ccs-heavy": (),
    "ccs-static-heavy": (),
}
"""Studies of Table 1's regimes, and what their first table has more: see `scripts.studies.ccs.tables.gains`."""

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
    results: Annotated[Path, typer.Option(metavar="DIR", help="Of reproduce.py.")] = Path("results"),
    figures: Annotated[Path, typer.Option(metavar="DIR", help="For pictures.")] = FIGURES,
    jobs: Annotated[int, typer.Option(min=1, help="Cells played at the same time.")] = 2,
) -> None:
    """Plays what is missing, and writes."""
    with one_line_errors():
        paths = pages or list(PAGES)
        wanted = chosen(named(path.read_text(encoding="utf-8") for path in paths), only or ())
        known = studies()
        shown = [without_direct(known[study]) for study in wanted]
        numbers = simulated(shown, Store(results / "reproduce" / "cells"), quick=False, jobs=jobs)
        # Pages are read once more: playing takes hours.
        texts = {path: written(path.read_text(encoding="utf-8"), wanted, numbers) for path in paths}
        for path, text in texts.items():
            write_atomically(path, text)
            console.print(f"tables: {path}", markup=False)
        for path in draw(shown, numbers, figures):
            console.print(f"picture: {path}", markup=False)


def named(texts: Iterable[str]) -> list[str]:
    """Studies whose tables or pictures pages show, each once. UsageError: a comment that no table can follow."""
    found: dict[str, None] = {}
    for text in texts:
        places = {match["comment"]: (match["study"], match["what"]) for match in PLACE.finditer(text)}
        for comment in COMMENT.findall(text):
            if places.get(comment) not in TABLES:
                known = ", ".join(": ".join(each) for each in TABLES)
                raise UsageError(f"{comment.strip()}: no table, or none right under it; known: {known}")
        found |= dict.fromkeys(study for study, _ in places.values())
        found |= dict.fromkeys(study for study, picture in PICTURES.items() if picture in text)
    return list(found)


def chosen(shown: Sequence[str], only: Sequence[str]) -> list[str]:
    """Those of some studies that are wanted. UsageError: one that no page shows."""
    for study in only:
        if study not in shown:
            hint = suggest(study, shown)
            raise UsageError(f"--only: {study!r} is on none of the pages{hint}; known: {', '.join(shown)}")
    return [study for study in shown if not only or study in only]


def without_direct(study: Study) -> Study:
    """A study without the cells that no page shows."""
    return replace(study, cells=tuple(cell for cell in study.cells if cell.learner != "direct"))


def written(text: str, wanted: Sequence[str], numbers: Results) -> str:
    """A page whose tables of some studies are those of these numbers."""

    def anew(match: re.Match[str]) -> str:
        key = match["study"], match["what"]
        return match["comment"] + TABLES[key](numbers) if match["study"] in wanted else match[0]

    return PLACE.sub(anew, text)


def draw(shown: Sequence[Study], numbers: Results, figures: Path) -> list[Path]:
    """The pictures of some studies, where there is one; where they are."""
    figures.mkdir(parents=True, exist_ok=True)
    found = []
    for study in shown:
        if study.name in PICTURES and study.draw is not None:
            path = figures / PICTURES[study.name]
            study.draw(path, {cell.name: numbers[cell.name] for cell in study.cells})
            write_atomically(path, partial(_quantised, picture=path))
            found.append(path)
    return found


def _quantised(path: Path, picture: Path) -> None:
    """A picture once more, with a palette: a quarter of the bytes, and no colour far off."""
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(path, format="png", optimize=True)


if __name__ == "__main__":
    app()
