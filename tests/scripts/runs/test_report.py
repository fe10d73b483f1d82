"""Tables of runs as Markdown."""

from __future__ import annotations

from scripts.runs.report import markdown


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    lines = markdown(["name", "value"], [["<i>|x</i>", "1"]]).splitlines()
    assert lines == ["| name | value |", "| --- | --- |", "| <i>\\|x</i> | 1 |"]
