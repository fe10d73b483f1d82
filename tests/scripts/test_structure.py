"""The counts of `scripts.speed.structure`, on a small checkout whose numbers are known, and the traces on this one."""

from __future__ import annotations

import ast
import json
from importlib import import_module
from pathlib import Path

import pytest

from scripts.speed import structure, traces

ROOT = Path(__file__).parents[2]
BLOCK = "    a = 1\n    b = 2\n\n    c = 3\n    d = 4  # four\n    # no code\n    return [\n        a, b, c, d\n    ]\n"

FILES = {
    "lora_marl/__init__.py": '"""The package."""\n',
    "lora_marl/core.py": (
        f'"""What it computes."""\nimport math\nfrom typing import (\n    Any,\n)\ndef one():\n{BLOCK}'
    ),
    "agents/__init__.py": "from lora_marl import core\n",
    "agents/learner.py": (
        '"""Learns."""\nfrom lora_marl.core import one\n'
        f'def _two():\n    """Of two."""\n{BLOCK}'
        "def _recursive(found):\n    return _recursive(found)\n"
        "def three():\n    return _two() + _recursive(found=one())  # what was found\n"
    ),
    "scripts/train.py": "import agents.learner\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_small_checkout_is_counted(checkout: Path) -> None:
    counts = structure.counts_of(checkout)
    core, learner = (FILES[name].count("\n") for name in ("lora_marl/core.py", "agents/learner.py"))
    assert counts["total: files"] == 5
    assert counts["total: lines"] == core + learner + 3
    assert counts["total: median lines"] == 1 and counts["total: largest"] == learner
    assert counts["lora_marl: % of lines that import"] == round(400 / (core + 1), 1)
    assert counts["modules with one importer"] == 1  # agents.learner; lora_marl.core has two
    assert counts["private functions"] == counts["private functions mentioned once"] == 2
    assert counts["repeated blocks of 6 lines or more"] == 1
    assert [counts[f"summaries that begin with {word!r}"] for word in ("See", "Of", "What")] == [0, 1, 1]
    assert counts["identifiers found, told, careful, riding, takers"] == 3
    assert counts["the same words in strings and comments"] == 1


def test_a_block_that_repeats_itself_in_a_row_is_no_pair() -> None:
    def module(name: str, text: str) -> structure.Module:
        return structure.Module(name, text, ast.parse(text))

    assert structure.repeated_blocks([module("rows", "a = 1\n" * 8)]) == []
    (pair,) = structure.repeated_blocks([module("one", f"def f():\n{BLOCK}"), module("two", f"def g():\n{BLOCK}")])
    assert pair == ("one", 2, "two", 2)


def test_checkouts_stand_side_by_side(checkout: Path, invoke, tmp_path: Path) -> None:
    arguments = ("--no-traces", "--at", checkout, "--at", checkout, "--json", tmp_path / "out.json")
    result = invoke(structure.app, *arguments)
    assert result.exit_code == 0, result.output
    assert "| total: files | 5 | 5 |" in result.output
    records = json.loads((tmp_path / "out.json").read_text())
    assert [record["counts"]["total: files"] for record in records] == [5, 5]
    result = invoke(structure.app, "--no-traces", "--at", tmp_path / "nothing")
    assert result.exit_code == 2 and "has none of lora_marl, agents, scripts" in result.output


@pytest.mark.parametrize("entries", [traces.DECISIONS, traces.ROUND])
def test_the_present_entry_of_a_trace_exists(entries: tuple[str, ...]) -> None:
    module, _, name = entries[0].partition(":")
    function = import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    assert callable(function)


def test_a_value_of_the_file_is_followed_to_its_learner() -> None:
    trace = traces.ValueTrace(ROOT, traces.C)
    traces.run(trace, traces.VALUE_RUN)
    places = trace.places()
    assert "agents/bandits/cucb.py CUCB.__init__ c" in places["names"]
    assert {"scripts/train.py", "agents/bandits/cucb.py"} <= set(places["files that hold it"])
    assert set(places["files that hold it"]) <= set(places["files entered"])


def test_a_round_is_held_among_learners_and_entered_from_scripts_in_one_place() -> None:
    trace = traces.SnapshotTrace(ROOT)
    traces.run(trace, traces.SNAPSHOT_RUN)
    places = trace.places()
    assert {"agents/ccs/service.py", "agents/ccs/reporting.py", "agents/lns/learning.py"} <= set(places["files"])
    assert len(places["crossings"]) <= 1
    assert len(places["files"]) <= 15


def test_a_run_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="learners"):
        traces.run(traces.SnapshotTrace(ROOT), "name: nothing\n")
