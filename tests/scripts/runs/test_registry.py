from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lora_marl.config import CoexistenceRun, ConfigError, EnergyRun, PacketRun, load
from scripts.runs import registry
from scripts.runs.cli import UsageError

CONFIGS = Path(__file__).parents[3] / "configs"


def test_a_section_makes_a_run_one_of_a_kind() -> None:
    kinds = {
        "norel": (PacketRun, "a run of packets"),
        "mmalora": (EnergyRun, "a run on the closed form"),
        "ccs_two": (CoexistenceRun, "a run of coexisting networks"),
    }
    for name, (config_class, title) in kinds.items():
        config = load(CONFIGS / f"{name}.yaml")
        assert type(config) is config_class
        assert registry.run_type_of(config).title == title


def test_a_run_is_of_one_kind() -> None:
    with pytest.raises(ConfigError, match="energy and coexistence: a run has one of them"):
        load(CONFIGS / "ccs_two.yaml", ["energy.episodes=1"])


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.RUN_TYPES, CoexistenceRun, ("coexistence", "torch:X"))
    monkeypatch.setitem(sys.modules, "torch", None)
    words = r"a run with a section coexistence needs torch, of the extra torch: pip install -e '\.\[torch\]' in the"
    with pytest.raises(UsageError, match=words):
        registry.run_type_of(load(CONFIGS / "ccs_two.yaml"))
