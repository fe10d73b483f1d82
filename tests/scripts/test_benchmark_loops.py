"""The shares of time of loops of reinforcement learning."""

import json

import pytest

pytest.importorskip("sb3_contrib")

from scripts import benchmark_loops  # noqa: E402
from scripts.speed import loops  # noqa: E402


def test_every_loop_has_shares_that_are_all_of_its_time(invoke, tmp_path):
    result = invoke(benchmark_loops.app, "--steps", "64", "--seeds", "1", "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    records = json.loads((tmp_path / "out.json").read_text())
    assert [record["loop"] for record in records] == ["ppo_arrays", "sb3 ppo", "sb3 maskable-ppo"]
    for record in records:
        assert record["environment"] + record["acting"] + record["updating"] == pytest.approx(1.0)
        assert record["environment"] > 0.0 and record["acting"] > 0.0 and record["updating"] > 0.0


def test_watched_methods_are_the_old_ones_afterwards():
    class Part:
        def work(self):
            return sum(range(200_000))

    method = Part.work
    with loops.watched({"environment": [(Part, "work")]}) as taken_s:
        Part().work()
    assert taken_s["environment"] > 0.0 and Part.work is method
