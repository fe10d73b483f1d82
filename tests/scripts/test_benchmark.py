from __future__ import annotations

import json
from importlib.util import find_spec

from scripts import benchmark
from scripts.speed import cases

NAMES = [
    "air_32_replicas",
    "cucb_32_replicas",
    "cucb_1_replica",
    "run_cucb",
    "run_cd-lora",
    "run_ucb1",
    "run_mix-mab",
    "norel_200",
    "norel_1000",
    "pairwise",
    "joint",
    "pairwise_4",
    "joint_many",
    "rayleigh_kernel",
    "rayleigh",
    "rayleigh_joint",
    "rayleigh_1000",
    "rayleigh_trial",
    "rayleigh_swap",
    "matching",
    "rayleigh_without",
    "energy_array",
    "gateways_100",
    "gateways_100_approximate",
    "air_cost_ratio",
    "cucb_cost_ratio",
    "memory",
    "threads_advance",
    "threads_step_array",
    "first_advance",
    "first_run",
    "maac_speed_up",
    "maac_update",
    "ccs_round_4",
    "ccs_round_1000",
    "ccs_round_limit",
    "ccs_float32",
    "ccs_float16",
    "ccs_int8",
    "ccs_top_half",
    "ccs_top_quarter",
    "ccs_top_tenth",
    "env_array",
    "env_dict",
    "sb3_rows",
    *(["sb3_over_supersuit"] if find_spec("supersuit") else []),
    *(["log_receptions", "log_frames"] if find_spec("orjson") and find_spec("pyarrow") else []),
]


def test_quick_run_measures_every_line(invoke, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "MANY", 2_000)
    monkeypatch.setattr(cases, "FIRST", dict.fromkeys(cases.FIRST, "pass"))
    result = invoke(benchmark.app, "--quick", "--repeats", 1, "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    records = json.loads((tmp_path / "out.json").read_text())
    assert [record["name"] for record in records] == NAMES
    for record in records:
        assert set(record) == {"name", "value", "low", "high", "unit", "target", "cpu", "load"}
        assert 0 < record["low"] <= record["value"] <= record["high"]
    assert "load " in result.output and "from 0.05 million" in result.output


def test_both_kinds_of_targets():
    lines = {line.name: line for line in benchmark.lines(quick=True)}
    assert lines["env_dict"].meets(500) and not lines["env_dict"].meets(499)
    assert lines["memory"].meets(1.0) and not lines["memory"].meets(1.1)
    targets = [4e6, 2.5e6, 1e6, 60, 60, 60, 120, 1e6, 1e6, 10, 15, 80, 2000]
    targets += [100, 200, 1000, 10_000, 5, 50, 0.1, 50, 1e6, 6, 4, 3, 4, 1, 1.6, 1.6, 10, 20, 3, 0.16]
    targets += [20, 1, 4, 112_000, 56_000, 28_600, 31_500, 17_500, 9_100, 1e6, 500, 1e4]
    targets += [10] if find_spec("supersuit") else []
    targets += [2e5, 1e5] if find_spec("orjson") and find_spec("pyarrow") else []
    assert [line.target for line in lines.values()] == targets
    assert list(lines) == NAMES


def test_only_the_lines_that_are_named(invoke, tmp_path):
    result = invoke(benchmark.app, "--quick", "--lines", "rayleigh_trial", "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    [record] = json.loads((tmp_path / "out.json").read_text())
    assert record["name"] == "rayleigh_trial" and record["low"] < record["high"]
    result = invoke(benchmark.app, "--quick", "--lines", "rayleigh_trail")
    assert result.exit_code == 2 and "'rayleigh_trail' is not one of " in result.output
