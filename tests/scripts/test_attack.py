"""The attacks, a few tries of each, in this process; `scripts/attack.py` tries thousands."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lora_marl.core.array_files import DamagedFileError, read_npz
from scripts import attack
from scripts.attacks.mutation import damaged_bytes
from scripts.attacks.tally import Tally, counting


@pytest.mark.parametrize("name", [name for name, attack in attack.ATTACKS.items() if attack.quick])
def test_nothing_that_comes_from_outside_does_harm(tmp_path: Path, name: str) -> None:
    if name == "records":
        pytest.importorskip("orjson")
        pytest.importorskip("pyarrow")
    chosen = attack.ATTACKS[name]
    chosen.run(max(2, chosen.quick // 2), 7, tmp_path / "tally.json")
    tally = Tally.read(tmp_path / "tally.json")
    assert tally.failures == {}, tally.examples
    assert tally.tries == tally.refused + tally.held > 0


def test_random_damage_to_an_archive_is_refused_or_read_as_it_was(tmp_path: Path) -> None:
    arrays = {"a": np.arange(40.0), "b": np.arange(9, dtype=np.int16), "c": np.array("text")}
    np.savez(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
    data, rng, refusals = (tmp_path / "x.npz").read_bytes(), np.random.default_rng(0), 0
    for _ in range(400):
        (tmp_path / "y.npz").write_bytes(damaged_bytes(data, rng))
        try:
            actual = read_npz(tmp_path / "y.npz")
        except DamagedFileError:
            refusals += 1
        else:
            for key in set(actual) & set(arrays):
                np.testing.assert_array_equal(actual[key], arrays[key])
    assert refusals > 300


def hang() -> None:
    while True:
        time.process_time()


def say(text: str) -> None:
    raise ValueError(text)


def test_what_goes_wrong_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.attacks.tally.LONGEST_S", 0.05)
    with counting("test", tmp_path / "tally.json") as (tally, numbers):
        assert list(numbers(3)) == [0, 1, 2]
        assert tally.attempt(int, (ValueError,), "held")
        for run in (hang, lambda: say("one line"), lambda: say("two\nlines"), lambda: {}["key"]):
            assert not tally.attempt(run, (ValueError,), "not held")
    again = Tally.read(tmp_path / "tally.json")
    assert (again.tries, again.held, again.refused) == (5, 1, 1)
    assert again.failures == {"hang": 1, "message of several lines": 1, "traceback": 1}


def test_a_crash_is_a_failure_and_the_table_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    crashed = Tally("air", tries=50, refused=49)
    crashed.fail("crash", "exit status -11")
    monkeypatch.setattr(attack, "run_apart", lambda *_: crashed)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{attack.BEGIN}\nold\n{attack.END}\nafter\n")
    result = CliRunner().invoke(attack.app, ["air", "--page", str(page)])
    assert result.exit_code == attack.FAILED
    text = page.read_text()
    assert "| damaged states of the air | 50 | 49 | 0 | 1 crash | 0.00 | 0 |" in text
    assert text.startswith("before") and text.endswith("after\n") and "old" not in text


def test_unknown_attacks_and_pages_without_marks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is no attack; known: configs" in CliRunner().invoke(attack.app, ["nothing"]).output
    (tmp_path / "page.md").write_text("no marks")
    monkeypatch.setattr(attack, "run_apart", lambda *_: Tally("air"))
    result = CliRunner().invoke(attack.app, ["air", "--page", str(tmp_path / "page.md")])
    assert result.exit_code == 2 and "has no" in result.output
