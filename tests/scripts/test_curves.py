"""The picture of an environment's training curves."""

from __future__ import annotations

import lora_marl
from scripts import curves
from scripts.runs.episodes import read_episodes
from tests.envs.small import SETTINGS


def test_the_file_of_an_environment_is_drawn(invoke, tmp_path):
    path = tmp_path / "first" / "episodes.csv"
    env = lora_marl.make("uplink_v0", **{**SETTINGS["uplink_v0"], "max_cycles": 2, "episode_log": path})
    for _ in range(3):
        env.reset_array()
        for _ in range(2):
            env.step_array(env.game.first_actions())
    assert read_episodes(path)["length"].tolist() == [2, 2, 2]
    result = invoke(curves.app, path)
    assert result.exit_code == 0 and "episodes.png" in result.output
    for suffix, begin in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        assert path.with_suffix(f".{suffix}").read_bytes().startswith(begin)


def test_what_is_no_file_of_episodes_is_one_line(invoke, tmp_path):
    (tmp_path / "e.csv").write_text("a,b\n1,2\n")
    for name in ("e.csv", "nowhere.csv"):
        result = invoke(curves.app, tmp_path / name)
        assert result.exit_code == 2 and name in result.output and "Traceback" not in result.output


def test_a_device_is_no_file_of_episodes(invoke):
    result = invoke(curves.app, "/dev/null")
    assert result.exit_code == 2 and "is not a regular file" in result.output
