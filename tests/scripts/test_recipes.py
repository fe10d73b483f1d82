"""Every recipe, for a moment, where its library is installed (`make recipe-rllib` and so on installs it)."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import typer

import lora_marl
from lora_marl.adapters.policy import Policy
from scripts.recipes.recipe import train_and_evaluate, with_options_of
from scripts.runs.baselines import rewards_of_policy
from tests.envs.small import SETTINGS
from tests.scripts.conftest import ROOT

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]

TERM = """
import os
import sys
from pathlib import Path

import numpy as np

from agents import LEARNERS

HERE = Path(__file__).parent
WORKER = "rllib_ppo" not in sys.argv[0]


def played(expected, channel_nodes):
    'Keeps whose steps these were; as many workers as the test wants end at their twentieth.'
    mine, dead = HERE / "played" / str(os.getpid()), HERE / "dead"
    for folder in (mine.parent, dead):
        folder.mkdir(exist_ok=True)
    with mine.open("a") as steps:
        steps.write("1")
    if WORKER and mine.stat().st_size == 20 and len(list(dead.iterdir())) < int(os.environ["DYING"]):
        (dead / mine.name).touch()
        os._exit(1)
    return np.full_like(expected.ee, len(LEARNERS))
"""

RECIPES = {"torchrl_mappo": "torchrl", "rllib_ppo": "ray.rllib", "benchmarl_mappo": "benchmarl"}


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_a_policy_comes_of_it(recipe: str, name: str, tmp_path) -> None:
    pytest.importorskip(RECIPES[recipe])
    if recipe == "torchrl_mappo":
        pytest.importorskip("torchrl", minversion="0.14")
    module = importlib.import_module(f"scripts.recipes.{recipe}")
    settings: dict[str, Any] = {**SETTINGS[name], "max_cycles": 8}
    module.train(name, 64, seed=0, **settings).write(tmp_path)
    policy = Policy.read(tmp_path)
    settings["action_format"] = policy.spaces.settings["action_format"]
    rewards = rewards_of_policy(lora_marl.make(name, replicas=2, **settings), [0, 1], policy)
    assert np.isfinite(rewards).all()


@pytest.mark.parametrize("recipe", ["torchrl_mappo", "rllib_ppo"])
def test_servers_learn_to_beat_chance(recipe: str) -> None:
    pytest.importorskip(RECIPES[recipe])
    module = importlib.import_module(f"scripts.recipes.{recipe}")
    library = RECIPES[recipe].partition(".")[0]
    result = train_and_evaluate(library, module.train, "coexistence_v0", 2_048)
    assert result["worst_difference"] > 0.05


def test_the_keywords_of_a_recipe_are_options_of_its_command() -> None:
    def train(name: str, *, seed: int = 0, workers: Annotated[int, typer.Option()] = 3, **settings: Any) -> Any: ...

    def main(steps: Annotated[int, typer.Option()] = 1, **keywords: Any) -> None: ...

    parameters = with_options_of(train, main).parameters
    assert {name: option.default for name, option in parameters.items()} == {"steps": 1, "workers": 3}


@pytest.mark.parametrize("dying", [0, 1])
def test_rllib_plays_in_further_processes_that_find_the_parts_of_another_folder(dying: int, tmp_path: Path) -> None:
    """Also where one of them ends in the middle of an episode."""
    pytest.importorskip("ray.rllib")
    (tmp_path / "mine.py").write_text(TERM)
    recipe = [sys.executable, str(ROOT / "scripts" / "recipes" / "rllib_ppo.py"), "energy_v0", "--steps", "512"]
    settings = ["--env", "reward={own: 1, 'mine:played': 1}", "--env", "max_cycles=8", "--out", "policy"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DYING": str(dying)}
    done = subprocess.run(
        [*recipe, "--workers", "2", *settings], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] == 512
    players = {int(path.name) for path in (tmp_path / "played").iterdir()}
    dead = {int(path.name) for path in (tmp_path / "dead").iterdir()}
    assert len(dead) == dying
    assert len(players) >= 3  # two workers, and who plays the held-out seeds
    weights = Policy.read(tmp_path / "policy").layers
    assert all(np.isfinite(weight).all() for weight, _ in weights)
