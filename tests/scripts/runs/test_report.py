"""Tables of runs as Markdown."""

from __future__ import annotations

import pytest
from rich.console import Console

from scripts.runs.report import NAMES, Result, markdown, results_table, with_interval
from scripts.runs.statistics import estimate


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    lines = markdown(["name", "value"], [["<i>|x</i>", "1"]]).splitlines()
    assert lines == ["| name | value |", "| --- | --- |", "| <i>\\|x</i> | 1 |"]


def test_an_interval_that_is_not_symmetric_is_shown_by_its_ends() -> None:
    assert with_interval(estimate([89.9, 90.0, 90.1], 100.0)) == "90.00 ± 0.25"
    assert with_interval(estimate([95.0, 99.0, 100.0], 100.0)) == "98.00 (63.14 to 99.93)"
    assert with_interval(estimate([100.0, 100.0], 100.0)) == "100"


@pytest.mark.parametrize(("published", "columns"), [(lambda *_: "", 4), (lambda label, _: "74", 5), (None, 4)])
def test_a_table_has_a_column_of_the_paper_only_if_the_paper_has_a_number(published, columns) -> None:
    rows = [dict.fromkeys(NAMES, 1.0)] * 2
    results = [Result("a-learner-of-a-very-long-name", "journal", rows), Result("b", "journal", rows)]
    table = results_table("title", results, published)
    assert len(table.columns) == columns
    console = Console(width=80, markup=False)
    with console.capture() as capture:
        console.print(table)
    first = "".join(line.split("│")[1].strip() for line in capture.get().splitlines() if "│" in line)
    assert "…" not in capture.get() and first == "a-learner-of-a-very-long-nameb"
