"""Training curves: a row for each finished episode, whatever library steps the environment."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lora_marl
from lora_marl.envs import uplink_v0
from tests.envs.small import SETTINGS

LENGTH = 3


def rows_of(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]


def played(env: Any, episodes: int) -> list[np.ndarray]:
    """Rewards of all steps `[B, N]` under first actions."""
    rewards = []
    for episode in range(episodes):
        env.reset_array([0, 1] if episode == 0 else None)
        rewards += [env.step_array(env.game.first_actions())[1] for _ in range(LENGTH)]
    return rewards


@pytest.mark.parametrize("name", list(lora_marl.ENVS))
def test_return_and_metrics_of_every_episode_are_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "episodes.csv"
    env = lora_marl.make(
        name, **{**SETTINGS[name], "replicas": 2, "max_cycles": LENGTH, "info_level": "none", "episode_log": path}
    )
    rewards = played(env, 2)
    rows = rows_of(path)
    assert [(row["steps"], row["replica"], row["length"]) for row in rows] == [
        (6, 0, LENGTH), (6, 1, LENGTH), (12, 0, LENGTH), (12, 1, LENGTH),
    ]  # fmt: skip
    first = np.sum(rewards[:LENGTH], axis=0).mean(axis=1)
    assert [row["return"] for row in rows[:2]] == pytest.approx(first.tolist())
    assert [row["reward"] for row in rows[:2]] == pytest.approx((first / LENGTH).tolist())
    assert set(env.game.infos()) <= set(rows[0])


def test_dicts_write_the_same(tmp_path: Path) -> None:
    env = uplink_v0.parallel_env(**SETTINGS["uplink_v0"], max_cycles=LENGTH, episode_log=tmp_path / "e.csv")
    env.reset(seed=0)
    sent = delivered = 0
    while env.agents:
        *_, infos = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        sent += sum(info["sent"] for info in infos.values())
        delivered += sum(info["delivered"] for info in infos.values())
    (row,) = rows_of(tmp_path / "e.csv")
    assert row["pdr"] == pytest.approx(delivered / sent)


def test_an_episode_that_is_not_finished_leaves_no_row_and_copies_write_too(tmp_path: Path) -> None:
    env = uplink_v0.parallel_env(**SETTINGS["uplink_v0"], max_cycles=LENGTH, episode_log=str(tmp_path / "e.csv"))
    env.reset_array(0)
    env.step_array(env.game.first_actions())
    env.reset_array(0)
    copy = pickle.loads(pickle.dumps(env))
    assert not (tmp_path / "e.csv").exists()
    for each in (env, copy):
        for _ in range(LENGTH):
            each.step_array(each.game.first_actions())
    assert [row["length"] for row in rows_of(tmp_path / "e.csv")] == [LENGTH, LENGTH]


def test_another_table_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("a,b\n1,2\n")
    env = uplink_v0.parallel_env(**SETTINGS["uplink_v0"], max_cycles=1, episode_log=tmp_path / "e.csv")
    env.reset_array(0)
    with pytest.raises(ValueError, match="e.csv holds another table; give another file"):
        env.step_array(env.game.first_actions())


def test_what_is_no_file_or_has_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="episode_log: 3 is no path"):
        uplink_v0.parallel_env(episode_log=3)
    with pytest.raises(ValueError, match="by turns there is none"):
        uplink_v0.raw_env(episode_log=tmp_path / "e.csv")
