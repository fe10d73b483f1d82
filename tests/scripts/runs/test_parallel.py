"""Jobs over processes, on this machine and on Ray, with workers that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from joblib.externals.loky import get_reusable_executor

from scripts import sweep
from scripts.runs.cli import UsageError
from scripts.runs.parallel import Backend, Workers, in_parallel
from tests.scripts.conftest import ROOT

MODULE = """
import os
import time
from pathlib import Path


def squared(number):
    return number**2


def squared_later(number, mark):
    'The first process that comes to number 3 ends there.'
    if number == 3 and not Path(mark).exists():
        Path(mark).touch()
        os._exit(1)
    return number**2


def squared_once_there(number, mark):
    'Number 1 waits.'
    while number == 1 and not Path(mark).exists():
        time.sleep(0.05)
    return number**2


def squared_never(number):
    if number == 3:
        raise ValueError("three")
    return number**2
"""

LEARNER = """
from typing import ClassVar

from agents.rules.fixed import Random


class Mine(Random):
    name: ClassVar[str] = "mine"
"""

HELD_LEARNER = """
import time
from pathlib import Path
from typing import ClassVar

from agents.rules.fixed import Random


class Mine(Random):
    'Says whenever it begins to play; on five nodes it does not end before there is a gate.'

    name: ClassVar[str] = "mine"

    def select(self, decisions):
        if not self._decided.any():
            with Path("begun").open("a") as file:
                file.write(f"{self.nodes}\\n")
        while self.nodes == 5 and not Path("gate").exists():
            time.sleep(0.05)
        return super().select(decisions)
"""

MINE = (
    "{name: mine, seeds: [0, 1], duration_h: 0.2, interval_h: 0.1, learners: {mine: {name: 'my_learner:Mine'}},"
    " scenario: {topology: {nodes: 5}, traffic: {interval_s: 30}}}"
)

CLUSTERS = [
    pytest.param("ray", "ray", marks=pytest.mark.external),
    pytest.param("tune", "ray.tune", marks=pytest.mark.external),
]


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
    results = list(in_parallel(jobs_module.squared_later, [(n, mark) for n in range(5)], workers))
    assert sorted(results) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize(("cluster", "needs"), CLUSTERS)
def test_a_cluster_plays_the_job_of_a_dead_worker_again(jobs_module, tmp_path, monkeypatch, cluster, needs):
    pytest.importorskip(needs, reason="needs the extra ray or tune")
    monkeypatch.chdir(tmp_path)
    jobs = [(n, "mark") for n in range(5)]  # workers are where the call was made
    results = list(in_parallel(jobs_module.squared_later, jobs, Workers(2, Backend(cluster), None)))
    assert sorted(results) == [0, 1, 4, 9, 16]
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize(("cluster", "needs"), CLUSTERS)
def test_ray_of_this_machine_is_a_new_one(jobs_module, monkeypatch, cluster, needs):
    pytest.importorskip(needs, reason="needs the extra ray or tune")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # as where another one runs; nobody answers there
    results = list(in_parallel(jobs_module.squared, [(n,) for n in range(3)], Workers(2, Backend(cluster), None)))
    assert sorted(results) == [0, 1, 4]


@pytest.mark.parametrize(("cluster", "needs"), [("loky", "joblib"), *CLUSTERS])
def test_answers_are_there_before_all_jobs_have_ended(jobs_module, tmp_path, cluster, needs):
    pytest.importorskip(needs, reason="needs the extra ray or tune")
    mark = tmp_path / "mark"
    jobs = [(n, str(mark)) for n in range(3)]
    results = in_parallel(jobs_module.squared_once_there, jobs, Workers(2, Backend(cluster), None))
    assert {next(results), next(results)} == {0, 4}
    mark.touch()
    assert list(results) == [1]


@pytest.mark.parametrize(("cluster", "needs"), [("loky", "joblib"), *CLUSTERS])
def test_what_a_job_raises_is_no_death_of_its_worker(jobs_module, cluster, needs):
    pytest.importorskip(needs, reason="needs the extra ray or tune")
    with pytest.raises(ValueError, match="three"):
        list(in_parallel(jobs_module.squared_never, [(n,) for n in range(5)], Workers(2, Backend(cluster), None)))


@pytest.fixture
def script(tmp_path):
    """Starts a script from another folder, with a learner there; `(script, learner, *arguments)`."""

    def start(name, learner, *arguments):
        (tmp_path / "my_learner.py").write_text(learner)
        (tmp_path / "mine.yaml").write_text(MINE)
        command = [sys.executable, ROOT / "scripts" / name, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


def ended(process):
    """Its status, after what it said."""
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


@pytest.mark.parametrize(("cluster", "needs"), CLUSTERS)
def test_a_cluster_finds_the_parts_of_another_folder_and_gives_the_same(script, tmp_path, cluster, needs):
    pytest.importorskip(needs, reason="needs the extra ray or tune")
    files = []
    for backend in (cluster, "loky"):
        options = ("--no-reference", "--jobs", 2, "--backend", backend, "--name", backend)
        status, said = ended(script("compare.py", LEARNER, "mine.yaml", *options, "--json", tmp_path / "out.json"))
        assert status == 0, said
        files.append((tmp_path / "out.json").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(("cluster", "needs"), [("loky", "joblib"), *CLUSTERS])
def test_an_interrupted_sweep_goes_on(script, invoke, tmp_path, monkeypatch, cluster, needs):
    pytest.importorskip(needs, reason="needs the extra ray or tune")
    options = "--config mine.yaml --learner mine --vary scenario.topology.nodes=4,5,6 --name mine".split()
    first = script("sweep.py", HELD_LEARNER, *options, "--backend", cluster)
    folder = tmp_path / "results" / "sweep" / "mine"
    until_s, begun = time.monotonic() + 60, tmp_path / "begun"

    def waits() -> bool:
        """Whether two points are there and the one that is held has begun."""
        return len(list(folder.rglob("*.npz"))) == 4 and "5" in begun.read_text().split()

    while not waits() and first.poll() is None and time.monotonic() < until_s:
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does it
    status, said = ended(first)
    assert status == 130, said
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")}
    assert len(times) == 4  # two seeds of two points
    (tmp_path / "gate").touch()
    status, said = ended(script("sweep.py", HELD_LEARNER, *options, "--backend", cluster))
    assert status == 0, said
    assert sorted(begun.read_text().split()) == ["4", "5", "5", "6"]
    assert {path: path.stat().st_mtime_ns for path in times} == times
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    result = invoke(sweep.app, *options, "--jobs", 1, "--results", "others")
    del sys.modules["my_learner"]
    assert result.exit_code == 0, result.output
    assert (folder / "sweep.json").read_bytes() == (tmp_path / "others/sweep/mine/sweep.json").read_bytes()


@pytest.mark.parametrize(("cluster", "needs"), CLUSTERS)
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
    files = []
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
        files.append((tmp_path / "out.json").read_bytes())
    assert files[0] == files[1]


def interrupts_are_ignored(number: int) -> bool:
    """Whether this process ignores Ctrl-C."""
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_workers_leave_ctrl_c_to_the_process_that_started_them() -> None:
    get_reusable_executor().shutdown(wait=True)  # workers of earlier tests
    before = signal.getsignal(signal.SIGINT)
    assert list(in_parallel(interrupts_are_ignored, [(0,), (1,)], Workers(2, Backend.loky, None))) == [True, True]
    assert signal.getsignal(signal.SIGINT) is before
