"""A tiny run: two seeds, six nodes, four intervals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from scripts import train

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "dlora.yaml"
TINY = (
    "scenario.topology.nodes=6",
    "duration_h=1",
    "interval_h=0.125",
    "report_last_h=0.5",
    "seeds=[0,1]",
    "learners.static-sf7=null",
    "learners.distance-quantile=null",
)

Invoke = Callable[..., Result]


@pytest.fixture
def invoke() -> Invoke:
    """Runs a script's application in this process; `(app, *arguments)`."""

    def call(app: typer.Typer, *arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})

    return call


@pytest.fixture
def train_tiny(invoke: Invoke) -> Invoke:
    """Trains the tiny run; `(runs folder, *more arguments)`."""

    def call(runs: Path, *arguments: object) -> Result:
        return invoke(train.app, "--config", CONFIG, "--runs", runs, "--set", *TINY, *arguments)

    return call
