"""The kinds of runs, and the class that trains, reports and judges each of them."""

from __future__ import annotations

import importlib
from typing import Any

from lora_marl.config import CoexistenceRun, EnergyRun, PacketRun, TrainConfig
from scripts.runs.cli import UsageError
from scripts.runs.loop import RunType

RUN_TYPES: dict[type[Any], str] = {
    PacketRun: "scripts.runs.packets.run:PacketRunType",
    EnergyRun: "scripts.runs.energy.run:EnergyRunType",
    CoexistenceRun: "scripts.runs.coexistence.run:CoexistenceRunType",
}
"""Where the `RunType` of a configuration is; imported when needed, since some need the extra torch."""


def run_type_of(config: TrainConfig) -> RunType[Any, Any]:
    """The object that trains, reports and judges a run.

    Raises:
        UsageError: a library that it needs is missing.
    """
    module, _, name = RUN_TYPES[type(config)].partition(":")
    try:
        run_type: type[RunType[Any, Any]] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise UsageError(f"{module}: {error}; it needs the extra torch") from None
    return run_type(config)
