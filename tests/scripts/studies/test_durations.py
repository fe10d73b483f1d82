"""How long studies take, as the list of studies says."""

from __future__ import annotations

import math

import pytest

from scripts.studies import durations, studies
from scripts.studies.claim import Cell
from scripts.studies.results import config_of


def test_every_study_has_a_measured_duration() -> None:
    for name in studies():
        assert 0 < durations.cpu_s(name) < math.inf, name
        assert durations.cpu_s(name, quick=True) == durations.cpu_s(name) / 50


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(10, "under a minute"), (90, "about 2 min"), (4000, "about 67 min"), (12_600, "about 3.5 h"),
     (math.nan, "not measured")],
)  # fmt: skip
def test_durations_are_told_as_roughly_as_they_are_known(seconds: float, text: str) -> None:
    assert durations.in_words(seconds) == text


def test_work_is_counted_in_packets_intervals_and_episodes() -> None:
    cell = Cell("x", "journal_fit.yaml", "cucb", ("duration_h=10", "seeds=[0,1]"))
    assert durations.units(config_of(cell), "cucb") == pytest.approx(100 * 180 * 10 * 2)
    two = Cell("x", "ccs_two.yaml", "independent", ("coexistence.intervals=30", "seeds=[0]"))
    assert durations.units(config_of(two), "independent") == 2 * 100 * 30
    planned = config_of(Cell("x", "mmalora.yaml", "rcst", ("seeds=[0,1,2]",)))
    assert durations.units(planned, "rcst") == planned.scenario.topology.nodes * 3
