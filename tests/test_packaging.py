"""What is published, under which version, and that every configuration in the clone works."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pettingzoo
import pytest
import yaml
from packaging.version import Version

import lora_marl
from agents import learner_class, parameters_of
from agents.maac.groups import Hyperparameters
from lora_marl import config
from scripts.runs.coexistence.strategies import build_strategy
from scripts.runs.energy.experiment import MAAC

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(*groups: str) -> set[str]:
    """Names of the required packages, extras of our own resolved."""
    project = PROJECT["project"]
    lines = [line for group in groups for line in project["optional-dependencies"][group]]
    names = {re.match(r"[\w-]+", line).group() for line in lines + project["dependencies"]}
    return {name.lower().replace("_", "-") for name in names if name != "lora_marl"}


def test_the_wheel_holds_the_package_alone() -> None:
    build = PROJECT["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"] == {"packages": ["lora_marl"]}
    assert build["dev-mode-dirs"] == ["."]
    assert (ROOT / "lora_marl" / "py.typed").exists()


def test_one_version() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == lora_marl.__version__
    heading = re.search(r"^## .*$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heading is not None
    assert lora_marl.__version__ in heading.group()


def test_heavy_libraries_are_extras() -> None:
    heavy = {"torch", "stable-baselines3", "ray", "torchrl", "matplotlib", "tensorboard", "typer", "rich"}
    assert not requirements() & heavy
    assert "torch" not in requirements("scripts", "test", "dev")


def test_constraints_pin_what_is_installed_by_the_make_targets() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    assert requirements("scripts", "test", "dev", "sb3", "docs") <= pinned
    assert "torch==2.13.0" in lines


def test_the_second_set_of_versions_is_newer() -> None:
    pins = [
        dict(
            line.lower().split("==") for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if "==" in line
        )
        for name in ("constraints.txt", "constraints-latest.txt")
    ]
    assert pins[1]
    for package, version in pins[1].items():
        assert Version(version) > Version(pins[0][package])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_loads_builds_and_names_what_exists(path: Path) -> None:
    run = config.load(path)
    assert run.name == path.stem
    networks = run.coexistence if isinstance(run, config.CoexistenceRun) else run.scenario
    assert networks.build().nodes > 0
    for label, learner in run.learners.items():
        if isinstance(run, config.CoexistenceRun):
            build_strategy(run, label)
        elif isinstance(run, config.EnergyRun) and learner.name == MAAC:
            Hyperparameters(**learner.parameters)
        else:
            assert set(learner.parameters) <= set(parameters_of(learner_class(learner.name)))


def test_ci_runs_the_test_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8")
    assert "make conformance" in script.read_text(encoding="utf-8")
    assert "make docs" in script.read_text(encoding="utf-8")


def test_conformance_has_an_environment_of_its_own_with_stable_baselines3() -> None:
    command = ["make", "--dry-run", "conformance", "VENV=some"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept = "-m pytest -n auto --dist loadfile tests/envs tests/views tests/adapters/test_sb3.py"
    assert f"some-conformance/bin/python {kept}" in printed
    assert "some/bin" not in printed


def test_environments_by_name() -> None:
    with pytest.raises(ValueError, match=r"'uplink_v1' is no environment; did you mean 'uplink_v0'\?"):
        lora_marl.make("uplink_v1")


@pytest.mark.skipif(not hasattr(pettingzoo, "register"), reason="PettingZoo before 1.27 has no registry")
@pytest.mark.parametrize("kind", ["parallel", "aec"])
def test_environments_are_registered(kind: str) -> None:
    for name, module in lora_marl.ENVS.items():
        assert pettingzoo.spec(kind, f"lora/{name}").entry_point.startswith(module)
