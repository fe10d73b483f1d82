"""Two versions of the benchmark are played in turns and compared by line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scripts import benchmark
from scripts.runs.cli import UsageError
from scripts.speed import versions

STUB = """
import json, pathlib, sys
if "--help" in sys.argv:
    print("--quick --json")
    sys.exit()
log = pathlib.Path({log!r})
log.write_text((log.read_text() if log.exists() else "") + {name!r} + str(sys.argv[1:-2]))
lines = {lines}
records = [{{"name": name, "value": value, "unit": "packets/s"}} for name, value in lines.items()]
pathlib.Path(sys.argv[-1]).write_text(json.dumps(records))
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose last commit is twice as fast as the one before, tagged `before`."""
    root = tmp_path / "clone"
    (root / "scripts").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    for name, lines in (("before", {"rate": 100.0, "time": 8.0, "gone": 1.0}), ("now", {"rate": 200.0, "time": 4.0})):
        stub = STUB.format(log=str(tmp_path / "log"), name=name, lines=lines)
        (root / "scripts" / "benchmark.py").write_text(stub)
        for command in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", name]):
            subprocess.run(["git", *command], cwd=root, check=True)
        subprocess.run(["git", "tag", name], cwd=root, check=True)
    return root


def test_versions_are_played_in_turns(clone: Path, tmp_path: Path) -> None:
    with versions.checkout("before", clone) as old:
        measured = list(versions.turns(old, clone, ["--quick", "--lines=rate"], 3))
    assert not old.exists()
    both = {"rate": (100.0, 200.0, "packets/s"), "time": (8.0, 4.0, "packets/s")}
    assert measured == [both] * 3
    before, now = "before['--quick']", "now['--quick']"  # neither knows --lines
    assert (tmp_path / "log").read_text() == before + now + now + before + before + now


def test_a_commit_that_is_not_there_is_named(clone: Path) -> None:
    with pytest.raises(UsageError, match="invalid reference: nowhere"), versions.checkout("nowhere", clone):
        pass


def test_ratios_have_intervals_and_say_which_version_is_better() -> None:
    turns = [
        {"rate": (100.0, 200.0, "1/s"), "time": (8.0, 4.0, "s"), "noisy": (1.0, x, "1/s")} for x in (0.5, 1.0, 2.0)
    ]
    rate, time, noisy = versions.compared(turns, frozenset({"time"}))
    assert (rate.name, rate.unit, rate.speed, rate.low, rate.high) == ("rate", "1/s", *[pytest.approx(2.0)] * 3)
    assert time.speed == pytest.approx(2.0)
    assert noisy.low < 0.5 < 2.0 < noisy.high and noisy.speed == pytest.approx(1.0)
    assert versions.median_with_range(noisy.new) == "1 (0.5 to 2)"


def test_the_command_compares_with_a_commit(invoke, clone: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(benchmark, "ROOT", clone)
    result = invoke(benchmark.app, "--against", "before", "--turns", "3", "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    assert "turn 3 of 3: load" in result.output
    rate, time = json.loads((tmp_path / "out.json").read_text())
    assert rate["old"] == [100.0] * 3 and rate["new"] == [200.0] * 3 and rate["ratio"] == pytest.approx(2.0)
