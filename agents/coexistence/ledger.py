"""What came of the intervals of a run, and the numbers that are read off it.

Shape letters: `T` intervals, `B` replicas, `S` networks, `C` channels, `M` sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import metrics
from lora_marl.envs.coexistence.game import CoexistenceGame

_OF_GROUPS = ("attempts", "received", "acknowledged", "energy_mj", "frames_delivered", "frames_lost", "delay_s")
SUMS = (*_OF_GROUPS, "downlink_airtime_s", "gateway_s", "reward")
"""Per network and interval; `gateway_s`: time of its gateways; `reward` is summed over attempts, and nan of networks
that do not learn."""


def kpis(sums: NDArray[np.float64], axes: tuple[int, ...] = ()) -> dict[str, NDArray[np.float64]]:
    """The KPIs of sums over some axes.

    Args:
        sums: In the order of `SUMS`. `[..., M]`
        axes: Of networks, intervals or both, counted from the front; (): each of them by itself.

    Returns:
        `prr`, `acknowledged` (share of attempts), `epn_mj`, `atp`, `pdr`, `delay_s`; `downlinks`: share of time that
        gateways send; `return`: mean reward of an attempt of those that learn. nan where there was nothing. `[...]`
    """
    each = {name: sums[..., at] for at, name in enumerate(SUMS)}
    learns = np.isfinite(each["reward"])
    each |= {"reward": np.where(learns, each["reward"], 0.0), "rewarded": np.where(learns, each["attempts"], 0.0)}
    of = {name: values.sum(axes) for name, values in each.items()}
    return {
        "prr": metrics.pdr(of["attempts"], of["received"]),
        "acknowledged": metrics.ratio(of["acknowledged"], of["attempts"]),
        "epn_mj": metrics.energy_per_delivered_mj(of["energy_mj"], of["frames_delivered"]),
        "atp": metrics.attempts_per_delivered(of["attempts"], of["frames_delivered"]),
        "pdr": metrics.pdr(of["frames_delivered"] + of["frames_lost"], of["frames_delivered"]),
        "delay_s": metrics.ratio(of["delay_s"], of["frames_delivered"]),
        "downlinks": metrics.ratio(of["downlink_airtime_s"], of["gateway_s"]),
        "return": metrics.ratio(of["reward"], of["rewarded"]),
    }


@dataclass(frozen=True)
class Ledger:
    """One replica.

    Attributes:
        sums: In the order of `SUMS`. `[T, S, M]`
        airtime_s: Of each network on each channel. `[T, S, C]` s
    """

    sums: NDArray[np.float64]
    airtime_s: NDArray[np.float64]

    @property
    def learns(self) -> NDArray[np.bool_]:
        """Which networks do. `[S]`"""
        return np.isfinite(self.sums[..., SUMS.index("reward")].sum(0))

    def by_network(self) -> dict[str, NDArray[np.float64]]:
        """The KPIs of every network; see `kpis`. `[S]` each"""
        return kpis(self.sums, (0,))

    def measures(self, networks: Sequence[int] | None = None, intervals: slice = slice(None)) -> dict[str, float]:
        """The KPIs of some networks (None: all), from sums over networks and intervals.

        Returns:
            What `kpis` gives; `overlap` of channel use, mean over intervals; `switches`: share of intervals in which a
            network's busiest channel changed; `jain` of the networks' PRR.
        """
        every = list(range(self.sums.shape[1]) if networks is None else networks)
        sums, airtime_s = self.sums[intervals][:, every], self.airtime_s[intervals][:, every]
        return {name: float(value) for name, value in kpis(sums, (0, 1)).items()} | {
            "overlap": overlap(airtime_s),
            "switches": switches(airtime_s),
            "jain": float(jain(kpis(sums, (0,))["prr"])),
        }


def jain(prr: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jain's index of the PRR of the networks that sent; not a number where none did. `[..., S]` -> `[...]`"""
    sent = np.isfinite(prr)
    count = np.maximum(sent.sum(-1), 1)
    return np.asarray(metrics.jain_fairness(np.where(sent, prr, 0.0))) * prr.shape[-1] / count


def overlap(airtime_s: NDArray[np.float64]) -> float:
    """Mean over intervals of how far networks used the same channels; nan for one network. `[T, S, C]`"""
    cosines = metrics.channel_overlap(airtime_s)
    return float(np.nanmean(cosines)) if np.isfinite(cosines).any() else float("nan")


def switches(airtime_s: NDArray[np.float64]) -> float:
    """Share of intervals in which a network's busiest channel is another one than before. `[T, S, C]`"""
    busiest = airtime_s.argmax(axis=-1)
    return float((busiest[1:] != busiest[:-1]).mean()) if len(busiest) > 1 else float("nan")


class Book:
    """Writes the ledgers of all replicas of a game, interval by interval."""

    def __init__(self) -> None:
        self._sums: list[NDArray[np.float64]] = []
        self._airtime_s: list[NDArray[np.float64]] = []

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, game: CoexistenceGame, rewards: NDArray[np.float64]) -> None:
        """Take in the last interval; `rewards [B, L, Q]` of the groups of learning networks."""
        totals = game.totals
        sums = [getattr(totals, name).sum(-1) for name in _OF_GROUPS]
        gateway_s = game.settings.interval_s * np.bincount(game.coexistence.gateway_network)
        reward = np.full_like(sums[0], np.nan)
        reward[:, game.learning] = (rewards * totals.attempts[:, game.learning]).sum(-1)
        own = (totals.downlink_airtime_s, np.broadcast_to(gateway_s, reward.shape), reward)
        self._sums.append(np.stack([*sums, *own], axis=-1))
        self._airtime_s.append(totals.channel_airtime_s.copy())

    def last(self, intervals: int) -> Mapping[str, NDArray[np.float64]]:
        """Sums over the last intervals, by name. `[B, S]` each"""
        summed = np.sum(self._sums[-intervals:], axis=0)
        return {name: summed[..., at] for at, name in enumerate(SUMS)}

    def latest(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums `[B, S, M]` and airtimes `[B, S, C]`, in s, of the last interval."""
        return self._sums[-1], self._airtime_s[-1]

    def ledgers(self) -> list[Ledger]:
        """One for each replica."""
        sums, airtime_s = np.stack(self._sums, axis=1), np.stack(self._airtime_s, axis=1)
        return [Ledger(*each) for each in zip(sums, airtime_s, strict=True)]
