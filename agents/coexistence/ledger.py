"""Totals of the intervals of an episode, network by network, and the KPIs computed from them.

Shape letters: `T` intervals, `B` replicas, `S` networks, `L` those that learn, `C` channels, `M` sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import metrics
from lora_marl.core.coexistence import Episode

GROUP_SUMS = ("attempts", "received", "acknowledged", "energy_mj", "frames_delivered", "frames_lost", "delay_s")
"""Sums that an environment gives by group of nodes. `[B, S, Q]` each"""

SUMS = (*GROUP_SUMS, "downlink_airtime_s", "gateway_s", "reward")
"""Sums that are kept of every network and interval. `gateway_s` is the time that its gateways were there; `reward` is
summed over attempts, and nan for networks that do not learn."""

NETWORK_COLUMNS = ("prr", "epn_mj", "atp", "pdr", "delay_s", "return")
"""KPIs that rows hold of every single network."""


class Totals(Protocol):
    """The totals of an interval that a ledger reads, by the names of `lora_marl.envs.coexistence.totals`.

    Those of `GROUP_SUMS` are `[B, S, Q]`, `downlink_airtime_s` `[B, S]` and `channel_airtime_s` `[B, S, C]`.
    """

    attempts: NDArray[np.float64]
    downlink_airtime_s: NDArray[np.float64]
    channel_airtime_s: NDArray[np.float64]


def kpis(sums: NDArray[np.float64], axes: tuple[int, ...] = ()) -> dict[str, NDArray[np.float64]]:
    """Returns the KPIs of sums over some axes; nan where there was nothing.

    Args:
        sums: In the order of `SUMS`. `[..., M]`
        axes: Axes of networks, intervals or both to sum over, counted from the front; (): none.

    Returns:
        `prr`, `acknowledged` (share of attempts), `epn_mj` (energy per delivered frame), `atp` (attempts per delivered
        frame), `pdr`, `delay_s` (mean of delivered frames), `downlinks` (share of time that gateways send) and `return`
        (mean reward of an attempt of the networks that learn). `[...]` each

    Source: PRR, EPN and ATP are the KPIs of the CCS paper.
    """
    by_name = {name: sums[..., number] for number, name in enumerate(SUMS)}
    learns = np.isfinite(by_name["reward"])
    by_name["reward"] = np.where(learns, by_name["reward"], 0.0)
    by_name["rewarded"] = np.where(learns, by_name["attempts"], 0.0)
    total = {name: values.sum(axes) for name, values in by_name.items()}
    return {
        "prr": metrics.pdr(total["attempts"], total["received"]),
        "acknowledged": metrics.ratio(total["acknowledged"], total["attempts"]),
        "epn_mj": metrics.energy_per_delivered_mj(total["energy_mj"], total["frames_delivered"]),
        "atp": metrics.attempts_per_delivered(total["attempts"], total["frames_delivered"]),
        "pdr": metrics.pdr(total["frames_delivered"] + total["frames_lost"], total["frames_delivered"]),
        "delay_s": metrics.ratio(total["delay_s"], total["frames_delivered"]),
        "downlinks": metrics.ratio(total["downlink_airtime_s"], total["gateway_s"]),
        "return": metrics.ratio(total["reward"], total["rewarded"]),
    }


@dataclass(frozen=True)
class Ledger:
    """One replica's episode: sums and airtimes by interval and network.

    Attributes:
        sums: By interval and network, in the order of `SUMS`. `[T, S, M]`
        airtime_s: Airtime of each network on each channel. `[T, S, C]` s
    """

    sums: NDArray[np.float64]
    airtime_s: NDArray[np.float64]

    @property
    def learns(self) -> NDArray[np.bool_]:
        """Which networks learn. `[S]`"""
        return np.isfinite(self.sums[..., SUMS.index("reward")].sum(0))

    def by_network(self) -> dict[str, NDArray[np.float64]]:
        """Returns the KPIs of every network over the episode; see `kpis`. `[S]` each"""
        return kpis(self.sums, (0,))

    def measures(self, networks: Sequence[int] | None = None, intervals: slice = slice(None)) -> dict[str, float]:
        """Returns the KPIs of some networks (None: all), from sums over networks and intervals.

        Returns:
            The KPIs of `kpis`; `overlap` of channel use, mean over intervals; `switches`: share of intervals in which a
            network's busiest channel changed; `jain`: Jain's index of the networks' PRR.
        """
        numbers = list(range(self.sums.shape[1]) if networks is None else networks)
        sums, airtime_s = self.sums[intervals][:, numbers], self.airtime_s[intervals][:, numbers]
        return {name: float(value) for name, value in kpis(sums, (0, 1)).items()} | {
            "overlap": overlap(airtime_s),
            "switches": switches(airtime_s),
            "jain": float(jain(kpis(sums, (0,))["prr"])),
        }


def jain(prr: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns Jain's index of the PRR of the networks that sent, 1 for equal ones; nan where none sent.

    Args:
        prr: By network, nan for one that sent nothing. `[..., S]`

    Returns:
        `[...]`
    """
    sent = np.isfinite(prr)
    count = np.maximum(sent.sum(-1), 1)
    return np.asarray(metrics.jain_fairness(np.where(sent, prr, 0.0))) * prr.shape[-1] / count


def overlap(airtime_s: NDArray[np.float64]) -> float:
    """Returns how far networks used the same channels, from 0 to 1, mean over intervals; nan for one network.

    Args:
        airtime_s: By interval, network and channel. `[T, S, C]` s
    """
    cosines = metrics.channel_overlap(airtime_s)
    return float(np.nanmean(cosines)) if np.isfinite(cosines).any() else float("nan")


def switches(airtime_s: NDArray[np.float64]) -> float:
    """Returns the share of intervals in which a network's busiest channel differs from that of the interval before.

    Args:
        airtime_s: By interval, network and channel. `[T, S, C]` s
    """
    busiest = airtime_s.argmax(axis=-1)
    return float((busiest[1:] != busiest[:-1]).mean()) if len(busiest) > 1 else float("nan")


class Ledgers:
    """The ledgers of all replicas of an episode, written interval by interval.

    Args:
        episode: The episode.
    """

    def __init__(self, episode: Episode) -> None:
        self._learning = episode.learning
        self._gateway_s = episode.interval_s * episode.gateways
        self._sums: list[NDArray[np.float64]] = []
        self._airtime_s: list[NDArray[np.float64]] = []

    def __len__(self) -> int:
        return len(self._sums)

    def append(self, totals: Totals, rewards: NDArray[np.float64]) -> None:
        """Adds an interval.

        Args:
            totals: What came of it.
            rewards: Rewards of the groups of learning networks. `[B, L, Q]`
        """
        sums = [getattr(totals, name).sum(-1) for name in GROUP_SUMS]
        reward = np.full_like(sums[0], np.nan)
        reward[:, self._learning] = (rewards * totals.attempts[:, self._learning]).sum(-1)
        gateway_s = np.broadcast_to(self._gateway_s, reward.shape)
        self._sums.append(np.stack([*sums, totals.downlink_airtime_s, gateway_s, reward], axis=-1))
        self._airtime_s.append(totals.channel_airtime_s.copy())

    def last(self, intervals: int) -> Mapping[str, NDArray[np.float64]]:
        """Returns the sums over the last intervals, by name. `[B, S]` each"""
        summed = np.sum(self._sums[-intervals:], axis=0)
        return {name: summed[..., number] for number, name in enumerate(SUMS)}

    def rows(self) -> list[dict[str, float]]:
        """Returns the KPIs of the last interval, a row for every replica.

        Columns: `interval` from 1, the KPIs of all networks together, `overlap`, `jain`, and `<kpi>_<s>` of network s.
        """
        sums, airtime_s = self._sums[-1], self._airtime_s[-1]
        networks = kpis(sums)
        columns = {**kpis(sums, (1,)), "overlap": metrics.channel_overlap(airtime_s), "jain": jain(networks["prr"])}
        columns |= {f"{name}_{s}": networks[name][:, s] for s in range(sums.shape[1]) for name in NETWORK_COLUMNS}
        values = np.stack(list(columns.values()), axis=-1).tolist()
        return [{"interval": float(len(self)), **dict(zip(columns, row, strict=True))} for row in values]

    def by_replica(self) -> list[Ledger]:
        """Returns one ledger for each replica."""
        sums, airtime_s = np.stack(self._sums, axis=1), np.stack(self._airtime_s, axis=1)
        return [Ledger(*arrays) for arrays in zip(sums, airtime_s, strict=True)]

    def state_dict(self) -> dict[str, NDArray]:
        """Returns all sums `[T, B, S, M]` and airtimes `[T, B, S, C]` so far."""
        return {"sums": np.array(self._sums), "airtime_s": np.array(self._airtime_s)}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned."""
        self._sums, self._airtime_s = list(np.array(state["sums"])), list(np.array(state["airtime_s"]))
