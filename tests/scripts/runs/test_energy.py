"""Runs on the closed form: what they leave, that they go on as if never stopped, and what is said of wrong input."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from agents import learner_class
from agents.maac import MAAC
from lora_marl.config import load
from scripts import compare, evaluate, sweep, train
from scripts.runs.energy import allocations
from scripts.runs.energy.allocations import PACKETS_PER_NODE, scores
from scripts.runs.energy.experiment import EnergyExperiment, build_networks
from scripts.runs.energy.run import EnergyRunType
from scripts.runs.energy.training import GroupLayout
from scripts.runs.folder import read_run
from tests.scripts.conftest import ROOT

CONFIG = ROOT / "configs" / "mmalora.yaml"
TINY = (
    "scenario.topology.nodes=14", "seeds=[0,1]", "energy.episodes=6", "energy.steps=5",
    "learners.maac.parameters={batch: 8, hidden: 8, capacity: 64}", "learners.ef-lora=null", "learners.adr-mean=null",
    "learners.adr-max=null", "learners.table-bandit=null", "learners.maac-uniform=null",
)  # fmt: skip
LABELS = ("maac", "rcst", "distance-sf", "independent", "energy-ascent")


def trained(runs: Path, *more: str):
    arguments = ["--config", str(CONFIG), "--runs", str(runs), "--set", *TINY, *more]
    return CliRunner().invoke(train.app, arguments, env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    runs = tmp_path_factory.mktemp("energy")
    result = trained(runs, "--json", str(runs / "out.json"))
    assert result.exit_code == 0, result.output
    return runs, result


def tables(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in sorted(run.rglob("*.csv"))}


def test_a_run_leaves_curves_allocations_snapshot_and_pictures(finished):
    run, output = finished[0] / "mmalora", finished[1].output
    assert all(label in output for label in LABELS) and "tensorboard --logdir" in output
    for picture in ("curves.png", "0/map.png", "1/map.png"):
        assert (run / picture).read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in run.glob("*.safetensors")] == ["maac-000006.safetensors"]
    for label in LABELS:
        rows = list(csv.DictReader((run / "1" / label / "metrics.csv").open()))
        assert len(rows) == (6 if label == "maac" else 1)
        assert 0 < float(rows[-1]["share_of_bound"]) <= 1.5 and 0 <= float(rows[-1]["pdr"]) <= 1
    events = EventAccumulator(str(run / "0" / "maac"))
    events.Reload()
    tags = events.Tags()["scalars"]
    assert {"metrics/ee_bits_per_mj", "metrics/violations", "learner/attention_entropy", "learner/critic_loss"} <= set(
        tags
    )
    assert [event.step for event in events.Scalars("metrics/pdr")] == [1, 2, 3, 4, 5, 6]
    records = json.loads((finished[0] / "out.json").read_text())
    assert {record["learner"] for record in records} == set(LABELS)


def test_what_the_table_says_is_what_the_allocation_is_worth(finished):
    folder, config = read_run(finished[0] / "mmalora")
    for network, seed in zip(build_networks(config), (0, 1), strict=True):
        for label in LABELS:
            points = allocations.read(folder.folder(label, seed) / "allocation.csv", network)
            last = folder.curve(label, seed)[-1]
            assert network.closed_form.delivery(points).mean() == pytest.approx(last["pdr"])
            if label != "rcst":
                assert np.array_equal(points[:, 2], network.channel)


def test_a_run_that_was_interrupted_goes_on_to_the_same_numbers(finished, tmp_path, monkeypatch):
    calls = []
    step = EnergyExperiment.step

    def stop_after_three(experiment):
        calls.append(experiment)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(experiment)

    monkeypatch.setattr(EnergyExperiment, "step", stop_after_three)
    assert trained(tmp_path).exit_code == 130
    monkeypatch.setattr(EnergyExperiment, "step", step)
    assert trained(tmp_path, "--resume").exit_code == 0
    assert tables(tmp_path / "mmalora") == tables(finished[0] / "mmalora")
    ours, theirs = (MAAC.read(runs / "mmalora" / "maac-000006.safetensors") for runs in (tmp_path, finished[0]))
    for name, array in ours.state_dict().items():
        np.testing.assert_array_equal(array, theirs.state_dict()[name], err_msg=name)


def test_a_damaged_snapshot_is_named(finished, tmp_path):
    trained(tmp_path)
    (tmp_path / "mmalora" / "maac-000006.safetensors").write_bytes(b"nothing")
    result = trained(tmp_path, "--resume")
    assert result.exit_code == 2 and "maac-000006.safetensors" in result.output


def test_evaluation_has_three_judges(finished, tmp_path, invoke):
    path = tmp_path / "out.json"
    result = invoke(evaluate.app, finished[0] / "mmalora", "--json", path)
    assert result.exit_code == 0, result.output
    means = {(r["learner"], r["metric"], r["judge"]): r["mean"] for r in json.loads(path.read_text())}
    assert len(means) == len(LABELS) * 4 * 3
    for label in LABELS:
        assert means[label, "pdr", "packets"] == pytest.approx(means[label, "pdr", "joint"], abs=0.01)
    assert invoke(evaluate.app, finished[0] / "mmalora", "--hours", 5).exit_code == 2


def test_the_old_name_of_independent_choice_is_accepted_with_a_warning():
    config = load(CONFIG, [*TINY, "learners.old={name: independent}", "learners.misspelt={name: rcts}", "seeds=[0]"])
    networks = build_networks(config)
    with pytest.warns(DeprecationWarning, match="learner 'independent' is now 'energy-independent'"):
        experiments = [EnergyExperiment(config, label, networks) for label in ("independent", "old")]
    for experiment in experiments:
        experiment.step()
    assert np.array_equal(experiments[0].points[0], experiments[1].points[0])
    with pytest.raises(ValueError, match="'rcts' is neither maac nor a planner.*did you mean 'rcst'"):
        EnergyExperiment(config, "misspelt", networks)


def test_judges_agree_where_nobody_disturbs_anybody():
    config = load(CONFIG, [*TINY, "scenario.traffic.interval_s=1000000", "seeds=[0]"])
    (network,) = build_networks(config)
    points = EnergyExperiment(config, "independent", [network])
    points.step()
    found = scores(network, points.points[0], 0.7)
    assert found["ee_expect"] == pytest.approx(found["ee_joint"], rel=1e-3)
    assert found["pdr_packets"] == pytest.approx(found["pdr_expect"], abs=4 / np.sqrt(14 * PACKETS_PER_NODE))
    assert found["violations_expect"] == found["violations_packets"] == 0
    assert found["ee_expect"] <= found["bound"] * (1 + 1e-9)


def test_layout_and_back():
    channels = [np.array([0, 1, 0, 0, 1]), np.array([1, 1, 1, 1, 0])]
    layout = GroupLayout(channels, 2)
    assert layout.mask.sum(axis=1).tolist() == [3, 2, 1, 4]
    arrays = [np.arange(10).reshape(2, 5), 100 + np.arange(10).reshape(2, 5)]
    seated = layout.gather(arrays)
    assert (
        seated.shape == (2, 4, 4)
        and seated[1, 0, :3].tolist() == [5, 7, 8]
        and seated[0, 3].tolist() == [100, 101, 102, 103]
    )
    for back, array in zip(layout.scatter(seated), arrays, strict=True):
        assert np.array_equal(back, array)


def test_a_reward_by_its_terms_is_that_by_its_name(finished, tmp_path):
    runs, names = finished[0], [f"learners.{label}=null" for label in LABELS if label not in ("maac", "independent")]
    result = trained(tmp_path, "energy.reward={own: 1, harm: 1}", *names)
    assert result.exit_code == 0, result.output
    learned = "mmalora/0/maac/metrics.csv"
    assert (tmp_path / learned).read_bytes() == (runs / learned).read_bytes()


def test_a_study_keeps_rows_allocation_and_scores():
    states = EnergyRunType(load(CONFIG, TINY)).results("independent")
    assert len(states) == 2
    for kept in states:
        assert kept["row/episode"].tolist() == [1.0] and kept["points"].shape == (14, 4)
        assert {"extra/bound", "extra/ee_joint", "extra/violations_packets", "extra/swaps"} <= set(kept)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("learners.cucb={}",), "learners.cucb: 'cucb' is neither maac nor a planner"),
        (("learners.rcst.parameters={a: 1}",), "learners.rcst.parameters: planners take none"),
        (("learners.maac.parameters={hiden: 8}",), "did you mean 'hidden'"),
        (("learners.maac.parameters={heads: 3}",), "learners.maac: hidden = 64: must be a multiple of heads = 3"),
        (("energy.least_delivery=1.5",), "energy.least_delivery"),
        (("energy.matching=none", "energy.reward=mean"), "energy.reward"),
        (("energy.reward={own: 1, harms: 1}",), "reward: 'harms' is not a term; did you mean 'harm'?"),
        (("scenario.propagation.shadowing_db=3",), "shadowing_db"),
        (("scenario.region.tp_dbm=[2, 5, 8, 11, 14]",), "J = 5"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(tmp_path, changes, message):
    result = trained(tmp_path, *changes)
    assert result.exit_code == 2 and message in result.output, result.output
    assert not (tmp_path / "mmalora").exists()


def test_without_torch_it_says_what_is_needed(tmp_path, monkeypatch):
    for module in [name for name in sys.modules if name.startswith(("agents.maac", "scripts.runs.energy.training"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = trained(tmp_path)
    assert result.exit_code == 2 and "needs torch, of the extra torch" in result.output


@pytest.mark.parametrize(("config", "kind"), [(CONFIG, "energy"), (ROOT / "configs" / "ccs_two.yaml", "coexistence")])
def test_scripts_of_packets_say_that_it_is_no_run_of_theirs_and_what_plays_it(invoke, config, kind):
    for app, arguments in ((compare.app, (config,)), (sweep.app, ("--config", config, "--vary", "c=1,2"))):
        result = invoke(app, *arguments)
        assert result.exit_code == 2 and f"is a run of another kind ({kind})" in result.output
        assert f"scripts/train.py --config {config} plays" in result.output


def test_attention_critics_are_no_learners_of_packets():
    with pytest.raises(ValueError, match="'maac' learns on the closed form"):
        learner_class("maac")


@pytest.mark.slow
def test_attention_critics_reach_the_best_allocation_found():
    """Forty nodes of one channel, ten episodes of the marginal reward: some 20 CPU seconds."""
    changes = ["scenario.topology.nodes=40", "scenario.region.channels_hz=[868e6]", "seeds=[0]"]
    config = load(CONFIG, changes)
    maac, best = (EnergyExperiment(config, label, build_networks(config)) for label in ("maac", "energy-ascent"))
    while not maac.finished:
        (learned,) = maac.step()
    (reference,) = best.step()
    assert learned["violations"] == 0 and learned["ee_bits_per_mj"] > 0.97 * reference["ee_bits_per_mj"]
