"""What the benchmark measures of NoReL: packets with its downlinks on the air, and closed forms."""

from __future__ import annotations

import time

import numpy as np

import agents
from agents.play import play_until
from lora_marl.core.air import Air
from lora_marl.core.expect.lognormal import LogNormal, Variant
from lora_marl.core.presets import norel_network
from scripts.speed import random_points

_GATEWAY_XY_M = ((0.0, 0.0), (1000.0, 0.0), (0.0, 1000.0), (1000.0, 1000.0))


def packets_per_s(nodes: int, *, replicas: int, hours: float) -> float:
    """Packets per CPU second with NoReL, learning on, after a day: every round is answered by a downlink."""
    scenario, seeds = norel_network(nodes), list(range(replicas))
    learner = agents.make("norel", scenario, seeds)
    air, points = Air(scenario, seeds, feedback=learner.feedback), learner.initial_points()
    play_until(air, learner, points, 86400.0)
    begun_s = time.process_time()
    packets = play_until(air, learner, points, 86400.0 + 3600.0 * hours).sent.sum()
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
