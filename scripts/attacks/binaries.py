"""Mutated binaries of every kind: each is refused by its reader in one line, or holds what it held."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.ccs.model import Coordinator
from agents.ccs.protocol import Report, Residual
from agents.lns.network import Schema
from agents.lns.vendor import load_vendor
from agents.maac import MAAC
from agents.maac import state as maac_state
from lora_marl.adapters.policy import SPACES, WEIGHTS, Policy
from scripts.attacks.mutation import damaged_bytes
from scripts.attacks.tally import counting
from scripts.runs import checkpoints
from scripts.runs.cli import ROOT, UsageError


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        data: An undamaged one.
        read: Reads one, given its path.
    """

    data: bytes
    read: Callable[[Path], Any]


def targets(folder: Path) -> Mapping[str, Target]:
    """Every kind of binary that the package reads; files that nobody has are written into a folder first."""
    rng = np.random.default_rng(0)
    snapshot, learner = folder / "snapshot.npz", folder / "learner.safetensors"
    checkpoints.write(snapshot, {"nodes": rng.integers(0, 256, (1, 500), np.uint8), "done": np.array(3)})
    maac = MAAC(2, 4, np.ones((1, 2)), seeds=[0], device="cpu", hidden=4, heads=1, capacity=64, batch=4)
    maac_state.write(learner, maac)
    schema = Schema((40, 4, 48))
    parameters = rng.normal(0.0, 0.1, schema.size).astype(np.float32)
    report = Report("a", 1, 1.0, schema, parameters, np.ones(4, np.float32))
    policies = ROOT / "configs/policies/uplink_v0"
    return {
        "snapshot": Target(snapshot.read_bytes(), checkpoints.read),
        "attention critics": Target(learner.read_bytes(), lambda path: MAAC.read(path, device="cpu")),
        "coordinator": Target((ROOT / "configs/ccs/service.safetensors").read_bytes(), Coordinator.load),
        "vendor": Target((ROOT / "configs/ccs/pg-0.safetensors").read_bytes(), load_vendor),
        "policy's weights": Target((policies / WEIGHTS).read_bytes(), lambda path: _policy(path, WEIGHTS, policies)),
        "policy's spaces": Target((policies / SPACES).read_bytes(), lambda path: _policy(path, SPACES, policies)),
        "report": Target(report.to_bytes(), lambda path: Report.from_bytes(path.read_bytes())),
        "report in eight bits": Target(report.to_bytes("int8"), lambda path: Report.from_bytes(path.read_bytes())),
        "largest weights": Target(report.to_bytes("top"), lambda path: Report.from_bytes(path.read_bytes())),
        "residual": Target(
            Residual("a", 1, 1, np.ones((5, 48), np.float32)).to_bytes(),
            lambda path: Residual.from_bytes(path.read_bytes()),
        ),
    }


def attack_binaries(count: int, seed: int, path: Path) -> None:
    """Damages binaries, swaps kinds, and writes a tally."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name, counting("binaries", path) as (tally, numbers):
        kinds = targets(Path(name))
        names, damaged = list(kinds), Path(name) / "damaged"
        for number in numbers(count):
            kind = names[number % len(names)]
            data = kinds[names[int(rng.integers(len(names)))] if rng.random() < 0.02 else kind].data
            head = 2000 if rng.random() < 0.5 else len(data)  # headers are where most can go wrong
            data = damaged_bytes(data[:head], rng) + data[head:]
            damaged.write_bytes(data)
            read = kinds[kind].read
            tally.attempt(lambda: read(damaged), (ValueError, UsageError), f"try {number}, {kind}")  # noqa: B023


def _policy(path: Path, name: str, policies: Path) -> Policy:
    """The exported policy whose one file is at a path."""
    folder = path.parent / "policy"
    folder.mkdir(exist_ok=True)
    for part in (WEIGHTS, SPACES):
        (folder / part).write_bytes((path if part == name else policies / part).read_bytes())
    return Policy.read(folder)
