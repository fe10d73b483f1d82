"""What servers hold of the residuals that they were given.

Shape letters: `B` replicas, `L` learning networks, `H, A` of a last layer.

What servers do with residuals: take them on trial, take them back, stop where it does not pay.

Letters: B replicas, S servers; the rest in `agents.ccs.layout`. Everything is for all servers of all replicas at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from agents.ccs.round import CLIP
from agents.lns.network import LARGEST, Schema
from agents.lns.team import Team
from lora_marl.core import metrics


class Acceptance:
    """Keeps a residual only if the PRR of the intervals after it is not much below that of as many before.

    Args:
        horizon: Intervals of a trial, and before it.
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
        """Residuals have been added to last layers; a trial that is still going on ends without a verdict.

        Args:
            delta: 0 where there is none. `[B, S, H, A]`
        """
        delta = torch.as_tensor(delta)
        given = (delta != 0).any(-1).any(-1).numpy()
        self._trial = (delta, given, self._prr()) if self._counts else None
        self._left = self.horizon
        self._counts.clear()

    def observe(self, attempts: ArrayLike, received: ArrayLike) -> Tensor | None:
        """Counts of an interval `[B, S]`; what to add to the last layers now `[B, S, H, A]`, None: nothing."""
        self._counts.append((np.asarray(attempts, float), np.asarray(received, float)))
        self._left -= 1
        if self._trial is None or self._left > 0:
            return None
        delta, given, before = self._trial
        self._trial = None
        worse = given & (self._prr() < before - self.margin)  # never where one of them is unknown
        self.tried += int(given.sum())
        self.rejected += int(worse.sum())
        return torch.where(torch.from_numpy(worse)[..., None, None], -delta, 0.0) if worse.any() else None

    def state_dict(self) -> dict[str, NDArray]:
        """Returns everything that changes, as plain arrays by name; those of a trial only while there is one."""
        state = {"counters": np.array([self.tried, self.rejected, self._left]), "counts": np.array(list(self._counts))}
        if self._trial is not None:
            delta, given, before = self._trial
            state |= {"trial_delta": delta.numpy().copy(), "trial_given": given, "trial_before": before}
        return state

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        self.tried, self.rejected, self._left = state["counters"].tolist()
        self._counts = deque(((attempts, received) for attempts, received in state["counts"]), maxlen=self.horizon)
        self._trial = None
        if "trial_delta" in state:
            delta = torch.from_numpy(np.array(state["trial_delta"]))
            self._trial = (delta, np.array(state["trial_given"]), np.array(state["trial_before"]))

    def _prr(self) -> NDArray[np.float64]:
        """Over the intervals kept; not a number without attempts `[B, S]`."""
        attempts, received = (sum(each) for each in zip(*self._counts))
        return np.divide(received, attempts, out=np.full(np.shape(attempts), np.nan), where=np.asarray(attempts) > 0)


class FairnessFloor:
    """Freezes coordination for networks that fare worse with it than their own record without it.

    The record is the PRR of the latest intervals without coordination, at most as many as the window: before the first
    residual, or while frozen. A network without a record is never frozen, so begin with some intervals of its own.

    Args:
        shape: B, S.
        loss: Share of the record that may be lost.
        intervals: Of the window, and of a freeze.
    """

    def __init__(self, shape: tuple[int, int], loss: float = 0.05, intervals: int = 20) -> None:
        self.loss, self.intervals = loss, intervals
        self._alone = np.full((intervals, 2, *shape), np.nan)
        self._together = self._alone.copy()
        self._frozen = np.zeros(shape, dtype=np.int64)

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Which networks may take residuals `[B, S]`."""
        return self._frozen == 0

    def observe(self, attempts: ArrayLike, received: ArrayLike, coordinated: ArrayLike) -> None:
        """Counts of an interval, and which networks were under coordination in it, all `[B, S]`."""
        counts = np.stack([np.asarray(attempts, float), np.asarray(received, float)])
        together = np.asarray(coordinated, bool) & self.allowed
        for window, mine in ((self._alone, ~together), (self._together, together)):
            rolled = np.concatenate([window[1:], counts[None]])
            window[:] = np.where(mine, rolled, window)
        self._frozen = np.maximum(self._frozen - 1, 0)
        full = ~np.isnan(self._together[:, 0]).any(0)
        losing = full & (_prr(self._together) < (1.0 - self.loss) * _prr(self._alone))
        self._frozen[losing] = self.intervals
        self._together[:, :, losing] = np.nan

    def state_dict(self) -> dict[str, NDArray]:
        """Returns both windows and the freezes, as plain arrays by name."""
        return {"alone": self._alone.copy(), "together": self._together.copy(), "frozen": self._frozen.copy()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        self._alone, self._together = np.array(state["alone"]), np.array(state["together"])
        self._frozen = np.array(state["frozen"])


def participants(shape: tuple[int, int], share: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """A random `share` of the networks of every replica, at least one `[B, S]`."""
    count = max(1, round(share * shape[1]))
    return generator.random(shape).argsort(-1).argsort(-1) < count


def _prr(window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Received over attempts of the intervals that there are; not a number where there are none."""
    attempts, received = np.nansum(window, axis=0)
    return np.asarray(metrics.pdr(attempts, received))


class ResidualState:
    """Residuals in last layers, apart from what their servers learn.

    Args:
        team: The servers.
        replicas: B.

    Attributes:
        total: What is there of all of them. `[B, L, H, A]`
    """

    def __init__(self, team: Team, replicas: int) -> None:
        self._team = team
        self.total = np.zeros((replicas, team.networks, *Schema().last_layer), np.float32)

    def add(self, delta: NDArray[np.float32]) -> None:
        """Adds residuals to last layers. `[B, L, H, A]`"""
        self.total += delta
        self._team.add(delta)

    def take(self, delta: NDArray[np.float32], clip: float = CLIP) -> NDArray[np.float32]:
        """Adds new residuals, but to networks that would then hold more than their arithmetic bears.

        Args:
            delta: `[B, L, H, A]`
            clip: Largest norm relative to the layer, which the service knows only as it was told.

        Returns:
            What was added. `[B, L, H, A]`
        """
        norm, largest = (np.linalg.norm(each, axis=(-2, -1), keepdims=True) for each in (delta, self._last_layers()))
        share = 1.0 if math.isinf(clip) else np.minimum(1.0, clip * largest / np.maximum(norm, 1e-12))
        own = (delta * share).astype(np.float32)
        held = np.abs(self.total + own).max(axis=(-2, -1), keepdims=True)
        borne = np.where(held < LARGEST / 2, own, np.float32(0.0))
        self.add(borne)
        return borne

    def release(self, networks: NDArray[np.bool_]) -> None:
        """Takes all of it out of the last layers of some networks. `[B, L]`"""
        self.add(np.where(networks[..., None, None], -self.total, np.float32(0.0)))

    def fade(self, share: float) -> None:
        """Takes a share of it out of all last layers, so that what no round renews is gone in time."""
        self.add(np.float32(-share) * self.total)

    def state_dict(self) -> dict[str, NDArray]:
        """Returns the residuals in force; the servers' own states hold them, too."""
        return {"total": self.total.copy()}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned; the servers continue from their own states."""
        self.total = np.array(state["total"])

    def _last_layers(self) -> NDArray[np.float32]:
        """As they act, the bias as last row. `[B, L, H, A]`"""
        found, (rows, columns) = np.empty_like(self.total), self.total.shape[-2:]
        for servers, places in self._team.learners():
            found[:, places] = servers.parameters()[..., -rows * columns :].reshape(*servers.shape[:2], rows, columns)
        return found
