"""The kinds of runs, and the class that trains, reports and judges each of them."""

from __future__ import annotations

import importlib
from typing import Any

from lora_marl.config import CoexistenceRun, EnergyRun, PacketRun, TrainConfig
from scripts.runs.cli import EXTRAS, UsageError, how_to_install
from scripts.runs.loop import RunType

RUN_TYPES: dict[type[Any], tuple[str, str]] = {
    PacketRun: ("scenario", "scripts.runs.packets.run:PacketRunType"),
    EnergyRun: ("energy", "scripts.runs.energy.run:EnergyRunType"),
    CoexistenceRun: ("coexistence", "scripts.runs.coexistence.run:CoexistenceRunType"),
}
"""The section of a configuration that marks its kind, and where its `RunType` is.

The class is imported when needed, since some need the extra torch.
"""


def run_type_of(config: TrainConfig) -> RunType[Any, Any]:
    """The object that trains, reports and judges a run.

    Raises:
        UsageError: a library that it needs is missing.
    """
    section, place = RUN_TYPES[type(config)]
    module, _, name = place.partition(":")
    try:
        run_type: type[RunType[Any, Any]] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name not in EXTRAS:
            raise
        raise UsageError(f"a run with a section {section} {how_to_install(error.name)}") from None
    return run_type(config)
