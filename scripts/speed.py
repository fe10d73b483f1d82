"""What the benchmark times. CPU seconds of one core, compilation and warm-up left out, the best of some repeats."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import agents
from agents.play import play_until
from lora_marl.config import TrainConfig
from lora_marl.core.air import Air
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic
from scripts.cli import ROOT, read_config
from scripts.experiment import built

JOURNAL_NODES, JOURNAL_INTERVAL_S = 100, 20.0
_CONFIG = ROOT / "configs" / "default.yaml"


def journal(nodes: int = JOURNAL_NODES) -> tuple[TrainConfig, Scenario]:
    """The journal network under default physics, its load spread over more nodes: equal offered Erlang per channel."""
    interval_s = JOURNAL_INTERVAL_S * nodes / JOURNAL_NODES
    changed = (f"scenario.topology.nodes={nodes}", f"scenario.traffic.interval_s={interval_s}")
    config = read_config(_CONFIG, changed, notes=False)
    return config, built(config.scenario)


def packets_per_s(
    learner: str | None, *, replicas: int, nodes: int = JOURNAL_NODES, warm_up: float, timed: float, repeats: int
) -> float:
    """Packets per CPU second.

    Args:
        learner: A name that decides after every packet through `next_decisions`; None: a fixed random allocation.
        replicas: B.
        nodes: N.
        warm_up, timed: Packets per node before the clock starts, and while it runs.
        repeats: Each on fresh air with fresh seeds; the best counts.
    """
    config, scenario = journal(nodes)
    interval_s = JOURNAL_INTERVAL_S * nodes / JOURNAL_NODES
    best = 0.0
    for repeat in range(repeats):
        seeds = range(repeat * replicas, (repeat + 1) * replicas)
        run = _player(config, scenario, learner, list(seeds))
        run(warm_up * interval_s)
        begun_s = time.process_time()
        packets = run((warm_up + timed) * interval_s)
        best = max(best, packets / (time.process_time() - begun_s))
    return best


def _player(config: TrainConfig, scenario: Scenario, learner: str | None, seeds: list[int]) -> Callable[[float], int]:
    """A function that plays to a time and returns the number of packets that ended."""
    if learner is None:
        air = Air(scenario, seeds)
        points = random_points(scenario, len(seeds))
        return lambda until_s: int(air.advance(points, until_s).sent.sum())
    stated = config.learners.get(learner)
    decider = agents.make(learner, scenario, seeds, **({} if stated is None else stated.parameters))
    air, chosen = Air(scenario, seeds, feedback=decider.feedback), decider.initial_points()
    return lambda until_s: int(play_until(air, decider, chosen, until_s).sent.sum())


def random_points(scenario: Scenario, replicas: int) -> NDArray[np.int16]:
    """A point per node, each factor uniform, the same in every call `[B, N, 4]`."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, size, (replicas, scenario.nodes)) for size in scenario.region.factor_sizes]
    return np.stack(drawn, axis=-1).astype(np.int16)


def cost_ratio(learner: str | None, few: int, many: int, *, repeats: int) -> float:
    """CPU time per packet with many nodes over that with few, both in the same stage of learning."""
    rates = {
        nodes: packets_per_s(learner, replicas=1, nodes=nodes, warm_up=10, timed=timed, repeats=count)
        for nodes, timed, count in ((few, 20, 10 * repeats), (many, 20, repeats))
    }
    return rates[few] / rates[many]


def peak_memory_gib(nodes: int) -> float:
    """Peak resident memory of a fresh process that plays CUCB on so many nodes, one packet each. GiB"""
    code = f"from scripts.speed import play_and_weigh; play_and_weigh({nodes})"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(answer.stdout)


def play_and_weigh(nodes: int) -> None:
    """Writes this process's peak resident memory in GiB to its output.

    A child's `ru_maxrss` would count pages of the parent that it was forked from, so Linux's own mark is read.
    """
    config, scenario = journal(nodes)
    _player(config, scenario, "cucb", [0])(JOURNAL_INTERVAL_S * nodes / JOURNAL_NODES)
    with open("/proc/self/status", encoding="ascii") as file:
        kib = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    sys.stdout.write(str(kib / 2**20))


def array_agent_steps_per_s(*, replicas: int, nodes: int, steps: int, repeats: int) -> float:
    """Agent steps per CPU second of the environment's array path: random actions, one packet per node and window."""
    env = uplink(nodes, steps, replicas)
    rng = np.random.default_rng(0)
    sizes = env.single_action_space.nvec
    drawn = [rng.integers(0, sizes, (replicas, nodes, len(sizes))) for _ in range(16)]

    def episode() -> None:
        env.reset_array(range(replicas))
        for step in range(steps):
            env.step_array(drawn[step % len(drawn)])

    return best_rate(episode, replicas * nodes * steps, repeats)


def dict_steps_per_s(*, nodes: int, steps: int, repeats: int) -> float:
    """Steps per CPU second of the dict environment with random actions, one packet per node and window."""
    env = uplink(nodes, steps)
    rng = np.random.default_rng(0)
    sizes = env.single_action_space.nvec
    drawn = [dict(zip(env.possible_agents, rng.integers(0, sizes, (nodes, len(sizes))))) for _ in range(16)]

    def episode() -> None:
        env.reset(seed=0)
        for step in range(steps):
            env.step(drawn[step % len(drawn)])

    return best_rate(episode, steps, repeats)


def uplink(nodes: int, steps: int, replicas: int = 1, **more: Any) -> Any:
    """The uplink environment on the journal network, one packet per node and window; `more` are its settings."""
    from lora_marl.envs import uplink_v0

    traffic = Traffic.one_per_window(JOURNAL_INTERVAL_S)
    scenario = replace(journal(nodes)[1], traffic=traffic)
    settings = {"scenario": scenario, "replicas": replicas, "window_s": JOURNAL_INTERVAL_S, "max_cycles": steps, **more}
    return uplink_v0.parallel_env(**settings)


def best_rate(episode: Callable[[], None], units: int, repeats: int) -> float:
    """Units per CPU second of an episode, the best of some repeats after one to warm up."""
    episode()
    best = 0.0
    for _ in range(repeats):
        begun_s = time.process_time()
        episode()
        best = max(best, units / (time.process_time() - begun_s))
    return best
