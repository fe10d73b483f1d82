from __future__ import annotations

import json

import pytest

from scripts import benchmark_libraries
from scripts.speed import libraries

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("environment", ["uplink_v0", "coexistence_v0"])
@pytest.mark.parametrize("name", libraries.WRAPPERS)
def test_every_wrapper_plays_on_over_the_end_of_episodes(name, environment, monkeypatch):
    if not libraries.WRAPPERS[name].installed:
        pytest.skip(f"needs {libraries.WRAPPERS[name].library}")
    monkeypatch.setattr(libraries, "NODES", 4)
    assert libraries.steps_per_s(name, environment, steps=3, repeats=2) > 0


def test_wrappers_and_arrays_are_played_in_turns(monkeypatch):
    monkeypatch.setattr(libraries, "NODES", 4)
    wrapped, arrays = libraries.rates("PettingZoo's dicts", steps=3, repeats=2)
    assert wrapped > 0 and arrays > 0


def test_what_is_installed_is_reported(invoke, monkeypatch, tmp_path):
    monkeypatch.setattr(libraries, "rates", lambda name, environment: (50.0, 100.0))
    result = invoke(benchmark_libraries.app, "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    assert "0.50" in result.output
    wrappers = {record["wrapper"] for record in json.loads((tmp_path / "out.json").read_text())}
    assert {"arrays", "PettingZoo's dicts", "Gymnasium's vector, central"} <= wrappers <= set(libraries.WRAPPERS)
    result = invoke(benchmark_libraries.app, "--library", "pettingzoo", "--json", tmp_path / "out.json")
    assert [record["wrapper"] for record in json.loads((tmp_path / "out.json").read_text())] == ["PettingZoo's dicts"]


def test_a_library_that_is_not_here_is_named(invoke):
    result = invoke(benchmark_libraries.app, "--library", "petting")
    assert result.exit_code == 2 and "'petting' is not installed; installed are " in result.output
    assert "gymnasium, pettingzoo" in result.output


def test_an_environment_that_is_not_measured_is_named(invoke):
    result = invoke(benchmark_libraries.app, "energy_v0")
    assert result.exit_code == 2 and "'energy_v0' is not one of uplink_v0, coexistence_v0" in result.output
