"""Jobs over processes, on this machine and on Ray, with workers that die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from scripts import sweep
from scripts.cli import UsageError
from scripts.parallel import Backend, Workers, in_parallel
from tests.scripts.conftest import ROOT

MODULE = """
import os
from pathlib import Path


def squared(number):
    return number**2


def squared_later(number, mark):
    'The first process that comes to number 3 ends there.'
    if number == 3 and not Path(mark).exists():
        Path(mark).touch()
        os._exit(1)
    return number**2
"""

LEARNER = """
from typing import ClassVar

from agents.fixed import Random


class Mine(Random):
    name: ClassVar[str] = "mine"
"""


@pytest.fixture
def jobs_module(tmp_path, monkeypatch):
    get_reusable_executor().shutdown(wait=True)  # processes of earlier tests do not know the folder
    (tmp_path / "jobs_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    import jobs_of_a_test

    yield jobs_of_a_test
    get_reusable_executor().shutdown(wait=True)
    del sys.modules["jobs_of_a_test"]


def test_workers_of_this_machine(jobs_module, tmp_path):
    workers = Workers(2, Backend.loky, None)
    assert sorted(in_parallel(jobs_module.squared, [(n,) for n in range(5)], workers)) == [0, 1, 4, 9, 16]
    assert list(in_parallel(jobs_module.squared, [], workers)) == []
    mark = str(tmp_path / "mark")
    with pytest.raises(UsageError, match="a worker has died .*the same command goes on"):
        list(in_parallel(jobs_module.squared_later, [(n, mark) for n in range(5)], workers))
    found = list(in_parallel(jobs_module.squared_later, [(n, mark) for n in range(5)], workers))
    assert sorted(found) == [0, 1, 4, 9, 16]


@pytest.mark.external
def test_ray_plays_the_job_of_a_dead_worker_again(jobs_module, tmp_path):
    pytest.importorskip("ray", reason="needs the extra ray")
    jobs = [(n, str(tmp_path / "mark")) for n in range(5)]
    found = list(in_parallel(jobs_module.squared_later, jobs, Workers(2, Backend.ray, None)))
    assert sorted(found) == [0, 1, 4, 9, 16]
    assert (tmp_path / "mark").exists()


@pytest.mark.external
def test_ray_finds_the_parts_of_another_folder_and_gives_the_same(tmp_path):
    pytest.importorskip("ray", reason="needs the extra ray")
    (tmp_path / "my_learner.py").write_text(LEARNER)
    (tmp_path / "mine.yaml").write_text(
        "{name: mine, seeds: [0, 1], duration_h: 0.2, interval_h: 0.1, learners: {mine: {name: 'my_learner:Mine'}},"
        " scenario: {topology: {nodes: 5}, traffic: {interval_s: 30}}}"
    )
    found = []
    for backend in ("ray", "loky"):
        command = [sys.executable, ROOT / "scripts" / "compare.py", "mine.yaml", "--no-reference", "--jobs", "2"]
        command += ["--backend", backend, "--name", backend, "--json", tmp_path / "out.json"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        found.append(json.loads(Path(tmp_path / "out.json").read_text()))
    assert found[0] == found[1]


@pytest.mark.external
def test_tune_plays_the_trial_of_a_worker_that_dies_again(jobs_module, tmp_path):
    pytest.importorskip("ray.tune", reason="needs the extra tune")
    jobs = [(n, str(tmp_path / "mark")) for n in range(5)]
    found = list(in_parallel(jobs_module.squared_later, jobs, Workers(2, Backend.tune, None)))
    assert sorted(found) == [0, 1, 4, 9, 16]
    assert (tmp_path / "mark").exists()


@pytest.mark.external
@pytest.mark.parametrize(("cluster", "needs"), [("ray", "ray"), ("tune", "ray.tune")])
def test_a_cluster_sweeps_to_the_same_bytes(invoke, tmp_path, cluster, needs):
    pytest.importorskip(needs, reason="needs the extra ray or tune")
    small = (
        "--hours",
        0.2,
        "--set",
        "scenario.topology.nodes=4",
        "--seeds",
        "0,1",
        "--vary",
        "eta=0,1",
        "--vary",
        "scenario.topology.radius_m=500,1000",
    )
    found = []
    for backend in (cluster, "loky"):
        common = (
            "--config",
            ROOT / "configs" / "journal_fit.yaml",
            "--learner",
            "cucb",
            "--json",
            tmp_path / "out.json",
        )
        result = invoke(sweep.app, *common, *small, "--results", tmp_path / backend, "--backend", backend)
        assert result.exit_code == 0, result.output
        found.append((tmp_path / "out.json").read_bytes())
    assert found[0] == found[1]
