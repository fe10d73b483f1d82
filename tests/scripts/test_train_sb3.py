from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="needs the extra sb3")

from lora_marl.adapters.policy import Policy
from scripts import compare, train_sb3
from scripts.comparison import report
from tests.scripts.conftest import ROOT

CONFIG = ROOT / "configs" / "journal_fit.yaml"
FEW = ("--steps", 200, "--replicas", 1, "--held-out", 2, "--hyper", "n_steps=4", "--hyper", "batch_size=8")
NODES = "scenario.topology.nodes=6"


def test_trained_exported_and_compared(invoke, tmp_path, monkeypatch):
    def draw(folder, comparison, band):
        for kind in ("curves", "usage", "map"):
            (folder / f"{kind}-{comparison.config.name}.png").touch()

    monkeypatch.setattr(report, "draw", draw)
    tiny = ("--config", CONFIG, "--set", NODES, "--env", "max_cycles=20", *FEW)
    result = invoke(
        train_sb3.app, "uplink_v0", *tiny, "--out", tmp_path, "--name", "mine", "--json", tmp_path / "a.json"
    )
    assert result.exit_code == 0, result.output
    assert "random" in result.output
    records = json.loads((tmp_path / "a.json").read_text())
    assert [sorted(record) for record in records] == [
        ["algorithm", "constant", "environment", "random", "reward", "rule", "seed"]
    ] * 2
    assert all(0 <= record["reward"] <= 1 for record in records)
    assert list((tmp_path / "mine").glob("events.out.tfevents.*"))
    assert {"episodes.csv", "episodes.png"} <= {path.name for path in (tmp_path / "mine").iterdir()}

    again = invoke(train_sb3.app, "uplink_v0", *tiny, "--out", tmp_path, "--name", "mine")
    assert again.exit_code == 2
    assert "holds a policy already" in again.output

    before = (tmp_path / "mine" / "policy.json").read_bytes()
    for wrong in (("--env", "windows=3"), ("--algorithm", "nonsense")):
        failed = invoke(train_sb3.app, "uplink_v0", *tiny, *wrong, "--out", tmp_path, "--name", "mine", "--overwrite")
        assert failed.exit_code == 2
        assert (tmp_path / "mine" / "policy.json").read_bytes() == before  # an earlier policy outlives what goes wrong
    other = tmp_path / "runs"
    other.mkdir()
    (other / "metrics.csv").write_text("mine")
    failed = invoke(train_sb3.app, "uplink_v0", *tiny, "--out", tmp_path, "--name", "runs", "--overwrite")
    assert failed.exit_code == 2 and "holds something that is no policy" in failed.output
    assert (other / "metrics.csv").read_text() == "mine"

    hours = ("--hours", 0.2, "--seeds", "0,1", "--jobs", 1, "--no-reference")
    shared = (CONFIG, "--set", NODES, *hours, "--out", tmp_path / "compare")
    result = invoke(compare.app, *shared, "--learners", tmp_path / "mine", "--json", tmp_path / "b.json")
    assert result.exit_code == 0, result.output
    (tmp_path / "cucb").mkdir()
    for file in ("policy.json", "policy.safetensors"):
        (tmp_path / "cucb" / file).write_bytes((tmp_path / "mine" / file).read_bytes())
    same = invoke(compare.app, *shared, "--learners", f"{tmp_path / 'mine'},{tmp_path / 'cucb'},cucb")
    assert same.exit_code == 2 and "'cucb' is the name of two" in same.output
    assert "mine" in {record["learner"] for record in json.loads((tmp_path / "b.json").read_text())}


def test_the_same_seed_gives_the_same_policy(invoke, tmp_path):
    for name in ("a", "b"):
        result = invoke(
            train_sb3.app, "energy_v0", "--env", "only_channel=0", "--env", "max_cycles=3", *FEW, "--out", tmp_path,
            "--name", name, "--algorithm", "maskable-ppo",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
    first, second = (Policy.read(tmp_path / name) for name in ("a", "b"))
    assert first.spaces.environment == "energy_v0" and first.spaces.masked
    for ours, theirs in zip(first.layers, second.layers, strict=True):
        assert np.array_equal(ours[0], theirs[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("uplink_v9",), "'uplink_v9' is no environment"),
        (("uplink_v0", "--set", "name=x"), "--set: changes a configuration"),
        (("coexistence_v0", "--config", ROOT / "configs" / "dlora.yaml"), "dlora.yaml: has no section coexistence"),
        (("uplink_v0", "--config", ROOT / "configs" / "ccs_two.yaml"), "ccs_two.yaml: has a section coexistence"),
        (("uplink_v0", "--algorithm", "sac"), "'sac' is not one of"),
        (("uplink_v0", "--env", "windows=3"), "windows: is no setting of this environment"),
        (("uplink_v0", "--env", "xi"), "xi: an override reads key.path=value"),
        (("uplink_v0", "--name", "../x"), "is not a name of letters"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(invoke, tmp_path: Path, arguments, message):
    result = invoke(train_sb3.app, *arguments, "--out", tmp_path)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("error:") == 1
