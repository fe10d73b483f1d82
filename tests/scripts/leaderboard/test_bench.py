"""The frozen benchmark: tasks do not change, cells are kept and played again, files of others are checked."""

import json

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import agents
from scripts import bench
from scripts.leaderboard import cells
from scripts.leaderboard.tasks import CATALOGUE, read_catalogue
from scripts.leaderboard.verify import agrees, same
from scripts.runs.cli import UsageError

SMALL = {
    "version": "t1",
    "status": "For tests.",
    "training_seeds": [0],
    "held_out_seeds": [1000, 1001, 1002],
    "fresh_seeds": [2000, 2001, 2002],
    "learners": {
        "static-sf7": {"name": "static-sf7", "group": "node"},
        "random": {"name": "random", "group": "node"},
        "load-sorted": {"name": "load-sorted", "group": "everything"},
    },
    "tasks": {
        "small": {
            "config": "adr.yaml",
            "changes": ["scenario.topology.nodes=20", "duration_h=4", "report_last_h=2", "scenario.feedback=free"],
            "metric": "pdr",
            "unit": "share",
            "trivial": "random",
            "reference": "load-sorted",
            "learners": ["static-sf7"],
            "digest": "",
        }
    },
}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """A small catalogue as a file, with the digest of its task."""
    path = tmp_path_factory.mktemp("bench") / "t1.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    SMALL["tasks"]["small"]["digest"] = read_catalogue(path).digest("small")
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="module")
def played(catalogue, tmp_path_factory):
    """The folder of all cells of the small catalogue."""
    folder = tmp_path_factory.mktemp("cells")
    answer = call("run", "--jobs", "1", "--out", folder, "--catalogue", catalogue)
    assert answer.exit_code == 0, answer.output
    return folder


def call(*words):
    return CliRunner().invoke(bench.app, [str(word) for word in words], terminal_width=120)


@pytest.mark.parametrize("name", read_catalogue().tasks)
def test_no_task_of_the_frozen_version_has_changed(name):
    read_catalogue().check(name)


def test_every_label_is_a_learner_and_every_seed_is_new():
    version = read_catalogue()
    for task in version.tasks.values():
        for label in task.labels():
            assert label in version.learners
    known = {*agents.LEARNERS, "maac", "coexistence-independent", "ccs", "hopping-partition", "ranked-partition"}
    assert {entry.name for entry in version.learners.values()} <= known | {"optimum"}
    seeds = [version.training_seeds, version.held_out_seeds, version.fresh_seeds]
    assert len({seed for group in seeds for seed in group}) == 30


def test_every_held_out_seed_has_a_placement_of_its_own():
    version = read_catalogue()
    topology = version.run("norel-200", {}, version.held_out_seeds).scenario.topology
    assert (topology.seed, topology.placements) == (1000, 10)


def test_a_changed_task_is_an_error(catalogue, tmp_path):
    changed = yaml.safe_load(catalogue.read_text())
    changed["tasks"]["small"]["changes"].append("scenario.traffic.payload_bytes=21")
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(changed))
    answer = call("run", "--out", tmp_path, "--catalogue", tmp_path / "changed.yaml")
    assert answer.exit_code == 2 and "make a new version of the task" in answer.output


def test_cells_are_kept_and_not_played_again(played, catalogue):
    assert sorted(path.stem for path in (played / "small").iterdir()) == ["load-sorted", "random", "static-sf7"]
    before = {path: path.read_bytes() for path in (played / "small").iterdir()}
    answer = call("run", "--out", played, "--catalogue", catalogue)
    assert "3 cells, 3 of them stored" in answer.output
    assert before == {path: path.read_bytes() for path in (played / "small").iterdir()}


def test_a_cell_played_again_is_equal_to_the_digit(played, catalogue):
    answer = call("verify", "--learners", "static-sf7,random", "--jobs", "1", "--out", played, "--catalogue", catalogue)
    assert answer.exit_code == 0 and answer.output.count("holds") == 2 and "equal to the digit" in answer.output


def test_a_changed_number_does_not_hold(played, catalogue, tmp_path):
    cell = cells.read(played / "small/random.json")
    values = [cell.metrics["pdr"][0] + 1e-12, *cell.metrics["pdr"][1:]]
    cells.write(tmp_path, cell.model_copy(update={"metrics": {**cell.metrics, "pdr": tuple(values)}}))
    answer = call("verify", "--out", tmp_path, "--jobs", "1", "--catalogue", catalogue)
    assert answer.exit_code == 1 and "DIFFERS: pdr, seed 1000" in answer.output
    assert same(cell, cell, 0.0).holds


def test_fresh_seeds_agree_where_nothing_is_wrong(played, catalogue):
    answer = call("verify", "--learners", "random", "--fresh", "--jobs", "1", "--out", played, "--catalogue", catalogue)
    assert answer.exit_code == 0 and "99 % interval" in answer.output


def test_samples_that_lie_apart_do_not_agree():
    draws = np.random.default_rng(3)
    near, far = draws.normal(0.90, 0.01, 10), draws.normal(0.95, 0.01, 10)
    assert agrees(near, draws.normal(0.90, 0.01, 10)).holds
    assert not agrees(near, far).holds
    assert agrees([1.0, 1.0], [1.0, 1.0]).holds and not agrees([1.0, 1.0], [0.9, 0.9]).holds


def test_the_page_ranks_groups_apart(played, catalogue):
    answer = call("report", "--out", played, "--catalogue", catalogue)
    assert answer.exit_code == 0, answer.output
    page = (played / "page.md").read_text()
    assert page.index("nodes that know their own packets") < page.index("rules and references that know the network")
    assert "| `load-sorted` | everything |" in page and "100.0 ±" in page
    kept = json.loads((played / "marl_eval.json").read_text())["lora_marl"]["small"]["random"]
    assert set(kept) == {"seed_1000", "seed_1001", "seed_1002"}
    assert kept["seed_1001"]["absolute_metrics"]["pdr"] == [cells.read(played / "small/random.json").metrics["pdr"][1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"benchmark": "v0"}, "benchmark: 'v0'; this is 't1'"),
        ({"task": "smal"}, "'smal' is no task of t1; did you mean 'small'"),
        ({"digest": "0"}, "digest: '0'"),
        ({"seeds": [1, 2, 3]}, "the held-out seeds are [1000, 1001, 1002]"),
        ({"seeds": [1000]}, "3 values for 1 seeds"),
        ({"metrics": {}}, "pdr is missing on a seed"),
        ({"group": "oracle"}, "group"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_that_cannot_join_the_table_is_refused_in_one_line(played, catalogue, tmp_path, change, message):
    cell = json.loads((played / "small/random.json").read_text())
    (tmp_path / "cell.json").write_text(json.dumps(cell | change))
    answer = call("submit-check", tmp_path / "cell.json", "--catalogue", catalogue)
    assert answer.exit_code == 2 and message in answer.output and answer.output.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe\x00", b"null"])
def test_what_is_no_cell_is_one_line(catalogue, tmp_path, content):
    (tmp_path / "cell.json").write_bytes(content)
    answer = call("submit-check", tmp_path / "cell.json", "--catalogue", catalogue)
    assert answer.exit_code == 2 and answer.output.startswith("error:") and answer.output.count("\n") == 1


def test_a_device_is_no_cell(catalogue):
    answer = call("submit-check", "/dev/null", "--catalogue", catalogue)
    assert answer.exit_code == 2 and "is not a regular file" in answer.output and answer.output.count("\n") == 1


def test_a_guest_takes_part_by_its_import_path_and_must_say_what_it_knows(catalogue, tmp_path):
    guest = "agents.rules.fixed:StaticSF7"
    version = read_catalogue(catalogue)
    with pytest.raises(UsageError, match="say what it knows: node, server, everything"):
        bench.with_guests(version, [guest], None)
    answer = call(
        "run", "--learners", guest, "--group", "node", "--jobs", "1", "--out", tmp_path, "--catalogue", catalogue
    )
    assert answer.exit_code == 0, answer.output
    assert cells.read(tmp_path / "small/StaticSF7.json").name == guest


def test_an_unknown_learner_or_task_is_named(catalogue, tmp_path):
    assert "did you mean 'random'" in call("run", "--learners", "randon", "--catalogue", catalogue).output
    assert "did you mean 'small'" in call("run", "--tasks", "smal", "--catalogue", catalogue).output
    assert "no cell of t1" in call("report", "--out", tmp_path, "--catalogue", catalogue).output


def test_the_list_names_all_tasks():
    lines = [line.split() for line in call("list").output.splitlines()]
    for name, task in read_catalogue(CATALOGUE).tasks.items():
        assert any(words[:2] == [name, f"{task.config};"] for words in lines)
