"""The loop between an air and a learner that decides after every packet."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from agents.learner import Learner
    from lora_marl.core.air import Air
    from lora_marl.core.outcome import Outcome


def play_until(air: Air, learner: Learner, points: NDArray[np.int16], until_s: float) -> Outcome:
    """Plays to a time, writing every choice into `points` `[B, N, 4]`; what came of it since the last call.

    The air must have been made with the learner's feedback.

    Raises:
        ValueError: it was not.
    """
    if air.feedback != learner.feedback:
        raise ValueError(f"{learner.name} needs an air with {learner.feedback}; this one has {air.feedback}")
    while len(decisions := air.next_decisions(points, until_s)):
        if learner.feedback.listens:
            learner.hear(air.take_heard())
        learner.answer(decisions, points)
    return air.take_outcome()


def play(
    air: Air,
    learner: Learner,
    until_s: float,
    every_s: float,
    on_interval: Callable[[float, Outcome], None],
    *,
    points: NDArray[np.int16] | None = None,
) -> NDArray[np.int16]:
    """Plays to a time and hands over the outcome of every interval, with the time at its end.

    Intervals end at multiples of `every_s`, and the last at `until_s`, wherever the air's clock stands; so a run that
    is resumed between two intervals goes on as if it had not stopped.

    Args:
        air: The packet air, all replicas at the same time.
        learner: Made for the same scenario and seeds.
        until_s: s
        every_s: Length of an interval, above 0. s
        on_interval: Called with the time in s and the outcome.
        points: `[B, N, 4]`, the operating points to go on from, written in place; None: the learner's initial ones.

    Returns:
        The operating points at the end `[B, N, 4]`.

    Raises:
        ValueError: `every_s` is not above 0.
    """
    if not every_s > 0:
        raise ValueError(f"every_s = {every_s}: must be above 0")
    points = learner.initial_points() if points is None else points
    interval = math.floor(float(np.min(air.now_s)) / every_s) + 1
    while float(np.min(air.now_s)) < until_s:
        end_s = min(interval * every_s, until_s)
        on_interval(end_s, play_until(air, learner, points, end_s))
        interval += 1
    return points


def play_episodes(
    air: Air,
    learner: Learner,
    episodes: int,
    episode_s: float,
    on_episode: Callable[[int, Outcome], None],
    *,
    points: NDArray[np.int16] | None = None,
) -> NDArray[np.int16]:
    """Plays episodes: at the start of each, packets on air vanish and the clock starts again; the learner goes on.

    Args:
        air, learner, points: See `play`.
        episodes: How many.
        episode_s: Length of one. s
        on_episode: Called with the number of the episode, from 0, and its outcome.

    Returns:
        The operating points at the end `[B, N, 4]`.

    Source: the protocol of D-LoRa's conference paper: episodes of 400 s, then one of 1,200 s that is reported.
    """
    points = learner.initial_points() if points is None else points
    for episode in range(episodes):
        air.begin_episode()
        on_episode(episode, play_until(air, learner, points, episode_s))
    return points
