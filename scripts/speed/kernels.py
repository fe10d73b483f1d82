"""Benchmarks of closed forms and their users: NoReL's and MMALoRa's networks, a game, matching.

CPU time, the best of some repeats after one to warm up. Operating points are random, the same in every call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.planners.baselines import distance_sf
from agents.planners.matching import balanced_channels, match_channels
from lora_marl.core.expect.lognormal import LogNormal
from lora_marl.core.expect.lognormal import Variant as LogNormalVariant
from lora_marl.core.expect.rayleigh import Rayleigh, RayleighIncremental, Variant, kernel
from lora_marl.core.presets import mmalora_network, norel_network
from scripts.speed.cases import best_rate, best_s, random_points

_CALLS = 20
"""Timed together, since the clock is coarser than one call."""

_GATEWAY_XY_M = ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0), (1000.0, 1000.0))


def lognormal_ms(variant: LogNormalVariant, nodes: int, *, gateways: int = 1, repeats: int) -> float:
    """`LogNormal.delivery` of all nodes of NoReL's network. ms"""
    scenario = norel_network(nodes, gateway_xy_m=np.array(_GATEWAY_XY_M[:gateways]), feedback="free")
    model, points = LogNormal(scenario, variant=variant), random_points(scenario, 1)[0]
    return 1e3 * best_s(lambda: model.delivery(points), repeats)


def rayleigh_kernel_us(nodes: int, gateways: int, *, channels: int = 4, repeats: int) -> float:
    """The compiled function of `Rayleigh` alone, with prepared link gains. us"""
    model, points = _rayleigh(nodes, gateways, channels)
    return _best_us(lambda: kernel.delivery(model.tables, points, kernel.EXPECT), repeats)


def rayleigh_us(nodes: int, gateways: int, *, variant: Variant = "expect", channels: int = 4, repeats: int) -> float:
    """`Rayleigh.expect`: delivery, energies, airtimes. us"""
    model, points = _rayleigh(nodes, gateways, channels, variant)
    return _best_us(lambda: model.expect(points), repeats)


def counterfactuals_us(nodes: int, gateways: int, *, repeats: int) -> float:
    """The energy environment's step: what the others achieve without each of the nodes of one channel. us"""
    model, points = _rayleigh(nodes, gateways, 1)
    return _best_us(lambda: model.counterfactuals(points[None]), repeats)


def trial_us(nodes: int, gateways: int, *, channels: int = 4, repeats: int) -> float:
    """One candidate point of a node, where all spreading factors and powers are tried at once. us"""
    model, points = _rayleigh(nodes, gateways, channels)
    sfs, _, _, powers = model.scenario.region.factor_sizes
    candidates = np.zeros((sfs * powers, 4), np.int16)
    candidates[:, 0], candidates[:, 3] = np.divmod(np.arange(len(candidates)), powers)
    incremental = RayleighIncremental(model, points)
    return _best_us(lambda: incremental.try_points(0, candidates), repeats) / len(candidates)


def swap_us(nodes: int, gateways: int, *, channels: int = 4, repeats: int) -> float:
    """Trying one swap of two nodes' channels. us"""
    incremental = RayleighIncremental(*_rayleigh(nodes, gateways, channels))
    return _best_us(lambda: incremental.try_swap(0, 1), repeats)


def matching_s(nodes: int, gateways: int, *, repeats: int) -> float:
    """Literal swap matching from balanced channels, spreading factors by distance. s"""
    model, rng = _rayleigh(nodes, gateways, 4)[0], np.random.default_rng(0)
    points = distance_sf(model, rng, 0.7, balanced_channels(rng, nodes, 4))
    return 1e-6 * _best_us(lambda: match_channels(model, points), repeats)


def agent_steps_per_s(nodes: int, gateways: int, *, replicas: int, repeats: int) -> float:
    """Agent steps per CPU second of the energy environment's array path, the nodes on one channel, random actions."""
    from lora_marl.envs import energy_v0

    scenario = mmalora_network(nodes, gateways, channels=1)
    env: Any = energy_v0.parallel_env(scenario=scenario, replicas=replicas, max_cycles=_CALLS)
    actions = np.random.default_rng(0).integers(env.single_action_space.n, size=(_CALLS, replicas, nodes))

    def episode() -> None:
        env.reset_array(range(replicas))
        for action in actions:
            env.step_array(action)

    return best_rate(episode, actions.size, repeats)


def _rayleigh(
    nodes: int, gateways: int, channels: int, variant: Variant = "expect"
) -> tuple[Rayleigh, NDArray[np.int16]]:
    """The closed form on MMALoRa's network, and operating points `[N, 4]`."""
    scenario = mmalora_network(nodes, gateways, channels=channels)
    return Rayleigh(scenario, variant=variant), random_points(scenario, 1)[0]


def _best_us(call: Callable[[], Any], repeats: int) -> float:
    def calls() -> None:
        for _ in range(_CALLS):
            call()

    return 1e6 * best_s(calls, repeats) / _CALLS
