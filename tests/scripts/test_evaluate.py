from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lora_marl.adapters.policy import Policy
from scripts import evaluate
from scripts.runs import checkpoints
from tests.scripts.conftest import ROOT

POLICIES = sorted(path.parent for path in (ROOT / "configs" / "policies").glob("*/policy.json"))


@pytest.fixture
def run(train_tiny, tmp_path):
    assert train_tiny(tmp_path).exit_code == 0
    return tmp_path / "dlora"


def records(result, path):
    assert result.exit_code == 0, result.output
    return {(record["learner"], record["metric"]): record for record in json.loads(path.read_text())}


def test_learners_and_references_share_a_table(invoke, run, tmp_path):
    path = tmp_path / "out.json"
    found = records(invoke(evaluate.app, run, "--hours", 1, "--json", path), path)
    assert {learner for learner, _ in found} == {"cucb", "random", "static-sf7", "distance-quantile"}
    assert all(record["seeds"] == 2 and record["scenario"] == "journal" for record in found.values())


def test_going_on_is_training_longer(invoke, train_tiny, run, tmp_path):
    path = tmp_path / "out.json"
    found = records(invoke(evaluate.app, run, "--hours", 1, "--json", path), path)
    longer = tmp_path / "longer.json"
    train_tiny(tmp_path, "name=longer", "duration_h=2", "report_last_h=1", "--json", longer)
    expected = {(record["learner"], record["metric"]): record for record in json.loads(longer.read_text())}
    for key in (("cucb", "pdr"), ("random", "pdr"), ("cucb", "ee_bits_per_mj")):
        assert found[key]["mean"] == pytest.approx(expected[key]["mean"], rel=1e-12)


def test_held_out_seeds(invoke, run, tmp_path):
    path = tmp_path / "out.json"
    found = records(invoke(evaluate.app, run, "--hours", 1, "--seeds", "7,8,9", "--json", path), path)
    assert found["cucb", "pdr"]["seeds"] == 3


def test_several_runs_are_told_apart(invoke, train_tiny, run, tmp_path):
    train_tiny(tmp_path, "name=other")
    path = tmp_path / "out.json"
    found = records(invoke(evaluate.app, run, tmp_path / "other", "--hours", 1, "--json", path), path)
    assert {"dlora/cucb", "other/cucb", "dlora/static-sf7"} <= {learner for learner, _ in found}


@pytest.mark.parametrize("seeds", ["a", "1,1", "-1", "1,,2"])
def test_bad_seeds(invoke, run, seeds):
    result = invoke(evaluate.app, run, f"--seeds={seeds}")
    assert result.exit_code == 2 and "--seeds" in result.output


def test_no_run(invoke):
    result = invoke(evaluate.app, ROOT / "configs")
    assert result.exit_code == 2 and "holds no run" in result.output


def test_truncated_snapshot(invoke, run):
    path = next((run / "0/cucb").glob("snapshot-*.npz"))
    path.write_bytes(path.read_bytes()[:500])
    result = invoke(evaluate.app, run)
    assert result.exit_code == 2 and str(path) in result.output


def test_a_learner_without_a_snapshot_is_left_out(invoke, run, tmp_path):
    next((run / "0/cucb").glob("snapshot-*.npz")).unlink()
    path = tmp_path / "out.json"
    result = invoke(evaluate.app, run, "--hours", 1, "--json", path)
    assert "cucb has no snapshot yet" in result.output
    assert {learner for learner, _ in records(result, path)} == {"random", "static-sf7", "distance-quantile"}


def test_no_snapshot_at_all(invoke, run):
    for path in run.rglob("snapshot-*.npz"):
        path.unlink()
    result = invoke(evaluate.app, run)
    assert result.exit_code == 2 and "train it first" in result.output


@pytest.mark.parametrize("name", ["learner/arms", "air/nodes"])
def test_snapshot_of_another_network(invoke, run, name):
    for path in run.rglob("cucb/snapshot-*.npz"):
        state = checkpoints.read(path)
        checkpoints.write(path, state | {name: state[name][:, :3]})
    result = invoke(evaluate.app, run)
    assert result.exit_code == 2 and "does not fit" in result.output


@pytest.mark.parametrize("hours", ["0", "-1", "nan"])
def test_bad_hours(invoke, run, hours):
    result = invoke(evaluate.app, run, f"--hours={hours}")
    assert result.exit_code == 2 and "--hours" in result.output


@pytest.mark.parametrize("folder", POLICIES, ids=lambda folder: folder.name)
def test_a_policy_that_ships_beats_random_actions(folder, invoke, tmp_path):
    result = invoke(evaluate.app, folder, "--seeds", "7,8", "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    records = json.loads((tmp_path / "out.json").read_text())
    assert [record["seed"] for record in records] == [7, 8]
    for record in records:
        assert record["environment"] == folder.name
        assert record["reward"] > record["random"] + 0.1
    assert f"| `{folder.name}` |" in (folder.parent / "README.md").read_text()


def test_policies_that_cannot_be_played_are_named(invoke, tmp_path):
    policy = Policy.read(POLICIES[-1])
    elsewhere = {key: value for key, value in policy.spaces.settings.items() if key != "scenario"}
    replace(policy, spaces=replace(policy.spaces, settings=elsewhere)).write(tmp_path)
    result = invoke(evaluate.app, tmp_path)
    assert result.exit_code == 2
    assert "trained on its own scenario; compare.py runs it" in result.output
    result = invoke(evaluate.app, POLICIES[-1], tmp_path / "no")
    assert result.exit_code == 2
    assert "holds no policy" in result.output
