from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lora_marl import config
from lora_marl.core.presets import conference_network, journal_network, mmalora_network, norel_dynamic, norel_network
from lora_marl.core.traffic import Traffic

CONFIGS = Path(__file__).parents[2] / "configs"


def assert_equal(ours: Any, theirs: Any, path: str) -> None:
    if is_dataclass(ours):
        assert type(ours) is type(theirs), path
        for field in fields(ours):
            assert_equal(getattr(ours, field.name), getattr(theirs, field.name), f"{path}.{field.name}")
    elif isinstance(ours, np.ndarray):
        assert np.array_equal(ours, theirs), path
    else:
        assert ours == theirs, path


@pytest.mark.filterwarnings("ignore")
def test_the_journal_network_is_the_default_configuration() -> None:
    assert_equal(journal_network(), config.load(CONFIGS / "default.yaml").scenario.build(), "scenario")


def test_nodes_traffic_and_placement_are_arguments() -> None:
    network = journal_network(7, 500.0, traffic=Traffic.one_per_window(10.0), seed=1)
    assert network.nodes == 7
    assert np.hypot(*network.node_xy_m.T).max() <= 500.0
    assert network.traffic.interval_s == 10.0
    assert not np.array_equal(network.node_xy_m, journal_network(7, 500.0).node_xy_m)


def test_the_conference_network_has_four_factors_to_choose() -> None:
    network = conference_network()
    assert network.nodes == 50
    assert network.region.factor_sizes == (6, 3, 8, 7)
    assert network.region.channels_hz[0] == 470.1e6
    assert network.region.channels_hz[-1] == pytest.approx(471.5e6)
    assert (network.traffic.interval_s, network.traffic.payload_bytes) == (4.0, 20)


def assert_close(ours: Any, theirs: Any, path: str) -> None:
    """As `assert_equal`, for numbers that a file rounds."""
    if is_dataclass(ours):
        for field in fields(ours):
            if field.name not in ("name", "node_xy_m"):
                assert_close(getattr(ours, field.name), getattr(theirs, field.name), f"{path}.{field.name}")
    elif isinstance(ours, (np.ndarray, float, int)) and not isinstance(ours, bool):
        np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=1e-9, err_msg=path)
    elif isinstance(ours, tuple) and ours and is_dataclass(ours[0]):
        assert len(ours) == len(theirs), path
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_close(*pair, f"{path}[{number}]")
    elif isinstance(ours, dict):
        assert set(ours) == set(theirs), path
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=f"{path}.{name}")
    else:
        assert ours == theirs, path


def test_norels_network_is_its_configuration() -> None:
    listed = config.load(CONFIGS / "norel.yaml").scenario.build()
    assert_close(norel_network(), listed, "scenario")
    assert np.array_equal(listed.node_xy_m[0], norel_network(seed=0).node_xy_m)
    assert np.array_equal(listed.node_xy_m[3], norel_network(seed=3).node_xy_m)


@pytest.mark.parametrize("kind", ["nodes", "traffic", "channel"])
def test_norels_changing_networks_are_their_configurations(kind: Any) -> None:
    listed = config.load(CONFIGS / f"norel_{kind}.yaml").scenario.build()
    ours = norel_dynamic(kind)
    assert_close(ours, listed, "scenario")
    assert ours.name == f"norel_{kind}" and np.array_equal(listed.node_xy_m[0], ours.node_xy_m)


def test_an_unknown_kind_of_change_is_named() -> None:
    with pytest.raises(ValueError, match="kind: 'load' is not one of nodes, traffic, channel"):
        norel_dynamic("load")  # type: ignore[arg-type]


def test_mmaloras_network_covers_all_nodes() -> None:
    network = mmalora_network(seed=1)
    distance_m = np.linalg.norm(network.node_xy_m[:, None] - network.gateway_xy_m, axis=-1)
    assert distance_m.min(axis=1).max() <= 12_000.0
    assert network.region.factor_sizes == (6, 1, 4, 7) and network.carrier_hz == 868e6
    assert network.region.tp_dbm == (2.0, 5.0, 8.0, 11.0, 14.0, 17.0, 20.0)
    assert not np.array_equal(network.gateway_xy_m, mmalora_network(seed=2).gateway_xy_m)


def test_mmaloras_network_is_its_configuration() -> None:
    listed = config.load(CONFIGS / "mmalora_network.yaml").scenario.build()
    assert_close(mmalora_network(), listed, "scenario")
    assert np.array_equal(listed.node_xy_m, mmalora_network().node_xy_m)


@pytest.mark.parametrize("gateways", [1, 2, 3, 4])
def test_mmaloras_network_of_given_positions(gateways: int) -> None:
    drawn = mmalora_network(20, gateways)
    placed = mmalora_network(node_xy_m=drawn.node_xy_m, gateway_xy_m=drawn.gateway_xy_m)
    assert_equal(placed, drawn, "scenario")


def test_mmaloras_powers_are_whole_steps() -> None:
    for levels in (2, 3, 4, 7, 10, 19):
        tp_dbm = mmalora_network(1, 1, power_levels=levels).region.tp_dbm
        assert (tp_dbm[0], tp_dbm[-1], len(tp_dbm)) == (2.0, 20.0, levels)
        assert all(level == round(level) for level in tp_dbm)
    with pytest.raises(ValueError, match="power_levels: 6 is not one of 2, 3, 4, 7, 10, 19"):
        mmalora_network(1, 1, power_levels=6)
