from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core import metrics
from scripts import sweep
from scripts.runs.metrics import reported
from scripts.runs.packets.experiment import PacketExperiment
from scripts.studies.pareto_front import GridPoint, ParetoFront, non_dominated

CONFIGS = Path(__file__).parents[2] / "configs"
TINY = ("--hours", 0.2, "--set", "scenario.topology.nodes=4", "--jobs", 1)


def tiny(invoke, results, *arguments):
    path = results / "out.json"
    result = invoke(
        sweep.app, "--config", CONFIGS / "journal_fit.yaml", *TINY, "--results", results, "--json", path, *arguments
    )
    return result, json.loads(path.read_text()) if path.exists() else None


def test_front_by_hand():
    """(3, 1) and (1, 3) stand; (2, 2) stands; (1, 1) is beaten by (2, 2), (3, 0) by (3, 1)."""
    assert non_dominated([[3, 1], [1, 3], [2, 2], [1, 1], [3, 0]]).tolist() == [True, True, True, False, False]
    assert non_dominated([[1, 1], [1, 1]]).tolist() == [True, True]
    assert non_dominated([[5.0, np.nan], [1.0, 1.0]]).tolist() == [False, True]


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=12))
def test_front_is_the_one_of_a_search_over_pairs(points):
    expected = [
        not any(
            all(a >= b for a, b in zip(other, point, strict=True))
            and any(a > b for a, b in zip(other, point, strict=True))
            for other in points
        )
        for point in points
    ]
    assert non_dominated(points).tolist() == expected
    assert any(expected)


def test_utility_is_relative_to_the_largest_means():
    def tried(pdr, ee, th):
        return GridPoint({"eta": "1"}, [{"pdr": pdr, "ee_bits_per_mj": ee, "bits_per_airtime_s": th}])

    front = ParetoFront.of([tried(0.8, 100.0, 300.0), tried(0.4, 200.0, 600.0)], (0.5, 0.25, 0.25), None)
    assert front.scales == [0.8, 200.0, 600.0]
    assert [worth.mean for worth in front.utilities()] == pytest.approx([0.5 + 0.125 + 0.125, 0.25 + 0.25 + 0.25])
    given_scales = ParetoFront.of(front.points, (0.0, 1.0, 0.0), (1.0, 50.0, 1.0))
    assert [worth.mean for worth in given_scales.utilities()] == pytest.approx([2.0, 4.0])


def test_a_grid_has_every_combination_once():
    grid = list(sweep.grid_of(["eta=0,1.8", "c=1,2,2"]))
    assert grid == [{"eta": e, "c": c} for e in ("0", "1.8") for c in ("1", "2")]


def test_a_sweep(invoke, tmp_path):
    result, records = tiny(invoke, tmp_path, "--vary", "eta=0,3.5", "--vary", "c=2", "--seeds", "0,1")
    assert result.exit_code == 0, result.output
    assert [(row["eta"], row["c"]) for row in records] == [(0, 2), (3.5, 2)]
    assert all(row["seeds"] == 2 and row["pdr_sd"] is not None for row in records)
    assert records[1]["ee_bits_per_mj"] > records[0]["ee_bits_per_mj"]
    folder = tmp_path / "sweep" / "journal_fit-cucb"
    assert json.loads((folder / "sweep.json").read_text()) == records
    assert (folder / "front.png").stat().st_size > 5_000
    assert "| eta | c | PDR [%] |" in (folder / "sweep.md").read_text()
    assert not list(folder.rglob("*.pkl"))


def test_a_point_is_what_its_configuration_gives_alone(invoke, tmp_path):
    _, records = tiny(invoke, tmp_path, "--vary", "eta=3.5", "--vary", "scenario.traffic.interval_s=10", "--seeds", "7")
    changes = (
        "duration_h=0.2", "report_last_h=0.1", "interval_h=0.1", "seeds=[7]", "scenario.topology.nodes=4",
        "scenario.traffic.interval_s=10", "learners.cucb.parameters.eta=3.5",
    )  # fmt: skip
    experiment = PacketExperiment(sweep.read_packet_config(CONFIGS / "journal_fit.yaml", changes), "cucb")
    curve = []
    while not experiment.finished:
        curve += experiment.step()
    assert len(curve) == 2
    last = reported(curve, 0.1)
    for metric in ("pdr", "ee_bits_per_mj", "bits_per_airtime_s"):
        assert records[0][metric] == last[metric]
    whole = metrics.pdr(sum(row["sent"] for row in curve), sum(row["delivered"] for row in curve))
    assert records[0]["pdr"] != whole


def test_what_is_finished_is_taken_over(invoke, tmp_path, monkeypatch):
    started = []
    play = sweep.run_job

    def noting(place, job, progress):
        started.append(job.seeds)
        return play(place, job, progress)

    monkeypatch.setattr(sweep, "run_job", noting)
    _, before = tiny(invoke, tmp_path, "--vary", "eta=0,1.8", "--seeds", "0,1")
    assert started == [(0, 1), (0, 1)]
    started.clear()
    _, after = tiny(invoke, tmp_path, "--vary", "eta=0,1.8,3.5", "--seeds", "0,1")
    assert started == [(0, 1)] and after[:2] == [
        row | {"utility": now["utility"], "utility_sd": now["utility_sd"], "on_front": now["on_front"]}
        for row, now in zip(before, after, strict=False)
    ]
    started.clear()
    _, more = tiny(invoke, tmp_path, "--vary", "eta=0", "--seeds", "0,1,2")
    assert started == [(2,)] and more[0]["seeds"] == 3
    started.clear()
    tiny(invoke, tmp_path, "--vary", "eta=0", "--seeds", "0,1,2", "--fresh")
    assert started == [(0, 1, 2)]


def test_a_learner_that_the_run_lacks_is_added(invoke, tmp_path):
    utility = ("--weights", "1,0,0", "--scales", "1,1,1")
    result, records = tiny(invoke, tmp_path, "--learner", "ucb1", "--vary", "c=1,2", "--seeds", "0", *utility)
    assert result.exit_code == 0, result.output
    assert [row["utility"] for row in records] == [row["pdr"] for row in records]
    assert records[0]["pdr_sd"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vary", "eta"), "reads KEY=VALUE,VALUE"),
        (("--vary", "eta=1,"), "reads KEY=VALUE,VALUE"),
        (("--vary", "eta=1", "--vary", "eta=2"), "varied already"),
        (("--vary", "etta=1"), "did you mean 'eta'?"),
        (("--vary", "c=-1"), "c = -1"),
        (("--vary", "eta=1", "--weights", "1,1,0"), "sum 1"),
        (("--vary", "eta=1", "--weights", "1,0,x"), "needs three numbers"),
        (("--vary", "eta=1", "--learner", "cucbb"), "unknown learner 'cucbb'"),
    ],
)
def test_bad_input_is_one_line(invoke, tmp_path, arguments, message):
    result, _ = tiny(invoke, tmp_path, *arguments, "--seeds", "0")
    assert result.exit_code == 2 and message in result.output
