"""Runs of a learner on an air: the learner chooses operating points, the air simulates packets, the learner sees fates.

Shape letters: `B` replicas, `N` nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.region import CHANNEL, HOP

if TYPE_CHECKING:
    from agents.learner import Learner
    from lora_marl.core.air import Air
    from lora_marl.core.outcome import Outcome


def run_until(air: Air, learner: Learner, points: NDArray[np.int16], until_s: float) -> Outcome:
    """Simulate to a time, with the learner deciding whenever decisions are due.

    Args:
        air: The packet air, made with the learner's feedback.
        learner: Made for the same scenario and seeds.
        points: Operating points in force; the learner's choices are written into them. `[B, N, 4]`
        until_s: Where the clock stops. s

    Returns:
        What became of the packets since the last call.

    Raises:
        ValueError: the air was made with other feedback.
    """
    if air.feedback != learner.feedback:
        raise ValueError(f"{learner.name} needs an air with {learner.feedback}; this one has {air.feedback}")
    while len(decisions := air.next_decisions(points, until_s, learner.nb_trans, learner.channel_masks)):
        if learner.feedback.listens:
            learner.hear(air.take_heard())
        learner.answer(decisions, points)
    return air.take_outcome()


def run_intervals(
    air: Air,
    learner: Learner,
    until_s: float,
    every_s: float,
    on_interval: Callable[[float, Outcome], None],
    *,
    points: NDArray[np.int16] | None = None,
) -> NDArray[np.int16]:
    """Simulate to a time and report the outcome of every interval.

    Intervals end at multiples of `every_s`, and the last one at `until_s`, wherever the air's clock stands at first. A
    run that is resumed between two intervals therefore goes on as if it had not stopped.

    Args:
        air: The packet air, all replicas at the same time.
        learner: Made for the same scenario and seeds.
        until_s: Where the run ends. s
        every_s: Length of an interval, above 0. s
        on_interval: Called with the time at the end of an interval, in s, and its outcome.
        points: Operating points to start from, written in place; None: the learner's initial ones. `[B, N, 4]`

    Returns:
        The operating points at the end. `[B, N, 4]`

    Raises:
        ValueError: `every_s` is not above 0.
    """
    if not every_s > 0:
        raise ValueError(f"every_s = {every_s}: must be above 0")
    points = learner.initial_points() if points is None else points
    interval = math.floor(float(np.min(air.now_s)) / every_s) + 1
    while float(np.min(air.now_s)) < until_s:
        end_s = min(interval * every_s, until_s)
        on_interval(end_s, run_until(air, learner, points, end_s))
        interval += 1
    return points


def run_episodes(
    air: Air,
    learner: Learner,
    episodes: int,
    episode_s: float,
    on_episode: Callable[[int, Outcome], None],
    *,
    points: NDArray[np.int16] | None = None,
) -> NDArray[np.int16]:
    """Simulate episodes. Each starts with an empty air and the clock at 0; the learner keeps what it has learned.

    Args:
        air, learner, points: As in `run_intervals`.
        episodes: How many.
        episode_s: Length of one. s
        on_episode: Called with the number of the episode, from 0, and its outcome.

    Returns:
        The operating points at the end. `[B, N, 4]`

    Source: the protocol of D-LoRa's conference paper: episodes of 400 s, then one of 1,200 s that is reported.
    """
    points = learner.initial_points() if points is None else points
    for episode in range(episodes):
        air.begin_episode()
        on_episode(episode, run_until(air, learner, points, episode_s))
    return points


def single_node_choices(air: Air, learner: Learner, packets: int) -> NDArray[np.int16]:
    """Let a learner choose for every packet of a network of one node.

    Args:
        air: The packet air of one node, which asks before every packet, also where a learner needs fewer decisions.
        learner: Made for the same scenario and seeds.
        packets: How many of each replica.

    Returns:
        The operating points chosen, as indices into the flattened `[S, W, C, T]` of the region. `[packets, B]`

    Raises:
        ValueError: the learner leaves the channel to the node.
    """
    sizes = learner.region.factor_sizes
    strides = np.array([math.prod(sizes[factor + 1 :]) for factor in range(len(sizes))])
    points = learner.initial_points()
    chosen = np.empty((packets, len(points)), np.int16)
    for packet in range(packets):
        # Every replica has one node, which decides before each of its packets: all replicas are due at once.
        learner.decide(air.next_decisions(points, math.inf), points)
        if (points[..., CHANNEL] == HOP).any():
            raise ValueError(f"{learner.name}: its channel is hop; choices of a single node name their channel")
        chosen[packet] = points[:, 0] @ strides
    return chosen
