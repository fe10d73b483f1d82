"""What the benchmark measures of the coordination service: rounds, and the bytes of a report's snapshot."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from agents.ccs.compression import packed
from agents.ccs.coordinator import Coordinator
from agents.ccs.records import Report
from agents.ccs.service import Service
from agents.lns.network import Schema
from agents.maac.threads import threads
from scripts.cli import ROOT

KPIS = np.array([0.5, 1.0, 1.0, 0.4], np.float32)
"""Of networks that are crowded, so that none is left alone."""

_EVERY_S = 300.0


def round_s(networks: int, *, repeats: int) -> float:
    """CPU time of a round in which every network reports, one half DQN and one policy gradient, one thread. s

    The first round, in which all networks are new, is left out.
    """
    coordinator = Coordinator.load(ROOT / "configs/ccs/service.safetensors")
    service, rng, best_s = Service(coordinator, seed=0), np.random.default_rng(0), np.inf
    with threads(1):
        for number in range(1 + repeats):
            reports = [_report(rng, network, number) for network in range(networks)]
            begun_s = time.process_time()
            service.round(reports, number * _EVERY_S)
            best_s = min(best_s, time.process_time() - begun_s) if number else np.inf
    return best_s


def snapshot_bytes(encoding: str, share: float = 0.5) -> float:
    """Size of a server's parameters by encoding; see `agents.ccs.compression.packed`."""
    return float(sum(array.nbytes for array in packed(_parameters(np.random.default_rng(0)), encoding, share).values()))


def _report(rng: np.random.Generator, network: int, number: int) -> Report:
    schema = Schema(kind="pg" if network % 2 else "dqn")
    return Report(str(network), number, number * _EVERY_S, schema, _parameters(rng), KPIS)


def _parameters(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.normal(0.0, 0.1, Schema().size).astype(np.float32)
