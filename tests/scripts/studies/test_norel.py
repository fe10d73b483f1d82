"""What NoReL's studies read off their cells, on rows made by hand; and that their pictures are drawn."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from scripts.studies import studies
from scripts.studies.claim import CellResult
from scripts.studies.norel import readings as readings
from scripts.studies.norel.plots import draw_assignments, draw_by_nodes, draw_estimates, draw_maps

TRACKING = "norel_tracking.yaml"


def curve(hours, **columns):
    """A row per hour; columns are numbers, lists by hour, or functions of the hour."""
    rows = []
    for place, hour in enumerate(hours):
        row = {"time_h": float(hour), "evaluation": 0.0, "duration_s": 3600.0, "sent": 100.0, "delivered": 90.0,
               "below_sensitivity": 10.0, "interfered": 0.0, "collided": 0.0, "no_demodulator": 0.0,
               "gateway_sending": 0.0, "dropped": 0.0, "downlinks": 5.0, "downlinks_received": 5.0,
               "downlinks_refused": 0.0, "downlink_airtime_s": 36.0, "airtime_s": 10.0, "energy_mj": 1800.0,
               "delivered_bits": 14400.0, "fairness": 1.0, "pdr": 0.9, "sent_sf7": 60.0, "sent_sf8": 40.0,
               "sent_tp2dbm": 100.0}  # fmt: skip
        for name, value in columns.items():
            row[name] = float(value(hour) if callable(value) else value[place] if isinstance(value, list) else value)
        rows.append(row)
    return rows


def result_of(*curves, **extra):
    extra = {"delivery": [90.0] * len(curves), "joint": [91.0] * len(curves), "model": [92.0] * len(curves)} | extra
    points = [np.zeros((1000, 4), np.int16)] * len(curves)
    return CellResult(list(curves), 2.0, extra, points)


def test_every_learner_is_shown_with_energy_and_downlinks_beside_its_delivery():
    numbers = {
        "x/200/norel": result_of(curve([1, 2])),
        "x/200/reference-pdr": result_of(curve([1, 2]), delivery=[96.0]),
    }
    by_column = {column.name: column.read("x/200/norel", numbers) for column in readings.columns()}
    assert by_column == {
        "simulated [%]": [90.0],
        "share of the reference [%]": [pytest.approx(93.75)],
        "closed form [%]": [91.0],
        "NoReL's model [%]": [92.0],
        "energy per packet delivered [mJ]": [pytest.approx(20.0)],
        "downlinks per 100 packets": [pytest.approx(5.0)],
        "gateway airtime [%]": [pytest.approx(1.0)],
    }
    assert math.isnan(readings.columns()[1].read("y/norel", numbers | {"y/norel": result_of(curve([1]))})[0])


def test_states_are_counted_by_window():
    right = readings.right_states(result_of(curve([1, 2, 3], windows=[10, 10, 20], windows_right=[10, 0, 20])))
    assert right == [75.0]
    assert math.isnan(readings.right_states(result_of(curve([1], windows=0, windows_right=0)))[0])


def test_strategies_settle_after_packets_of_the_network():
    numbers = {"s": result_of(curve(range(1, 11), restless_h=[0, 1, 2.5, 2.5, 2.5, 7, 7, 7, 7, 7]))}
    assert readings.settled("restless_h", 5.0)("s", numbers) == [pytest.approx(0.25)]
    assert readings.settled("restless_h", 10.0)("s", numbers) == [pytest.approx(0.7)]
    assert readings.settled("restless_h", 10.0, since_h=5.0)("s", numbers) == [pytest.approx(0.2)]
    assert math.isnan(readings.settled("restless95_h", 10.0)("s", numbers)[0])


def test_the_truth_is_the_configurations():
    truth = readings.true_values(TRACKING)
    assert [end_h for end_h, _ in truth] == [5, 10, 15, 20, 24]
    assert [values["sigma"] for _, values in truth] == [3.54, 6.0, 4.5, 7.5, 3.0]
    assert truth[1][1] == {"sigma": 6.0, "gamma": 2.9, "path_loss": 126}


def test_estimates_are_held_against_it():
    def true(what, hour):
        return next(values[what] for end_h, values in readings.true_values(TRACKING) if hour <= end_h)

    hours = np.arange(0.5, 24.5, 0.5).tolist()
    rows = curve(
        hours, estimated_sigma_db=lambda hour: 1.1 * true("sigma", hour),
        estimated_slope=lambda hour: 2.32 - true("gamma", hour),
        estimated_offset_db=lambda hour: 128.95 - 1.02 * true("path_loss", hour),
    )  # fmt: skip
    for what, percent in (("sigma", 10.0), ("gamma", 0.0), ("path_loss", 2.0)):
        errors = readings.tracking_errors(what, TRACKING)(result_of(rows))
        assert errors == [pytest.approx(percent, abs=1e-9)]


def test_the_lower_end_is_of_paired_differences():
    ours, theirs = (result_of(*[curve([1])] * 3, delivery=delivery) for delivery in ([91, 92, 93], [90, 91, 92]))
    assert readings.lower_end(ours, theirs) == [pytest.approx(1.0)] and readings.lower_end(theirs, ours)[0] < -0.9


def test_pictures(tmp_path):
    rows = curve(np.arange(0.5, 24.5, 0.5).tolist(), estimated_sigma_db=4, estimated_slope=0, estimated_offset_db=0)
    two = result_of(rows, rows)
    draws = {
        "assignments": (partial(draw_assignments, title="x"), {"s/norel": two, "s/min-sf": two}),
        "nodes": (
            partial(draw_by_nodes, nodes=(200, 400)),
            {f"s/{n}/{label}": two for n in (200, 400) for label in "ab"},
        ),
        "maps": (partial(draw_maps, config="norel_gateways.yaml", shown=["s/a"]), {"s/a": two, "s/b": two}),
        "estimates": (partial(draw_estimates, config=TRACKING), {"s/norel": two}),
    }
    for name, (draw, numbers) in draws.items():
        draw(tmp_path / f"{name}.png", numbers)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_all_rules_are_in_every_study_of_networks():
    by_name = studies()
    for name in ("norel-density", "norel-gateways"):
        labels = {cell.name.rpartition("/")[2] for cell in by_name[name].cells}
        assert labels >= {"min-sf", "tolio", "load-br", "load-sorted", "adr-server", "adr-sigma8", "dylora", "norel"}
    assert {"reference-pdr", "reference-tp14"} <= {c.name.rpartition("/")[2] for c in by_name["norel-density"].cells}
