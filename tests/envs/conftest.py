from __future__ import annotations

from collections.abc import Callable

import pytest

from lora_marl.core.presets import conference_network, journal_network
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic


@pytest.fixture
def journal() -> Callable[..., Scenario]:
    """The journal network with few nodes and one packet per node and window of 20 s."""

    def build(nodes: int = 6) -> Scenario:
        return journal_network(nodes, traffic=Traffic.one_per_window(20.0))

    return build


@pytest.fixture
def busy() -> Scenario:
    """A network in which a window has several packets or none, with four factors."""
    return conference_network(5, 2000.0)
