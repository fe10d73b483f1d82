"""How pictures look: bands, formats, widths, and how many lines a panel has."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.runs import plots
from scripts.runs.figures import COLOURS, MARKERS, MOST_LINES, PAGE_INCH, Band, groups_of_lines, paper_figure, save
from scripts.runs.statistics import estimate

VALUES = np.array([[0.97, 0.5], [0.99, 0.6], [1.0, 0.7]])


def test_the_default_band_is_the_interval_of_the_mean() -> None:
    low, high = Band.interval.ends(VALUES, 1.0)
    for column in range(2):
        expected = estimate(VALUES[:, column], 1.0)
        assert (low[column], high[column]) == pytest.approx((expected.ci_low, expected.ci_high))
    assert (high <= 1.0).all() and (low >= 0.0).all()


def test_other_bands() -> None:
    assert np.array_equal(Band.range.ends(VALUES), [VALUES.min(axis=0), VALUES.max(axis=0)])
    low, high = Band.sd.ends(VALUES)
    assert high - low == pytest.approx(2 * VALUES.std(axis=0, ddof=1))
    assert Band.none.ends(VALUES) is None and Band.interval.ends(VALUES[:1]) is None


def test_the_legend_says_what_a_band_shows() -> None:
    legends = [band.legend(5) for band in Band]
    assert len(set(legends)) == len(Band) and "95 % interval" in Band.interval.legend(5)
    assert Band.interval.legend(1) == "1 seed"


def test_a_panel_has_no_more_lines_than_can_be_told_apart() -> None:
    labels = [str(number) for number in range(2 * MOST_LINES + 1)]
    groups = groups_of_lines(labels)
    assert [label for group in groups for label in group] == labels
    assert [len(group) for group in groups] == [5, 5, 5]
    assert groups_of_lines(labels[:MOST_LINES]) == [labels[:MOST_LINES]]
    assert len(set(COLOURS)) == len(set(MARKERS)) == MOST_LINES


def test_pictures_are_png_pdf_and_svg_as_wide_as_a_page(tmp_path) -> None:
    figure = paper_figure(2 * PAGE_INCH - 3, 4.0)
    figure.add_subplot().plot([1, 2], label="a line")
    for name in ("first", "second"):
        save(figure, tmp_path / f"{name}.png")
    for suffix, begin in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("first", "second"))
        assert first.startswith(begin)
        assert first == second or suffix == "svg"  # whose identifiers are of the process
    assert figure.get_figwidth() == pytest.approx(PAGE_INCH)


def test_many_learners_are_dealt_out_to_rows_with_the_same_axes(tmp_path, monkeypatch) -> None:
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))
    labels = [f"learner-{number}" for number in range(MOST_LINES + 1)]
    curves = {
        label: [
            [
                {"time_h": hour, "evaluation": 0, "pdr": 0.5 + 0.01 * place + 0.02 * seed, "ee_bits_per_mj": 10.0}
                for hour in (1, 2)
            ]
            for seed in range(2)
        ]
        for place, label in enumerate(labels)
    }
    plots.draw_curves(tmp_path / "curves.png", "title", curves)
    panels = figures[0].axes
    assert len(panels) == 4 and panels[0].get_ylim() == panels[2].get_ylim()
    legends = [text.get_text() for axes in panels if axes.get_legend() for text in axes.get_legend().get_texts()]
    assert legends == labels
    assert {axes.get_ylabel() for axes in panels} == {"PDR [%]", "energy efficiency [bits/mJ]"}
