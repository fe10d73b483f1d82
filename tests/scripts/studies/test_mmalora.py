"""What MMALoRa's studies read off their cells, on rows made by hand; and that their pictures are drawn."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from scripts.studies import studies
from scripts.studies.claim import CellResult
from scripts.studies.mmalora import networks
from scripts.studies.mmalora import networks as reads
from scripts.studies.mmalora.plots import draw_bars, draw_convergence, draw_lines, draw_networks


def result_of(*ee, pdr=0.8, violations=0.0):
    curves = [
        [{"episode": 1.0, "ee_bits_per_mj": 1.0, "pdr": 0.5, "violations": 9.0, "share_of_bound": 0.1},
         {"episode": 2.0, "ee_bits_per_mj": value, "pdr": pdr, "violations": violations, "share_of_bound": 0.9}]
        for value in ee
    ]  # fmt: skip
    judged = {
        f"{what}_{judge}": [1.0] * len(ee)
        for what in ("ee", "pdr", "violations")
        for judge in ("expect", "joint", "packets")
    }
    points = [np.zeros((160, 4), np.int16)] * len(ee)
    return CellResult(curves, 1.0, judged | {"bound": [1.0] * len(ee)}, points)


def test_shares_are_of_the_same_network():
    ours, reference = result_of(9.0, 20.0, 8.0), result_of(10.0, 20.0, 10.0)
    assert reads.share(ours, reference) == [0.9, 1.0, 0.8]
    assert reads.median_share(ours, reference) == [0.9]


def test_order_and_rise():
    low, middle, high = result_of(1.0, 5.0), result_of(2.0, 3.0), result_of(3.0, 6.0)
    assert reads.in_order(low, middle, high) == [1.0, 0.0]
    assert reads.rises(low, high, column="ee_bits_per_mj") == [1.0]
    assert reads.rises(high, low, column="ee_bits_per_mj") == [0.0]
    assert reads.rises(low, middle, high, column="ee_bits_per_mj") == [0.0]  # 3.0, 2.5, 4.5


def test_settled_is_when_the_energy_efficiency_moves_no_more():
    ours = result_of(9.0, 9.0)
    for curve, values in zip(ours.curves, ([1.0, 5.0, 9.0, 9.1, 9.0, 9.0, 8.9, 9.0], [9.0] * 8), strict=True):
        curve[:] = [{"ee_bits_per_mj": value} for value in values]
    assert reads.settled(ours) == [2.0, 0.0]


def test_violations_are_counted_against_the_same_network():
    ours, theirs = result_of(9.0, 9.5), result_of(10.0, 10.0)
    ours.extra.update(violations_joint=[2.0, 4.0], ee_joint=[9.0, 9.5])
    theirs.extra.update(violations_joint=[5.0, 3.0], ee_joint=[10.0, 10.0])
    assert reads.more_violations(ours, theirs, judge="joint") == [-3.0, 1.0]
    assert reads.share_if_feasible(ours, theirs, judge="joint") == [0.9]
    assert np.isnan(reads.share_if_feasible(theirs, result_of(1.0, 1.0), judge="joint")[0])


def test_every_label_is_shown_with_its_share_and_three_judges():
    numbers = {"s/0.7/maac": result_of(9.0), "s/0.7/energy-ascent": result_of(10.0)}
    by_column = {column.name: column.read("s/0.7/maac", numbers) for column in reads.columns()}
    assert by_column["share of LS [%]"] == [pytest.approx(90.0)] and by_column["share of UB [%]"] == [
        pytest.approx(90.0)
    ]
    assert by_column["mean PDR [%]"] == [pytest.approx(100.0)]


def test_planners_are_in_every_study_of_methods():
    by_name = studies()
    for name in ("mmalora-methods", "mmalora-nodes", "mmalora-gateways", "mmalora-heavy-160", "mmalora-heavy-1000"):
        assert {cell.name.rpartition("/")[2] for cell in by_name[name].cells} >= {"maac", *networks.PLANNERS}


def test_pictures(tmp_path):
    two = result_of(9.0, 10.0)
    draws = {
        "networks": (
            partial(draw_networks, study="s", shown=("maac", "rcst"), config="mmalora.yaml"),
            {f"s/{least}/{label}": two for least in ("0.7", "0.5") for label in ("maac", "rcst")},
        ),
        "convergence": (partial(draw_convergence, study="s"), {"s/1 head": two, "s/20/uniform": two, "s/20/rcst": two}),
        "lines": (partial(draw_lines, study="s", over=(1, 2), axis="gateways"), {"s/1/maac": two, "s/2/maac": two}),
        "bars": (partial(draw_bars, study="s"), {"s/maac": two, "s/rcst": two}),
    }
    for name, (draw, numbers) in draws.items():
        draw(tmp_path / f"{name}.png", numbers)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
