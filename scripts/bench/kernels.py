"""What the benchmark measures of MMALoRa's closed form and the game on it: CPU time, the best of some repeats."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from agents.planners.baselines import distance_sf
from agents.planners.matching import balanced, matched
from lora_marl.core.expect.rayleigh import Incremental, Rayleigh, Variant, kernel
from lora_marl.core.presets import mmalora_network
from scripts.bench.cases import best_rate, random_points

_CALLS = 20
"""Timed together, since the clock is coarser than one call."""


def kernel_us(nodes: int, gateways: int, *, channels: int = 4, repeats: int) -> float:
    """The compiled function alone, with prepared link gains, random points. us"""
    model, points = _built(nodes, gateways, channels)
    return _best_us(lambda: kernel.delivery(model.tables, points, kernel.EXPECT), repeats)


def call_us(nodes: int, gateways: int, *, variant: Variant = "expect", channels: int = 4, repeats: int) -> float:
    """`Rayleigh.expect`: delivery, energies, airtimes. us"""
    model, points = _built(nodes, gateways, channels, variant)
    return _best_us(lambda: model.expect(points), repeats)


def counterfactuals_us(nodes: int, gateways: int, *, repeats: int) -> float:
    """What the others have without each of the nodes of one channel: an environment's step. us"""
    model, points = _built(nodes, gateways, 1)
    return _best_us(lambda: model.counterfactuals(points[None]), repeats)


def agent_steps_per_s(nodes: int, gateways: int, *, replicas: int, repeats: int) -> float:
    """Agent steps per CPU second of the energy environment's array path, the nodes on one channel, random actions."""
    from lora_marl.envs import energy_v0

    scenario = mmalora_network(nodes, gateways, channels=1)
    env: Any = energy_v0.parallel_env(scenario=scenario, replicas=replicas, max_cycles=_CALLS)
    actions = np.random.default_rng(0).integers(env.single_action_space.n, size=(_CALLS, replicas, nodes))

    def episode() -> None:
        env.reset_array(range(replicas))
        for chosen in actions:
            env.step_array(chosen)

    return best_rate(episode, actions.size, repeats)


def trial_us(nodes: int, gateways: int, *, channels: int = 4, repeats: int) -> float:
    """One candidate point of a node, all spreading factors and powers tried at once. us"""
    model, points = _built(nodes, gateways, channels)
    kept, (sfs, _, _, levels) = Incremental(model, points), model.scenario.region.factor_sizes
    candidates = np.zeros((sfs * levels, 4), np.int16)
    candidates[:, 0], candidates[:, 3] = np.divmod(np.arange(len(candidates)), levels)
    return _best_us(lambda: kept.try_points(0, candidates), repeats) / len(candidates)


def swap_us(nodes: int, gateways: int, *, channels: int = 4, repeats: int) -> float:
    """Trying one swap of channels. us"""
    model, points = _built(nodes, gateways, channels)
    kept = Incremental(model, points)
    return _best_us(lambda: kept.try_swap(0, 1), repeats)


def matching_s(nodes: int, gateways: int, *, repeats: int) -> float:
    """Literal swap matching from balanced channels, spreading factors by distance. s"""
    model, rng = _built(nodes, gateways, 4)[0], np.random.default_rng(0)
    begun = distance_sf(model, rng, 0.7, balanced(rng, nodes, 4))
    return 1e-6 * _best_us(lambda: matched(model, begun), repeats)


def _built(nodes: int, gateways: int, channels: int, variant: Variant = "expect") -> tuple[Rayleigh, Any]:
    scenario = mmalora_network(nodes, gateways, channels=channels)
    return Rayleigh(scenario, variant=variant), random_points(scenario, 1)[0]


def _best_us(call: Callable[[], Any], repeats: int) -> float:
    call()
    best_s = np.inf
    for _ in range(repeats):
        begun_s = time.process_time()
        for _ in range(_CALLS):
            call()
        best_s = min(best_s, (time.process_time() - begun_s) / _CALLS)
    return 1e6 * best_s
