from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lora_marl.core.reception import Fate
from lora_marl.envs import uplink_v0
from lora_marl.envs.uplink.observation import NodeFeatures


def named(env: uplink_v0.Uplink, observations: np.ndarray, node: int = 0) -> dict[str, float]:
    return dict(zip(env.feature_names, observations[0, node].tolist(), strict=True))


@pytest.fixture
def near(journal: Any) -> Any:
    """Two nodes whose packets are received without any luck: 100 m away, no shadowing."""
    scenario = replace(journal(2), node_xy_m=np.array([[100.0, 0.0], [0.0, 100.0]]))
    return scenario.with_values({"propagation.shadowing_db": 0.0})


def test_before_the_first_step(near: Any) -> None:
    env = uplink_v0.parallel_env(scenario=near)
    seen = named(env, env.reset_array([0]))
    flags = {name for name, value in seen.items() if value == 1.0}
    assert flags == {"channel_0", "tp", "fate_none", "active"}
    averages = {value for name, value in seen.items() if name.startswith("delivery_")}
    assert averages == {0.5}
    assert all(seen[name] == 0.0 for name in ("sf", "snr_margin", "packets", "sent"))


def test_after_delivered_packets(near: Any) -> None:
    env = uplink_v0.parallel_env(scenario=near)
    env.reset_array([0])
    for _ in range(4):
        observations, *_, infos = env.step_array(np.array([[[2, 3, 6], [0, 5, 3]]]))
    sent = 4 if infos["sent"][0, 0] else 3
    seen = named(env, observations)
    assert seen["sf"] == pytest.approx(2 / 5)
    assert seen["tp"] == 1.0
    assert [seen[f"channel_{channel}"] for channel in range(8)] == [0, 0, 0, 1, 0, 0, 0, 0]
    assert seen["fate_delivered"] == 1.0
    assert seen["delivery_sf9"] == seen["delivery_channel_3"] == pytest.approx((sent + 1) / (sent + 2))
    assert seen["delivery_sf7"] == seen["delivery_channel_5"] == 0.5
    rssi_dbm = 14 - (128.95 + 23.2 * np.log10(0.1))
    noise_dbm = -174 + 10 * np.log10(125e3) + 6
    assert seen["snr_margin"] == pytest.approx(min((rssi_dbm - noise_dbm + 12.5) / 40.0, 1.0), rel=1e-5)
    assert seen["packets"] == pytest.approx(infos["sent"][0, 0] / (1 + infos["sent"][0, 0]))


def test_after_lost_packets(near: Any) -> None:
    far = replace(near, node_xy_m=near.node_xy_m * 1000.0)
    env = uplink_v0.parallel_env(scenario=far)
    env.reset_array([0])
    for _ in range(3):
        observations, *_ = env.step_array(np.zeros((1, 2, 3), np.int64))
    seen = named(env, observations)
    assert seen["fate_below_sensitivity"] == 1.0
    assert seen["fate_none"] == seen["snr_margin"] == 0.0
    assert seen["delivery_sf7"] < 0.5


def test_averages_forget(near: Any) -> None:
    env = uplink_v0.parallel_env(scenario=near, memory=0.5)
    env.reset_array([0])
    count = 0.0
    for _ in range(6):
        observations, *_, infos = env.step_array(np.zeros((1, 2, 3), np.int64))
        count = 0.5 * count + infos["delivered"][0, 0]
        assert infos["delivered"][0, 0] == infos["sent"][0, 0]
        assert named(env, observations)["delivery_sf7"] == pytest.approx((count + 1) / (count + 2))


def test_an_episode_starts_from_nothing(near: Any) -> None:
    env = uplink_v0.parallel_env(scenario=near)
    first = env.reset_array([0])
    env.step_array(np.ones((1, 2, 3), np.int64))
    assert np.array_equal(env.reset_array(), first)


def test_one_flag_per_fate(near: Any) -> None:
    names = uplink_v0.parallel_env(scenario=near).feature_names
    free = [f"fate_{fate.name.lower()}" for fate in Fate if fate != Fate.GATEWAY_SENDING]
    assert [name for name in names if name.startswith("fate_")] == free
    names = uplink_v0.parallel_env(scenario=replace(near, feedback="downlink")).feature_names
    assert [name for name in names if name.startswith("fate_")] == [*free, "fate_gateway_sending"]


def test_a_choice_is_a_command_where_it_takes_a_downlink(near: Any) -> None:
    env = uplink_v0.parallel_env(scenario=replace(near, feedback="downlink"), replicas=2, window_s=60.0, max_cycles=50)
    env.reset_array([0, 1])
    actions = np.zeros((2, 2, len(env.single_action_space.nvec)), np.int64)
    downlinks = 0
    for step in range(30):
        env.step_array(actions + step % 2)
        downlinks += env.game.outcome.downlinks.sum()
    assert downlinks > 0 and env.game.air.feedback.decides == "server"


def test_rows_are_the_same_for_arrays_of_any_type_and_layout(journal: Any) -> None:
    scenario = journal(6)
    features, rng = NodeFeatures(scenario, ("sf", "channel", "tp"), 1.0), np.random.default_rng(0)
    sizes = scenario.region.factor_sizes
    points = np.stack([rng.integers(0, size, (4, 6)) for size in sizes], -1).astype(np.int16)
    fate, rssi_dbm = rng.integers(-1, 5, (4, 6)).astype(np.int8), rng.normal(-110.0, 10.0, (4, 6))
    counts = rng.integers(0, 5, (4, 6, sum(sizes)))
    arrays = (points, fate, points, rssi_dbm, counts + 1, counts, counts[..., 0], rng.random((4, 6)) < 0.5)
    rows = features.rows(*arrays)
    assert rows.dtype == np.float32 and rows.shape == (4, 6, len(features.names))
    np.testing.assert_array_equal(features.rows(*(np.asfortranarray(array) for array in arrays)), rows)
    floats = (points, fate, points, rssi_dbm, counts + 1.0, counts + 0.0, counts[..., 0].astype(np.int32), arrays[-1])
    np.testing.assert_array_equal(features.rows(*floats), rows)
    np.testing.assert_array_equal(features.rows(*(array[2] for array in arrays)), rows[2])
