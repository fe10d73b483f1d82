"""What a server does with residuals: hold them, take them on trial, and give back those that do not pay.

Residuals are clipped by `agents.ccs.safeguards.clip_residual`.

Everything is for all servers of all replicas at once. Shape letters: `B` replicas, `L` learning networks; the rest in
`agents.ccs.layout`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from agents.ccs.safeguards import CLIP, clip_residual
from agents.lns.network import LARGEST, Schema, last_layer_of
from agents.lns.team import Team

LARGEST_TOTAL = LARGEST / 2
"""Largest entry of the residuals in force: from `LARGEST` on, sums of residuals would no longer be exact."""


class ResidualState:
    """The residuals in force in last layers, apart from what the servers learn.

    Args:
        team: The servers.
        replicas: B.

    Attributes:
        total: Sum of the residuals in force. float32 `[B, L, H, A]`
    """

    def __init__(self, team: Team, replicas: int) -> None:
        self._team = team
        self.total = np.zeros((replicas, team.networks, *Schema().last_layer), np.float32)

    def add(self, delta: NDArray[np.float32]) -> None:
        """Adds residuals `[B, L, H, A]` to last layers, unclipped; kinds whose residuals are all 0 stay as they are."""
        self.total += delta
        for servers, places in self._team.learners:
            if delta[:, places].any():
                servers.add_to_last_layer(delta[:, places])

    def take(self, delta: NDArray[np.float32], clip: float = CLIP) -> NDArray[np.float32]:
        """Adds the residuals of a round.

        A server clips once more by the norm of its own layer: the service knows only the layer that was reported. A
        residual that would bring an entry of the sum to `LARGEST_TOTAL` is refused.

        Args:
            delta: The residuals. `[B, L, H, A]`
            clip: Largest norm of a residual relative to the layer; infinite: no limit.

        Returns:
            What was added. `[B, L, H, A]`
        """
        clipped = clip_residual(delta, self._last_layers(), clip)
        largest = np.abs(self.total + clipped).max(axis=(-2, -1), keepdims=True)
        added = np.where(largest < LARGEST_TOTAL, clipped, np.float32(0.0))
        self.add(added)
        return added

    def release(self, networks: NDArray[np.bool_]) -> None:
        """Takes all residuals out of the last layers of some networks `[B, L]`."""
        self.add(np.where(networks[..., None, None], -self.total, np.float32(0.0)))

    def fade(self, share: float) -> None:
        """Takes a share of the residuals out of all last layers, so that what no round renews disappears."""
        self.add(np.float32(-share) * self.total)

    def state_dict(self) -> dict[str, NDArray]:
        """Returns the residuals in force, which the servers' own states hold, too."""
        return {"total": self.total.copy()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned; the servers continue from their own states."""
        self.total = np.array(state["total"])

    def _last_layers(self) -> NDArray[np.float32]:
        """The last layers as they act, the bias as last row. `[B, L, H, A]`"""
        layers = np.empty_like(self.total)
        for servers, places in self._team.learners:
            layers[:, places] = last_layer_of(servers.parameters(), servers.schema)
        return layers


class Acceptance:
    """Takes residuals on trial: one stays only if the PRR after it is not much below the PRR before it.

    Args:
        horizon: Intervals of a trial, and of the time before it.
        margin: How much PRR may fall.

    Attributes:
        tried, rejected: Trials that ended, and those of them after which a residual was taken back.
    """

    def __init__(self, horizon: int = 5, margin: float = 0.03) -> None:
        self.horizon, self.margin = horizon, margin
        self.tried, self.rejected = 0, 0
        self._counts: deque[tuple[NDArray, NDArray]] = deque(maxlen=horizon)
        self._trial: tuple[Tensor, NDArray, NDArray] | None = None
        self._left = 0

    def apply(self, delta: ArrayLike | Tensor) -> None:
        """Begins a trial of residuals that were added; a trial that is still running ends without a verdict.

        Args:
            delta: The residuals, 0 where a network got none. `[B, L, H, A]`
        """
        delta = torch.as_tensor(delta)
        on_trial = (delta != 0).any(-1).any(-1).numpy()
        self._trial = (delta, on_trial, self._prr()) if self._counts else None
        self._left = self.horizon
        self._counts.clear()

    def observe(self, attempts: ArrayLike, received: ArrayLike) -> Tensor | None:
        """Counts an interval, and ends the trial when it is over.

        Args:
            attempts, received: Packets of each network in the interval. `[B, L]`

        Returns:
            What has to be added to last layers now to take failed residuals back; None: nothing. `[B, L, H, A]`
        """
        self._counts.append((np.asarray(attempts, float), np.asarray(received, float)))
        self._left -= 1
        if self._trial is None or self._left > 0:
            return None
        delta, on_trial, prr_before = self._trial
        self._trial = None
        failed = on_trial & (self._prr() < prr_before - self.margin)  # false where either PRR is unknown
        self.tried += int(on_trial.sum())
        self.rejected += int(failed.sum())
        return torch.where(torch.from_numpy(failed)[..., None, None], -delta, 0.0) if failed.any() else None

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes, as arrays by name; those of a trial only while there is one."""
        state = {"counters": np.array([self.tried, self.rejected, self._left]), "counts": np.array(list(self._counts))}
        if self._trial is not None:
            delta, on_trial, prr_before = self._trial
            state |= {"trial_delta": delta.numpy().copy(), "on_trial": on_trial, "prr_before": prr_before}
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        self.tried, self.rejected, self._left = state["counters"].tolist()
        self._counts = deque(((attempts, received) for attempts, received in state["counts"]), maxlen=self.horizon)
        self._trial = None
        if "trial_delta" in state:
            delta = torch.from_numpy(np.array(state["trial_delta"]))
            self._trial = (delta, np.array(state["on_trial"]), np.array(state["prr_before"]))

    def _prr(self) -> NDArray[np.float64]:
        """PRR over the intervals that are remembered; nan without attempts. `[B, L]`"""
        attempts, received = (sum(counts) for counts in zip(*self._counts))
        return np.divide(received, attempts, out=np.full(np.shape(attempts), np.nan), where=np.asarray(attempts) > 0)


class FairnessFloor:
    """Suspends coordination for networks that fare worse with it than without it.

    A network is compared with its own record: the PRR of its latest intervals without coordination, at most as many as
    the window. These are the intervals before its first residual, and those of its suspensions. A network without a
    record is never suspended, so every run should begin with some intervals without coordination.

    Args:
        shape: B, L.
        loss: Share of the record that may be lost.
        intervals: Intervals of the window, and of a suspension.
    """

    def __init__(self, shape: tuple[int, int], loss: float = 0.05, intervals: int = 20) -> None:
        self.loss, self.intervals = loss, intervals
        self._independent = np.full((intervals, 2, *shape), np.nan)
        self._coordinated = self._independent.copy()
        self._suspended = np.zeros(shape, dtype=np.int64)

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Which networks may take residuals. `[B, L]`"""
        return self._suspended == 0

    def observe(self, attempts: ArrayLike, received: ArrayLike, coordinated: ArrayLike) -> None:
        """Counts an interval and suspends the networks that lose.

        Args:
            attempts, received: Packets of each network in the interval. `[B, L]`
            coordinated: Which networks had residuals in force. `[B, L]`
        """
        counts = np.stack([np.asarray(attempts, float), np.asarray(received, float)])
        with_residual = np.asarray(coordinated, bool) & self.allowed
        for window, networks in ((self._independent, ~with_residual), (self._coordinated, with_residual)):
            window[:] = np.where(networks, np.concatenate([window[1:], counts[None]]), window)
        self._suspended = np.maximum(self._suspended - 1, 0)
        full = ~np.isnan(self._coordinated[:, 0]).any(0)
        losing = full & (_prr(self._coordinated) < (1.0 - self.loss) * _prr(self._independent))
        self._suspended[losing] = self.intervals
        self._coordinated[:, :, losing] = np.nan

    def state_dict(self) -> dict[str, NDArray]:
        """Returns both windows and the suspensions, as arrays by name."""
        windows = {"independent": self._independent.copy(), "coordinated": self._coordinated.copy()}
        return windows | {"suspended": self._suspended.copy()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        self._independent, self._coordinated = np.array(state["independent"]), np.array(state["coordinated"])
        self._suspended = np.array(state["suspended"])


def participants(shape: tuple[int, int], share: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Draws a `share` of the networks of every replica, at least one. `[B, L]`"""
    count = max(1, round(share * shape[1]))
    return generator.random(shape).argsort(-1).argsort(-1) < count


def _prr(window: NDArray[np.float64]) -> NDArray[np.float64]:
    """PRR over a window of attempts and received packets `[T, 2, B, L]`; nan without attempts. `[B, L]`"""
    attempts, received = np.nansum(window, axis=0)
    return np.divide(received, attempts, out=np.full(attempts.shape, np.nan), where=attempts > 0)
