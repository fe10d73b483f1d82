"""Golden data for all tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# pytest-xdist sets COLUMNS to 80 in its workers, which Rich takes for good when a script's console is made.
os.environ.pop("COLUMNS", None)

settings.register_profile("untimed", deadline=None)  # no test is timed: the first example compiles
settings.load_profile("untimed")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def dlora_vectors() -> dict[str, Any]:
    """Reference vectors of the D-LoRa papers; see golden/README.md."""
    return json.loads((GOLDEN / "dlora.json").read_text())


@pytest.fixture(scope="session")
def ns3_vectors() -> dict[str, Any]:
    """A scenario of 300 devices and its packet counts under ns-3; see golden/README.md."""
    return json.loads((GOLDEN / "ns3_one_gateway_300.json").read_text())
