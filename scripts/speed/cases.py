"""Benchmarks of packets: the air, learners that decide after every packet, environments, and memory.

CPU seconds of one core count, without compilation and warm-up, and the best of some repeats: whatever else the machine
does can only slow a run down. The network is the journal's under default physics unless a function says otherwise. Its
load is spread over more nodes by longer intervals, which keeps the offered Erlang per channel.

Shape letters: `B` replicas, `N` nodes.
"""

from __future__ import annotations

import itertools
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import agents
from agents.run import run_until
from lora_marl.config import PacketRun
from lora_marl.core.air import Air
from lora_marl.core.presets import norel_network
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic
from lora_marl.core.units import DAY_S, HOUR_S
from scripts.runs.cli import ROOT, read_packet_config
from scripts.runs.packets.experiment import build_scenario

JOURNAL_NODES, JOURNAL_INTERVAL_S = 100, 20.0

_CONFIG = ROOT / "configs" / "default.yaml"
_ACTION_SETS = 16
"""Random actions are drawn beforehand, and used in turn."""

Run = Callable[[float], int]
"""Simulates to a time in seconds, and returns the number of packets that ended since the last call."""


def best_s(call: Callable[[], Any], repeats: int) -> float:
    """CPU time of a call, the best of some repeats after one to warm up. s"""
    call()
    best = np.inf
    for _ in range(repeats):
        start_s = time.process_time()
        call()
        best = min(best, time.process_time() - start_s)
    return float(best)


def best_rate(episode: Callable[[], None], units: int, repeats: int) -> float:
    """Units per CPU second of an episode, the best of some repeats after one to warm up."""
    return units / best_s(episode, repeats)


def journal(nodes: int = JOURNAL_NODES) -> tuple[PacketRun, Scenario]:
    """The configuration of the journal network with so many nodes, and the scenario that it describes."""
    overrides = (f"scenario.topology.nodes={nodes}", f"scenario.traffic.interval_s={_interval_s(nodes)}")
    config = read_packet_config(_CONFIG, overrides, notes=False)
    return config, build_scenario(config.scenario)


def uplink(nodes: int, steps: int, replicas: int = 1, **settings: Any) -> Any:
    """The uplink environment on the journal network, one packet per node and window, with further settings."""
    from lora_marl.envs import uplink_v0

    traffic = replace(Traffic.one_per_window(JOURNAL_INTERVAL_S), duty_cycle=None)
    scenario = replace(journal(nodes)[1], traffic=traffic)
    windows = {"window_s": JOURNAL_INTERVAL_S, "max_cycles": steps}
    return uplink_v0.parallel_env(**{"scenario": scenario, "replicas": replicas, **windows, **settings})


def random_points(scenario: Scenario, replicas: int) -> NDArray[np.int16]:
    """An operating point per node, each factor uniform, the same in every call. `[B, N, 4]`"""
    rng = np.random.default_rng(0)
    factors = [rng.integers(0, size, (replicas, scenario.nodes)) for size in scenario.region.factor_sizes]
    return np.stack(factors, axis=-1).astype(np.int16)


def packets_per_s(
    learner: str | None, *, replicas: int, nodes: int = JOURNAL_NODES, warm_up: float, timed: float, repeats: int
) -> float:
    """Packets per CPU second on the journal network.

    Args:
        learner: A name that decides after every packet through `next_decisions`; None: a fixed random allocation.
        replicas: B.
        nodes: N.
        warm_up, timed: Packets per node before the clock starts, and while it runs.
        repeats: Each on fresh air with fresh seeds; the best counts.
    """
    interval_s = _interval_s(nodes)
    return max(
        _rate(
            _journal_run(nodes, learner, range(repeat * replicas, (repeat + 1) * replicas)),
            warm_up_s=warm_up * interval_s,
            timed_s=timed * interval_s,
        )
        for repeat in range(repeats)
    )


def cost_ratio(learner: str | None, few: int, many: int, *, repeats: int) -> float:
    """CPU time per packet with many nodes over that with few, both in the same stage of learning."""
    rates = {
        nodes: packets_per_s(learner, replicas=1, nodes=nodes, warm_up=10, timed=timed, repeats=count)
        for nodes, timed, count in ((few, 20, 10 * repeats), (many, 20, repeats))
    }
    return rates[few] / rates[many]


def gateway_cost_ratio(gateways: int, nodes: int, side_m: float, negligible_db: float | None, *, repeats: int) -> float:
    """CPU time per packet with many gateways over that with one in the middle, in a square of nodes at random.

    Args:
        gateways: A square number; they stand on a grid.
        nodes: N.
        side_m: Side of the square. m
        negligible_db: As of `Reception`.
        repeats: The best counts.
    """

    def run(number: int) -> Run:
        rows = math.isqrt(number)
        places_m = (np.arange(rows) + 0.5) * side_m / rows
        scenario = journal(nodes)[1]
        scenario = replace(
            scenario,
            node_xy_m=np.random.default_rng(0).uniform(0.0, side_m, (nodes, 2)),
            gateway_xy_m=np.stack(np.meshgrid(places_m, places_m), axis=-1).reshape(-1, 2),
            reception=replace(scenario.reception, negligible_db=negligible_db),
        )
        air, points = Air(scenario, [0]), random_points(scenario, 1)
        return lambda until_s: int(air.advance(points, until_s).sent.sum())

    interval_s = _interval_s(nodes)
    times = {"warm_up_s": 5 * interval_s, "timed_s": 20 * interval_s}
    one, many = (max(_rate(run(number), **times) for _ in range(repeats)) for number in (1, gateways))
    return one / many


def norel_packets_per_s(nodes: int, *, replicas: int, hours: float) -> float:
    """Packets per CPU second on NoReL's network, NoReL learning, after a day: a downlink answers every round."""
    run = _learner_run(norel_network(nodes), "norel", range(replicas))
    return _rate(run, warm_up_s=DAY_S, timed_s=hours * HOUR_S)


def peak_memory_gib(nodes: int) -> float:
    """Peak resident memory of a fresh process in which CUCB decides for so many nodes, one packet each. GiB"""
    code = f"from scripts.speed.cases import report_peak_memory; report_peak_memory({nodes})"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(answer.stdout)


def report_peak_memory(nodes: int) -> None:
    """Writes this process's peak resident memory in GiB to its output, after one packet of every node.

    A child's `ru_maxrss` would count pages of the parent that it was forked from, so Linux's own mark is read.
    """
    _journal_run(nodes, "cucb", [0])(_interval_s(nodes))
    with open("/proc/self/status", encoding="ascii") as file:
        kib = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    sys.stdout.write(str(kib / 2**20))


FIRST = {
    "advance": "Air(journal()[1], [0]).advance(random_points(journal()[1], 1), 1000.0)",
    "run": "_journal_run(JOURNAL_NODES, 'cucb', [0])(1000.0)",
}
"""What is simulated first, by name."""


def first_s(name: str) -> float:
    """CPU time of a fresh process that simulates one of `FIRST` and has no compiled function; imports count. s"""
    code = f"from scripts.speed.cases import *; from scripts.speed.cases import _journal_run; {FIRST[name]}"
    with tempfile.TemporaryDirectory() as cache:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "NUMBA_CACHE_DIR": cache}, check=True,
            capture_output=True,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def array_agent_steps_per_s(*, replicas: int, nodes: int, steps: int, repeats: int) -> float:
    """Agent steps per CPU second of the environment's array path: random actions, one packet per node and window."""
    env = uplink(nodes, steps, replicas)
    actions = _random_actions(env, (replicas, nodes))

    def episode() -> None:
        env.reset_array(range(replicas))
        for step in range(steps):
            env.step_array(actions[step % _ACTION_SETS])

    return best_rate(episode, replicas * nodes * steps, repeats)


def thread_ratios(what: str, *, replicas: int, nodes: int, turns: int) -> float:
    """Wall time of one thread over that of two, the median of pairs in turns; the machine should have nothing to do.

    Args:
        what: `advance`, ten packets a node in one call, or `step_array`, one packet a node in each step.
        replicas, nodes: B, N.
        turns: Pairs of measurements.
    """

    def advance(threads: int) -> Callable[[], Any]:
        scenario, until_s = journal(nodes)[1], itertools.count(1)
        air, points = Air(scenario, range(replicas), threads=threads), random_points(scenario, replicas)
        return lambda: air.advance(points, 10.0 * _interval_s(nodes) * next(until_s))

    def steps(threads: int) -> Callable[[], Any]:
        env = uplink(nodes, 1_000_000, replicas, threads=threads)
        actions, numbers = _random_actions(env, (replicas, nodes)), itertools.count()
        env.reset_array(range(replicas))
        return lambda: [env.step_array(actions[next(numbers) % _ACTION_SETS]) for _ in range(10)]

    calls = [{"advance": advance, "step_array": steps}[what](threads) for threads in (1, 2)]

    def wall_s(call: Callable[[], Any]) -> float:
        start_s = time.perf_counter()
        call()
        return time.perf_counter() - start_s

    for call in calls:
        call()
    return float(np.median([wall_s(calls[0]) / wall_s(calls[1]) for _ in range(turns)]))


def dict_steps_per_s(*, nodes: int, steps: int, repeats: int) -> float:
    """Steps per CPU second of the dict environment with random actions, one packet per node and window."""
    env = uplink(nodes, steps)
    actions = [dict(zip(env.possible_agents, rows, strict=True)) for rows in _random_actions(env, (nodes,))]

    def episode() -> None:
        env.reset(seed=0)
        for step in range(steps):
            env.step(actions[step % _ACTION_SETS])

    return best_rate(episode, steps, repeats)


def _interval_s(nodes: int) -> float:
    return JOURNAL_INTERVAL_S * nodes / JOURNAL_NODES


def _random_actions(env: Any, shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    rng, sizes = np.random.default_rng(0), env.single_action_space.nvec
    return [rng.integers(0, sizes, (*shape, len(sizes))) for _ in range(_ACTION_SETS)]


def _rate(run: Run, *, warm_up_s: float, timed_s: float) -> float:
    """Packets per CPU second of the simulated time after the warm-up."""
    run(warm_up_s)
    start_s = time.process_time()
    packets = run(warm_up_s + timed_s)
    return packets / (time.process_time() - start_s)


def _journal_run(nodes: int, learner: str | None, seeds: Sequence[int]) -> Run:
    """The journal network under a learner, with its parameters where the default configuration states some."""
    config, scenario = journal(nodes)
    if learner is None:
        air, points = Air(scenario, seeds), random_points(scenario, len(seeds))
        return lambda until_s: int(air.advance(points, until_s).sent.sum())
    stated = config.learners.get(learner)
    return _learner_run(scenario, learner, seeds, {} if stated is None else stated.parameters)


def _learner_run(
    scenario: Scenario, name: str, seeds: Sequence[int], parameters: Mapping[str, Any] | None = None
) -> Run:
    learner = agents.make(name, scenario, seeds, **(parameters or {}))
    air, points = Air(scenario, seeds, feedback=learner.feedback), learner.initial_points()
    return lambda until_s: int(run_until(air, learner, points, until_s).sent.sum())
