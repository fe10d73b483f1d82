"""Videos by Gymnasium's own wrappers; they need moviepy: `make recipe-video`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import pytest

import lora_marl
from tests.envs.small import SETTINGS

pytestmark = pytest.mark.external
STEPS = 3


@pytest.fixture(params=sorted(lora_marl.ENVS))
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip("moviepy", reason="needs the extra video")
    return request.param


def settings(name: str) -> dict[str, Any]:
    return {**SETTINGS[name], "max_cycles": STEPS, "render_mode": "rgb_array"}


def frames_of(folder: Path) -> tuple[int, list[int]]:
    """How many frames the one video has, and its size."""
    from moviepy import VideoFileClip

    (path,) = (folder / "videos").glob("*.mp4")
    with VideoFileClip(str(path)) as clip:
        return round(clip.duration * clip.fps), list(clip.size)


@pytest.mark.parametrize("view", ["agent", "central"])
def test_an_episode_of_a_view_becomes_a_video(name: str, view: str, tmp_path: Path) -> None:
    kind, _, version = name.rpartition("_")
    env = gymnasium.make(f"lora/{kind}-{view}-{version}", **settings(name))
    env = gymnasium.wrappers.RecordVideo(env, str(tmp_path / "videos"), disable_logger=True)
    env.reset(seed=0)
    env.action_space.seed(0)
    while not env.step(env.action_space.sample())[3]:
        pass
    env.close()
    assert frames_of(tmp_path) == (STEPS + 1, [600, 600])
