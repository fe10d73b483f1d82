from __future__ import annotations

from pathlib import Path

import pytest

from lora_marl.config import ConfigError, load
from scripts.runs import registry
from scripts.runs.cli import UsageError

CONFIGS = Path(__file__).parents[3] / "configs"


def test_a_section_makes_a_run_one_of_a_kind() -> None:
    assert registry.kind_of(load(CONFIGS / "norel.yaml")) is None
    titles = {}
    for name in ("mmalora", "ccs_two"):
        kind = registry.kind_of(load(CONFIGS / f"{name}.yaml"))
        assert kind is not None
        titles[name] = kind.TITLE
    assert titles == {"mmalora": "a run on the closed form", "ccs_two": "a run of coexisting networks"}


def test_a_run_is_of_one_kind() -> None:
    with pytest.raises(ConfigError, match="energy and coexistence: a run has one of them"):
        load(CONFIGS / "ccs_two.yaml", ["energy.episodes=1"])


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, "coexistence", "torch_that_is_not_there")
    with pytest.raises(UsageError, match="'torch_that_is_not_there'; it needs the extra torch"):
        registry.kind_of(load(CONFIGS / "ccs_two.yaml"))
