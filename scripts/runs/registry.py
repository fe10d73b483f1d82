"""Kinds of runs beside those of packets: what plays them, reports them and judges them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from lora_marl.config import TrainConfig
from scripts.runs.cli import UsageError
from scripts.runs.progress import StopRequest
from scripts.runs.folder import RunFolder
from scripts.runs.checkpoints import State

MODULES = {"energy": "scripts.runs.energy.run", "coexistence": "scripts.runs.coexistence.run"}
"""By the section of a configuration that makes a run one of the kind."""


class Playing(Protocol):
    """A run of a kind; what is wrong with it is said when it is made."""

    def __init__(self, folder: RunFolder) -> None: ...

    def play(self, stop: StopRequest) -> bool:
        """All labels, from where they were; False: a stop was requested."""

    def report(self) -> list[dict[str, Any]]:
        """Prints the table, draws the pictures; for machines, records."""


class Kind(Protocol):
    """What a module of `MODULES` has."""

    TITLE: str
    """What such a run is, to be named in errors."""
    SOURCES: Sequence[str]
    """Folders whose code its numbers depend on, beside the package and the learners."""
    Run: type[Playing]

    def states_of(self, config: TrainConfig, label: str) -> list[State]:
        """What is kept of a label that is played for a study, by seed."""

    def evaluate(self, folder: RunFolder) -> list[dict[str, Any]]:
        """Judges what a run has left; prints a table, and gives records."""


def kind_of(config: TrainConfig) -> Kind | None:
    """What plays a run; None: it is one of packets, whose learners decide for single nodes.

    Raises:
        UsageError: a library that it needs is missing.
    """
    for section, module in MODULES.items():
        if getattr(config, section) is not None:
            try:
                found: Any = importlib.import_module(module)
            except ModuleNotFoundError as error:
                raise UsageError(f"a run with a section {section}: {error}; it needs the extra torch") from None
            return found
    return None
