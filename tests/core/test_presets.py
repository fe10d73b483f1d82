from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lora_marl import config
from lora_marl.core.presets import conference_network, journal_network
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
