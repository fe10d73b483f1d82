"""What the benchmark measures of the coordination service: rounds, and the bytes of a report's snapshot.

What the benchmark times. CPU seconds of one core, compilation and warm-up left out, the best of some repeats.

What the benchmark measures of NoReL: packets with its downlinks on the air, and closed forms.

What the benchmark measures of MAAC: an update of all agents at once, beside the same agent by agent.
"""

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
from agents.ccs.model import Coordinator
from agents.ccs.protocol import Report, packed
from agents.ccs.service import Service
from agents.lns.network import Schema
from agents.run import run_until
from agents.torch_utils import threads
from lora_marl.config import TrainConfig
from lora_marl.core.air import Air
from lora_marl.core.expect.lognormal.closed_form import LogNormal, Variant
from lora_marl.core.presets import norel_network
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic
from scripts.runs.cli import ROOT, read_config
from scripts.runs.packets import built

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
    return lambda until_s: int(run_until(air, decider, chosen, until_s).sent.sum())


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
    code = f"from scripts.bench.cases import play_and_weigh; play_and_weigh({nodes})"
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


_GATEWAY_XY_M = ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0), (1000.0, 1000.0))


def norel_packets_per_s(nodes: int, *, replicas: int, hours: float) -> float:
    """Packets per CPU second with NoReL, learning on, after a day: every round is answered by a downlink."""
    scenario, seeds = norel_network(nodes), list(range(replicas))
    learner = agents.make("norel", scenario, seeds)
    air, points = Air(scenario, seeds, feedback=learner.feedback), learner.initial_points()
    run_until(air, learner, points, 86400.0)
    begun_s = time.process_time()
    packets = run_until(air, learner, points, 86400.0 + 3600.0 * hours).sent.sum()
    return float(packets / (time.process_time() - begun_s))


def closed_form_ms(variant: Variant, nodes: int, *, gateways: int = 1, repeats: int) -> float:
    """CPU time of the delivery of all nodes, random spreading factors and powers. ms"""
    scenario = norel_network(nodes, gateway_xy_m=np.array(_GATEWAY_XY_M[:gateways]), feedback="free")
    model, points = LogNormal(scenario, variant=variant), random_points(scenario, 1)[0]
    model.delivery(points)
    best_s = np.inf
    for _ in range(repeats):
        begun_s = time.process_time()
        model.delivery(points)
        best_s = min(best_s, time.process_time() - begun_s)
    return 1e3 * best_s


def update_s(*, groups: int, agents: int, repeats: int, **hyperparameters: Any) -> float:
    """CPU time of one update of critics, actors and targets, 42 arms, two features, one thread. s"""
    return _best_s(_stages(groups, agents, **hyperparameters)[0], repeats)


def speed_up(agents: int, *, repeats: int, **hyperparameters: Any) -> float:
    """CPU time of the plain loop over that of all agents at once, one group, the same networks and batch."""
    together, plain = _stages(1, agents, **hyperparameters)
    return _best_s(plain, repeats) / _best_s(together, repeats)


def _stages(groups: int, agents: int, **hyperparameters: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """One update of all agents at once, and one of the first group agent by agent, on the same made-up steps."""
    from agents.maac import MAAC  # torch loads only where it is timed
    from agents.maac.reference import PlainLoop

    learner = MAAC(2, 42, np.ones((groups, agents)), seeds=range(groups), device="cpu", **hyperparameters)
    rng, batch = np.random.default_rng(0), learner.hyper.batch
    seen, rewards = rng.random((2, batch, groups, agents, 2)), rng.random((batch, groups, agents))
    learner.observe(seen[0], learner.act(seen[0]), rewards, seen[1])
    steps = learner.replay.sample(learner.groups.rows(0, batch, batch))
    training, loop = learner.training, PlainLoop(learner.training)
    return learner.update, lambda: loop.update(steps, lambda stream: training.uniform(stream, 0, batch))


def _best_s(update: Callable[[], Any], repeats: int) -> float:
    from agents.torch_utils import threads

    best_s = np.inf
    with threads(1):
        update()
        for _ in range(repeats):
            begun_s = time.process_time()
            update()
            best_s = min(best_s, time.process_time() - begun_s)
    return float(best_s)


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
    """Size of a server's parameters by encoding; see `agents.ccs.protocol.packed`."""
    return float(sum(array.nbytes for array in packed(_parameters(np.random.default_rng(0)), encoding, share).values()))


def _report(rng: np.random.Generator, network: int, number: int) -> Report:
    schema = Schema(kind="pg" if network % 2 else "dqn")
    return Report(str(network), number, number * _EVERY_S, schema, _parameters(rng), KPIS)


def _parameters(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.normal(0.0, 0.1, Schema().size).astype(np.float32)
