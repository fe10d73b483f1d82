"""Damaged states of air and service, and hostile rounds of the service.

A state is refused, or the air or the service goes on with it within bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.ccs.model import Coordinator
from agents.ccs.protocol import Report
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.lns.network import Schema
from lora_marl.core.air import Air
from lora_marl.core.presets import conference_network
from scripts.attacks.mutation import damaged_state
from scripts.attacks.tally import Tally, counting
from scripts.runs.cli import ROOT

KPIS = np.array([0.5, 1.0, 1.0, 0.4], np.float32)
_SEEDS = (1, 2)
_ROUND_S = 300.0


def attack_air(count: int, seed: int, path: Path) -> None:
    """Damages states of two networks, with confirmed traffic over downlinks and without; writes a tally."""
    rng = np.random.default_rng(seed)
    plain = conference_network()
    traffic = replace(plain.traffic, interval_s=20.0, after_end=False, confirmed=True)
    confirmed = replace(plain, feedback="downlink", traffic=traffic)
    with counting("states of the air", path) as (tally, numbers):
        airs = []
        for scenario in (plain, confirmed):
            air = Air(scenario, _SEEDS)
            points = np.zeros((len(_SEEDS), scenario.nodes, 4), np.int16)
            air.advance(points, 100.0)
            saved = air.state_dict()
            airs.append((air, points, saved, sorted(set(saved) - {"seeds", "network"})))
        for number in numbers(count):
            air, points, saved, names = airs[number % len(airs)]
            state = damaged_state(saved, names, rng)

            def go_on(air: Air = air, points: np.ndarray = points, state: dict = state) -> None:
                air.load_state_dict(state)
                air.advance(points.copy(), 130.0)
                air.take_outcome()

            tally.attempt(go_on, (ValueError,), f"try {number}")


def attack_service(count: int, seed: int, path: Path) -> None:
    """Damages saved states of a service: each is refused; writes a tally."""
    rng = np.random.default_rng(seed)
    coordinator = Coordinator.load(ROOT / "configs/ccs/service.safetensors")
    service = Service(coordinator, 0)
    for number in range(2):
        service.round([_report(name, number) for name in "abc"], number * _ROUND_S)
    saved = service.state_dict()
    names = sorted(set(saved) - {"rounds"})
    with counting("states of the service", path) as (tally, numbers):
        for number in numbers(count):
            state = damaged_state(saved, names, rng)
            if all(state[name].tobytes() == saved[name].tobytes() for name in names):
                continue
            if tally.attempt(lambda: Service(coordinator, 0).load_state_dict(state), (ValueError,), f"try {number}"):  # noqa: B023
                tally.fail("wrong acceptance", f"try {number}")


def attack_rounds(count: int, seed: int, path: Path) -> None:
    """Plays rounds in which hostile networks report beside three honest ones, who are answered each time."""
    rng = np.random.default_rng(seed)
    coordinator = Coordinator.load(ROOT / "configs/ccs/service.safetensors")
    service = Service(coordinator, 0, Safeguards(congestion=None))
    with counting("hostile rounds", path) as (tally, numbers):
        for number in numbers(count):
            honest = [_report(name, number) for name in "abc"]
            reports = [*_hostile(rng, number), *honest, None, "report", {"network": "a"}]
            tally.attempt(lambda: _play(service, reports, number, tally), (), f"round {number}")  # noqa: B023


def _play(service: Service, reports: Sequence[object], number: int, tally: Tally) -> None:
    answer = service.round(reports, number * _ROUND_S)  # type: ignore[arg-type]
    answered = {residual.network for residual in answer.residuals if np.isfinite(residual.delta).all()}
    if not {"a", "b", "c"} <= answered:
        tally.fail("honest network without an answer", f"round {number}: {answer.refused}")


def _report(name: str, number: int, schema: Schema | None = None, **fields: object) -> Report:
    schema = schema or Schema((40, 16, 48), "pg")
    parameters = np.random.default_rng([number, len(name)]).normal(0.0, 0.1, schema.size).astype(np.float32)
    values = {"time_s": number * _ROUND_S, "parameters": parameters, "kpis": KPIS.copy(), **fields}
    return Report(name, number, schema=schema, **values)  # type: ignore[arg-type]


def _hostile(rng: np.random.Generator, number: int) -> list[Report]:
    """Reports of a round: deep, wide and narrow networks, extreme weights, false times, Sybils, arrays that change."""
    schemas = [
        Schema((40, *[1] * int(rng.integers(1, 400)), 48)),
        Schema((40, int(rng.integers(1, 44_000 if number % 10 == 9 else 4_000)), 48)),
        Schema((40, *[int(rng.integers(1, 200)) for _ in range(7)], 48), "pg"),
        Schema((int(rng.integers(1, 60)), 8, int(rng.integers(1, 60)))),
    ]
    reports = [_report(f"schema {place}", number, schema) for place, schema in enumerate(schemas)]
    for power in (1e3, 1e10, 1e30):
        scaled = _report(f"weights {power:g}", number)
        reports.append(replace(scaled, parameters=np.clip(scaled.parameters * np.float32(power), -3e38, 3e38)))
    reports += [
        _report(f"time {place}", number, time_s=time_s) for place, time_s in enumerate((-1e14, 0.0, 1e14, 1e-300))
    ]
    reports += [_report(f"sybil {number} {place}", number, operator="mallory") for place in range(20)]
    changing = _report("changing", number)
    changing.parameters[:] = rng.choice([np.nan, np.inf, 1e38])
    kpis = _report("summary", number)
    kpis.kpis[:] = rng.choice([1e30, -1e30, 0.0])
    return [*reports, changing, kpis]
