from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from lora_marl.config import load
from scripts import train
from scripts.runs import checkpoints, plots
from scripts.runs.folder import read_run
from scripts.runs.metrics import METRICS
from scripts.runs.packets.experiment import PacketExperiment
from scripts.runs.packets.published_numbers import published
from tests.scripts.conftest import CONFIG, ROOT, TINY

INTERVALS = 8


def tables(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in sorted(run.rglob("metrics.csv"))}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that was never stopped."""
    runs = tmp_path_factory.mktemp("finished")
    arguments = ["--config", CONFIG, "--runs", runs, "--set", *TINY, "--json", runs / "train.json"]
    result = CliRunner().invoke(train.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return runs, result


class TestRunFolder:
    def test_contents(self, finished):
        run = finished[0] / "dlora"
        for picture in ("curves.png", "usage.png", "0/map.png", "1/map.png"):
            assert (run / picture).read_bytes().startswith(b"\x89PNG"), picture
        for seed in "01":
            for label in ("cucb", "random"):
                names = {path.name for path in (run / seed / label).iterdir()}
                snapshot = f"snapshot-{INTERVALS:06d}.npz"
                assert names == {"metrics.csv", "nodes.csv", "events.out.tfevents.metrics", snapshot}

    def test_resolved_configuration_reads_back(self, finished):
        path = finished[0] / "dlora" / "1" / "config.yaml"
        with pytest.warns(UserWarning):
            assert load(path) == load(CONFIG, TINY)
        assert yaml.safe_load(path.read_text())["scenario"]["propagation"]["exponent"] == 2.32

    def test_versions(self, finished):
        versions = json.loads((finished[0] / "dlora" / "0" / "versions.json").read_text())
        assert {"lora_marl", "python", "numpy", "numba", "commit"} <= set(versions)

    def test_metrics(self, finished):
        rows = list(csv.DictReader((finished[0] / "dlora/0/cucb/metrics.csv").open()))
        assert len(rows) == INTERVALS
        assert float(rows[-1]["time_h"]) == 1.0
        for row in rows:
            fates = sum(
                int(row[fate])
                for fate in ("delivered", "below_sensitivity", "interfered", "collided", "no_demodulator")
            )
            assert fates == int(row["sent"]) == sum(int(row[f"sent_sf{sf}"]) for sf in range(7, 13))
            assert float(row["pdr"]) == int(row["delivered"]) / int(row["sent"])

    def test_a_row_for_each_node(self, finished):
        run = finished[0] / "dlora/0/cucb"
        nodes = list(csv.DictReader((run / "nodes.csv").open()))
        last = list(csv.DictReader((run / "metrics.csv").open()))[-1]
        assert [int(row["node"]) for row in nodes] == list(range(len(nodes)))
        for column in ("sent", "delivered"):
            assert sum(int(row[column]) for row in nodes) == int(last[column])
        assert all(7 <= int(row["sf"]) <= 12 and float(row["tp_dbm"]) <= 14 for row in nodes)

    def test_a_seed_does_not_depend_on_the_others(self, finished, train_tiny, tmp_path):
        assert train_tiny(tmp_path, "seeds=[1]").exit_code == 0
        alone = tables(tmp_path / "dlora")
        assert alone == {name: text for name, text in tables(finished[0] / "dlora").items() if name.startswith("1/")}

    def test_tensorboard_reads_the_events(self, finished):
        events = EventAccumulator(str(finished[0] / "dlora/0/cucb")).Reload()
        tags = events.Tags()["scalars"]
        assert {"metrics/pdr", "metrics/ee_bits_per_mj", "fates/collided", "usage/sf7"} <= set(tags)
        points = events.Scalars("metrics/pdr")
        rows = list(csv.DictReader((finished[0] / "dlora/0/cucb/metrics.csv").open()))
        assert [point.step for point in points] == [450 * number for number in range(1, INTERVALS + 1)]
        np.testing.assert_allclose([point.value for point in points], [float(row["pdr"]) for row in rows], rtol=1e-6)

    def test_snapshots_need_no_pickle(self, finished):
        path = finished[0] / f"dlora/0/cucb/snapshot-{INTERVALS:06d}.npz"
        with np.load(path, allow_pickle=False) as file:
            assert all(file[name].dtype != object for name in file.files)


class TestReport:
    def test_table_says_ours_spread_and_where_the_rest_is(self, finished):
        output = finished[1].output
        for text in ("ours", "spread", "cucb", "random", "PDR [%]", "tensorboard --logdir", "curves.png"):
            assert text in output
        assert "paper" not in output  # has no numbers of six nodes

    def test_assumptions_stand_above_the_table_and_next_commands_below(self, finished):
        output = finished[1].output
        assert output.index("drawn for every packet*") < output.index("spread (sd)") < output.index("delivers most")
        assert "scripts/compare.py" in output.partition("next:")[2]

    def test_published_values_belong_to_their_network_alone(self, finished):
        assert "88 to 90" not in finished[1].output
        with pytest.warns(UserWarning):
            config = load(CONFIG)
        assert published(config, "cucb", "pdr") == "88 to 90"
        assert published(config, "random", "pdr").endswith("*")

    def test_json(self, finished):
        records = json.loads((finished[0] / "train.json").read_text())
        assert [(record["learner"], record["metric"]) for record in records] == [
            (learner, metric) for learner in ("cucb", "random") for metric in METRICS
        ]
        for record in records:
            assert set(record) == {"learner", "scenario", "metric", "mean", "ci_low", "ci_high", "seeds"}
            assert record["ci_low"] <= record["mean"] <= record["ci_high"]
            assert record["seeds"] == 2

    def test_one_seed_has_no_interval(self, train_tiny, tmp_path):
        train_tiny(tmp_path, "seeds=[3]", "--json", tmp_path / "out.json")
        record = json.loads((tmp_path / "out.json").read_text())[0]
        assert record["ci_low"] is None and record["seeds"] == 1

    def test_usage_with_one_value_per_factor_has_no_panel(self, tmp_path):
        plots.draw_usage(tmp_path / "usage.png", "nothing to choose", {"a": [{"sent_sf7": 3.0, "sent_tp14dbm": 3.0}]})
        assert (tmp_path / "usage.png").exists()


def interrupt_at(monkeypatch: pytest.MonkeyPatch, interval: int) -> None:
    """Ctrl-C while the second learner plays that interval."""
    play, played = PacketExperiment.step, []

    def step(self):
        played.append(self.done)
        if len(played) == INTERVALS + interval:
            os.kill(os.getpid(), signal.SIGINT)
        return play(self)

    monkeypatch.setattr(PacketExperiment, "step", step)


def crash_between_seeds(monkeypatch: pytest.MonkeyPatch, save: int) -> None:
    """The machine stops when the first seed's snapshot is written and the second's is not."""
    write, written = checkpoints.write, []

    def stop(path, state):
        written.append(path)
        if len(written) == 2 * save:
            raise RuntimeError("power cut")
        write(path, state)

    monkeypatch.setattr(checkpoints, "write", stop)


class TestResume:
    def test_interrupted_run_goes_on_to_the_same_numbers(self, finished, train_tiny, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            interrupt_at(patch, 3)
            result = train_tiny(tmp_path)
        assert result.exit_code == 130
        assert "--resume" in result.output
        assert len((tmp_path / "dlora/0/random/metrics.csv").read_text().splitlines()) == 1 + 3
        assert train_tiny(tmp_path, "--resume").exit_code == 0
        assert tables(tmp_path / "dlora") == tables(finished[0] / "dlora")

    def test_crash_between_two_snapshots(self, finished, train_tiny, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            crash_between_seeds(patch, 4)
            assert isinstance(train_tiny(tmp_path).exception, RuntimeError)
        assert train_tiny(tmp_path, "--resume").exit_code == 0
        assert tables(tmp_path / "dlora") == tables(finished[0] / "dlora")

    def test_finished_run_only_reports(self, finished, train_tiny, monkeypatch):
        before = tables(finished[0] / "dlora")
        monkeypatch.setattr(PacketExperiment, "step", None)
        result = train_tiny(finished[0], "--resume")
        assert result.exit_code == 0 and "cucb" in result.output
        assert tables(finished[0] / "dlora") == before

    def test_nothing_to_resume_begins(self, train_tiny, tmp_path):
        assert train_tiny(tmp_path, "--resume").exit_code == 0

    def test_changed_configuration(self, finished, train_tiny):
        result = train_tiny(finished[0], "learners.cucb.parameters.c=1", "--resume")
        assert result.exit_code == 2
        assert "learners.cucb.parameters.c 2 -> 1" in result.output

    def test_truncated_snapshot(self, finished, train_tiny, tmp_path):
        shutil.copytree(finished[0] / "dlora", tmp_path / "dlora")
        path = next((tmp_path / "dlora/1/cucb").glob("snapshot-*.npz"))
        path.write_bytes(path.read_bytes()[:1000])
        result = train_tiny(tmp_path, "--resume")
        assert result.exit_code == 2
        assert str(path) in result.output and "Traceback" not in result.output

    @pytest.mark.parametrize("seeds", [(1,), (0, 1)])
    @pytest.mark.parametrize("name", ["points", "learner/arms", "air/nodes"])
    def test_snapshot_of_another_network(self, finished, train_tiny, tmp_path, seeds, name):
        shutil.copytree(finished[0] / "dlora", tmp_path / "dlora")
        for seed in seeds:
            path = next((tmp_path / f"dlora/{seed}/cucb").glob("snapshot-*.npz"))
            state = checkpoints.read(path)
            checkpoints.write(path, state | {name: state[name][:, :3]})
        result = train_tiny(tmp_path, "--resume")
        assert result.exit_code == 2 and str(tmp_path / "dlora") in result.output

    def test_existing_run_is_not_touched(self, finished, train_tiny):
        before = tables(finished[0] / "dlora")
        result = train_tiny(finished[0])
        assert result.exit_code == 2 and "--overwrite" in result.output
        assert tables(finished[0] / "dlora") == before

    def test_overwrite(self, finished, train_tiny, tmp_path):
        shutil.copytree(finished[0] / "dlora", tmp_path / "dlora")
        (tmp_path / "dlora/0/cucb/metrics.csv").write_text("old")
        assert train_tiny(tmp_path, "--overwrite").exit_code == 0
        assert (tmp_path / "dlora/0/cucb/metrics.csv").read_text() != "old"


def test_episodes_and_evaluation(invoke, tmp_path):
    learners = "learners={D: {name: conference-cucb, parameters: {variant: D}, episodes: 5}}"
    changes = (learners, "scenario.topology.nodes=6", "seeds=[0,1]", "interval_h=0.2222222222222222")
    config = ROOT / "configs" / "conference_as_run.yaml"
    result = invoke(train.app, "--config", config, "--runs", tmp_path, "--set", *changes)
    assert result.exit_code == 0, result.output
    curve = read_run(tmp_path / "conference_as_run")[0].curve("D", 0)
    assert [row["duration_s"] for row in curve] == [800, 800, 400, 1200]
    assert [row["evaluation"] for row in curve] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (["duraton_h=3"], "did you mean 'duration_h'"),
        (["duration_h=-1"], "duration_h"),
        (["schema_version=99"], "newer"),
        (["learners={cucbb: {}}"], "did you mean 'cucb'"),
        (["learners.cucb.parameters.etaa=1"], "did you mean 'eta'"),
        (["learners.cucb.parameters.c=many"], "learners.cucb"),
        (["scenario.region.spreading_factors=[13]"], "13"),
        (["nonsense"], "key.path=value"),
    ],
)
def test_bad_input_is_one_line(invoke, tmp_path, changes, text):
    result = invoke(train.app, "--config", CONFIG, "--runs", tmp_path, "--set", *changes)
    assert result.exit_code == 2
    assert text in result.output
    assert "Traceback" not in result.output
    assert len([line for line in result.output.splitlines() if line.startswith("error:")]) == 1
    assert list(tmp_path.iterdir()) == []


def test_missing_file(invoke):
    result = invoke(train.app, "--config", "nowhere.yaml")
    assert result.exit_code == 2 and "nowhere.yaml" in result.output


def test_the_ids_of_a_file_are_in_the_table_of_nodes(tmp_path, invoke):
    (tmp_path / "nodes.csv").write_text("id;x_m;y_m\nmeter;100;0\nvalve;0;200\n")
    text = "scenario: {topology: {kind: csv, nodes_csv: nodes.csv}}\nlearners: {static-sf7: {}}\nseeds: [0]\n"
    (tmp_path / "mine.yaml").write_text(text + "name: mine\nduration_h: 30min\ninterval_h: 15min\n")
    result = invoke(train.app, "--config", tmp_path / "mine.yaml", "--runs", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((tmp_path / "runs/mine/0/static-sf7/nodes.csv").open()))
    assert [row["id"] for row in rows] == ["meter", "valve"]
    assert all(row["sf"] == "7" and row["bw_khz"] == "125" for row in rows)
