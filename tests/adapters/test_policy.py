from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

pytest.importorskip("safetensors", reason="needs the extra scripts")

from safetensors.numpy import load_file, save_file

import lora_marl
from lora_marl.adapters.policy import SPACES, WEIGHTS, Policy, digest, spaces_of
from tests.envs.small import SETTINGS

MORE = {"algorithm": "none", "activation": "tanh", "greedy": False, "masked": False}


def policy(seed: int = 0, **more: object) -> Policy:
    """Random weights for nodes that choose of 2 and 3 values."""
    env = lora_marl.make("uplink_v0", **SETTINGS["uplink_v0"], factors=("sf", "tp"))
    rng = np.random.default_rng(seed)
    sizes = (len(env.feature_names), 7, sum(env.single_action_space.nvec))
    pairs = zip(sizes, sizes[1:], strict=False)
    layers = [(rng.normal(size=(n, m)).astype(np.float32), rng.normal(size=n).astype(np.float32)) for m, n in pairs]
    return Policy(spaces_of(env, "uplink_v0", **{**MORE, **more}), tuple(layers))


def observations(count: int, features: int) -> np.ndarray:
    return np.random.default_rng(1).random((count, features), np.float32)


def test_the_files_hold_all_of_it(tmp_path: Path) -> None:
    exported = policy()
    exported.write(tmp_path)
    read = Policy.read(tmp_path)
    assert read.spaces.feature_names == exported.spaces.feature_names
    assert json.loads(json.dumps(read.spaces.settings)) == json.loads(json.dumps(exported.spaces.settings))
    assert "scenario" not in read.spaces.settings
    seen = observations(5, len(exported.spaces.feature_names))
    assert np.array_equal(read.scores(seen), exported.scores(seen))
    before = digest(tmp_path)
    exported.write(tmp_path)
    assert digest(tmp_path) == before
    policy(1).write(tmp_path)
    assert digest(tmp_path) != before


def test_settings_are_those_that_the_environment_plays_by(tmp_path: Path) -> None:
    settings = {
        "xi": np.float32(0.5),
        "max_cycles": np.int64(4),
        "reward": MappingProxyType({"delivery": np.float64(2.0)}),
    }
    env = lora_marl.make("uplink_v0", **SETTINGS["uplink_v0"] | settings, factors=("sf", "tp"))
    env.max_cycles = np.int64(9)
    replace(policy(), spaces=spaces_of(env, "uplink_v0", **MORE)).write(tmp_path)
    read = Policy.read(tmp_path).spaces
    assert (read.settings["xi"], read.settings["max_cycles"], read.settings["reward"]) == (0.5, 9, {"delivery": 2.0})


def test_settings_without_words_are_named(tmp_path: Path) -> None:
    env = lora_marl.make("energy_v0", **SETTINGS["energy_v0"], redraw=partial(np.zeros, (5, 2)))
    assert "redraw" in spaces_of(env, "energy_v0", **MORE).unsaid
    exported = policy()
    assert exported.spaces.unsaid == ("scenario",)
    exported.write(tmp_path)
    assert Policy.read(tmp_path).spaces.unsaid == ("scenario",)
    values = json.loads((tmp_path / SPACES).read_text())
    del values["unsaid"]
    (tmp_path / SPACES).write_text(json.dumps(values))
    assert Policy.read(tmp_path).spaces.unsaid == ()


def test_one_layer_by_hand() -> None:
    exported = policy(activation="relu")
    hidden, last = exported.layers
    seen = observations(1, len(exported.spaces.feature_names))
    by_hand = last[0] @ np.maximum(hidden[0] @ seen[0] + hidden[1], 0.0) + last[1]
    np.testing.assert_allclose(exported.scores(seen)[0], by_hand, rtol=1e-5)


def test_draws_follow_the_softmax_and_respect_masks() -> None:
    exported, count = policy(), 40_000
    seen = np.repeat(observations(1, len(exported.spaces.feature_names)), count, axis=0)
    draws = np.random.default_rng(2).random((count, 2))
    chosen, scores, at = exported.choose(seen, draws), exported.scores(seen[:1])[0], 0
    for factor, size in enumerate(exported.spaces.sizes):
        shares = np.exp(scores[at : at + size]) / np.exp(scores[at : at + size]).sum()
        counted = np.bincount(chosen[:, factor], minlength=size) / count
        np.testing.assert_allclose(counted, shares, atol=5 * np.sqrt(0.25 / count))
        at += size
    masks = np.ones((count, at), np.bool_)
    masks[:, [0, exported.spaces.sizes[0] + 1]] = False
    masked = exported.choose(seen, draws, masks)
    assert not (masked[:, 0] == 0).any() and not (masked[:, 1] == 1).any()
    assert len(set(masked[:, 1])) == exported.spaces.sizes[1] - 1
    extreme = np.array([[0.0, 0.0], [1.0 - 1e-16, 1.0 - 1e-16]])
    assert (exported.choose(seen[:2], extreme, masks[:2]) < exported.spaces.sizes).all()
    assert exported.choose(seen[:2], extreme, masks[:2])[0].tolist() == [1, 0]


def test_greedy_takes_the_best_that_is_allowed() -> None:
    exported = policy(greedy=True)
    seen = observations(6, len(exported.spaces.feature_names))
    scores = exported.scores(seen)
    first = exported.spaces.sizes[0]
    assert np.array_equal(exported.choose(seen, np.empty((6, 2)))[:, 0], scores[:, :first].argmax(axis=1))
    masks = np.ones_like(scores, np.bool_)
    masks[np.arange(6), scores[:, :first].argmax(axis=1)] = False
    assert np.array_equal(exported.choose(seen, np.empty((6, 2)), masks)[:, 0], np.argsort(scores[:, :first])[:, -2])


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    for read in (Policy.read, digest):
        with pytest.raises(ValueError, match=r"nowhere: holds no policy, .*policy.json \(there is no such folder\)"):
            read(tmp_path / "nowhere")
        with pytest.raises(ValueError, match=r"\(has no policy.safetensors and no policy.json\)"):
            read(tmp_path)
    policy().write(tmp_path)
    text = (tmp_path / SPACES).read_text()
    (tmp_path / SPACES).write_text(text.replace("policy-1", "policy-9"))
    with pytest.raises(ValueError, match="format 'lora_marl-policy-9' is not"):
        Policy.read(tmp_path)
    for missing in ("sizes", "activation", "low"):
        (tmp_path / SPACES).write_text(json.dumps({k: v for k, v in json.loads(text).items() if k != missing}))
        with pytest.raises(ValueError, match=f"holds no policy that can be read .'{missing}' is missing"):
            Policy.read(tmp_path)
    for wrong, message in ((json.dumps([1]), ""), (text.replace("tanh", "gelu"), "activation: 'gelu' is not one of")):
        (tmp_path / SPACES).write_text(wrong)
        with pytest.raises(ValueError, match=f"holds no policy that can be read .{message}"):
            Policy.read(tmp_path)
    (tmp_path / SPACES).write_text(text)
    arrays = load_file(tmp_path / WEIGHTS)
    save_file({name: array for name, array in arrays.items() if name != "bias_0"}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match="holds no policy"):
        Policy.read(tmp_path)
    save_file(arrays | {"bias_0": arrays["bias_0"][1:]}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match="layer 0: "):
        Policy.read(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(ValueError, match="holds no policy"):
        Policy.read(tmp_path)
