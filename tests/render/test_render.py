from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest

from lora_marl import render
from lora_marl.core.presets import journal_network, mmalora_network
from lora_marl.core.traffic import Traffic
from lora_marl.envs import energy_v0, uplink_v0
from lora_marl.render import map

JOURNAL = journal_network(6, traffic=Traffic.one_per_window(20.0))
"""Six nodes with one packet each per window of 20 s."""


def played(render_mode: str | None) -> uplink_v0.Uplink:
    env = uplink_v0.parallel_env(scenario=JOURNAL, render_mode=render_mode)
    env.reset(seed=0)
    for _ in range(3):
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    return env


def test_text() -> None:
    env = played("ansi")
    text = env.render()
    assert isinstance(text, str)
    assert "journal at 60 s: 6 of 6 nodes, 1 gateway(s)" in text
    assert f"{env.game.outcome.sent.sum()} packets ended" in text
    counts = [int(line.split()[1]) for line in text.splitlines() if line.startswith("SF")]
    assert counts == np.bincount(env.game.points[0, :, 0], minlength=6).tolist()


def test_text_of_expectations() -> None:
    env = energy_v0.parallel_env(scenario=mmalora_network(8, 2), render_mode="ansi")
    env.reset(seed=0)
    *_, infos = env.step(dict.fromkeys(env.agents, 0))
    text = env.render()
    ee = sum(info["ee_bits_per_mj"] for info in infos.values())
    violations = sum(info["violation"] for info in infos.values())
    assert 0 < violations <= 8
    assert "mmalora after step 1: 8 of 8 nodes, 2 gateway(s)" in text
    assert f"last step: {ee:.4g} bits/mJ, {violations} violations" in text
    assert "SF7       8 " in text
    links = {name: which.sum() for name, _, which in env.game.frame().links}
    assert links == {"at least 0.7": 8 - violations, "below 0.7": violations}


def test_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    env = played("rgb_array")
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    assert picture.dtype == np.uint8
    assert picture.shape == (600, 600, 3)
    assert picture.std() > 1.0
    for colour in ("#000000", map.SF_COLOURS[env.game.frame().sf[0]]):
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(picture.astype(int) - rgb).sum(axis=-1) < 10).any()
    assert "matplotlib.pyplot" not in sys.modules
    assert np.array_equal(picture, env.render())
    env.close()


def test_a_window_without_a_display_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    env = uplink_v0.parallel_env(scenario=JOURNAL, render_mode="human")
    pyplot.switch_backend("agg")
    with pytest.raises(ValueError, match="render_mode: 'human' needs a display, .*'agg' .* allowed are 'rgb_array'"):
        env.reset(seed=0)  # nobody has to ask for the live view

    def headless(*unused: Any, **settings: Any) -> None:
        raise ImportError("Cannot load backend 'TkAgg' ... as 'headless' is currently running")

    monkeypatch.setattr(pyplot, "figure", headless)
    monkeypatch.setattr("matplotlib.get_backend", lambda: "tkagg")
    with pytest.raises(ValueError, match="matplotlib's backend 'tkagg' opens no window here"):
        env.render()
    env.close()


def test_without_a_render_mode() -> None:
    with pytest.warns(UserWarning, match="give render_mode to the constructor"):
        assert played(None).render() is None


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    env = played("rgb_array")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lora_marl\[scripts\]'"):
        env.render()


def test_a_window_opens_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "pause", lambda seconds: None)
    monkeypatch.setattr(render, "_opens_windows", lambda backend: True)
    pyplot.switch_backend("agg")
    shown: list[Any] = []
    show = render.Window.show
    monkeypatch.setattr(render.Window, "show", lambda window, frame: shown.append(show(window, frame)))
    env = played("human")
    assert len(shown) == 4  # reset, and every step
    assert env.render() is None
    assert len(shown) == 5
    assert len(pyplot.get_fignums()) == 1
    assert pyplot.gcf().images[0].get_array().shape == (600, 600, 3)
    copy = pickle.loads(pickle.dumps(env))
    copy.render()
    assert len(pyplot.get_fignums()) == 2  # each has a window of its own
    env.close()
    assert len(pyplot.get_fignums()) == 1
    copy.close()
    assert pyplot.get_fignums() == []
