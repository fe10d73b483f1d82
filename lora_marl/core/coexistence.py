"""Networks that share the air: who deploys what where, drawn into a scenario for every episode.

Shape letters: `B` replicas, `N` nodes of all networks, network by network, `G` gateways likewise, `S` networks, `C`
channels, `L` networks that learn, `Q` groups of nodes of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.checks import check_above_0, check_choice, check_count, check_range, check_record
from lora_marl.core.interference import Interference
from lora_marl.core.propagation import path_loss_db
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.topology import distances_m, uniform_disc

Rule = Literal["learns", "uniform", "adr"]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One network.

    Attributes:
        nodes: At least one for each group.
        load: Its nodes send this many times as often as the radio's traffic says.
        rule: `learns`: a server chooses for it. Networks that do not learn: `uniform`, every attempt on any channel, or
            `adr`, any of the default channels, by adaptive data rate.
        gateways: Number of its gateways, side by side on its sector of the circle.
        silent_s: Periods, from and until, in which its nodes send nothing. s
    """

    nodes: int = 100
    load: float = 1.0
    rule: Rule = "learns"
    gateways: int = 1
    silent_s: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        check_record(self, "deployment")
        for name in ("nodes", "gateways"):
            check_count(f"deployment.{name}", getattr(self, name))
        check_above_0("deployment.load", self.load)
        check_choice("deployment.rule", self.rule, get_args(Rule))
        for period in self.silent_s:
            if len(period) != 2 or not 0.0 <= period[0] < period[1]:
                raise ValueError(
                    f"deployment.silent_s: {period} is no period from a time of at least 0 s until a later one"
                )


@dataclass(frozen=True, kw_only=True)
class Coexistence:
    """Networks that share a place and its channels, and what disturbs all of them.

    Attributes:
        name: For tables and run folders.
        deployments: The networks. `[S]`
        radio: What all have in common: a scenario whose nodes, gateways and interference are replaced.
        radius_m: Nodes are spread evenly over a disc. m
        circle_m: Gateways stand on a circle around its centre. m
        offset_m: Added to every distance before the path loss is taken. m
        occupancy: Share of time of external interference, in any order; every replica permutes it over the channels.
            `[C]`
        moves_s: It is permuted anew after each such time; None: never. s
        load_range: Every replica draws a factor on all loads, log-uniform.
        burst_s, burst_dbm: See `Interference`.
        alarm_probability: That an alarm begins in a network in an interval of `alarm_step_s`.
        alarm_step_s: s
        alarm_steps: Intervals that it lasts.
        alarm_factor: Nodes send this many times as often meanwhile.
    """

    name: str = "coexistence"
    deployments: tuple[Deployment, ...]
    radio: Scenario
    radius_m: float = 1200.0
    circle_m: float = 400.0
    offset_m: float = 20.0
    occupancy: tuple[float, ...] | None = None
    moves_s: float | None = None
    load_range: tuple[float, float] = (1.0, 1.0)
    burst_s: tuple[float, float] = (0.25, 0.75)
    burst_dbm: tuple[float, float] = (-103.0, -97.0)
    alarm_probability: float = 0.0
    alarm_step_s: float = 60.0
    alarm_steps: int = 3
    alarm_factor: float = 3.0

    def __post_init__(self) -> None:
        check_record(self, "coexistence")
        channels = len(self.radio.region.channels_hz)
        if not self.deployments or not all(isinstance(deployment, Deployment) for deployment in self.deployments):
            raise ValueError(f"coexistence.deployments: {self.deployments!r}; needs at least one Deployment")
        if self.occupancy is not None and len(self.occupancy) != channels:
            raise ValueError(f"coexistence.occupancy: {len(self.occupancy)} values; allowed is one for each channel, "
                             f"{channels}")  # fmt: skip
        for name in ("alarm_step_s", "alarm_factor", "radius_m", *(() if self.moves_s is None else ("moves_s",))):
            check_above_0(f"coexistence.{name}", getattr(self, name))
        if self.occupancy is not None:
            Interference(occupancy=self.occupancy, burst_s=self.burst_s, power_dbm=self.burst_dbm)
        check_range("coexistence.load_range", self.load_range)
        check_count("coexistence.alarm_steps", self.alarm_steps)
        if not 0.0 <= self.alarm_probability <= 1.0:
            raise ValueError(f"coexistence.alarm_probability: {self.alarm_probability} is not from 0 to 1")

    @property
    def nodes(self) -> int:
        """Number of nodes, `N`."""
        return sum(deployment.nodes for deployment in self.deployments)

    @property
    def node_network(self) -> NDArray[np.int64]:
        """Network of each node. `[N]`"""
        return np.repeat(np.arange(len(self.deployments)), [deployment.nodes for deployment in self.deployments])

    @property
    def gateway_network(self) -> NDArray[np.int64]:
        """Network of each gateway. `[G]`"""
        return np.repeat(np.arange(len(self.deployments)), [deployment.gateways for deployment in self.deployments])

    def draw(self, rngs: Sequence[np.random.Generator], until_s: float) -> Scenario:
        """A scenario of `B` replicas; replica b depends on `rngs[b]` alone.

        Args:
            rngs: `[B]`
            until_s: Nothing changes from here on. s
        """
        node_xy_m, occupancy, rates = (
            np.stack(parts) for parts in zip(*(self._draw_replica(rng, until_s) for rng in rngs), strict=True)
        )
        gateway_xy_m, radio = self._gateways(), self.radio
        apart_m = distances_m(node_xy_m, gateway_xy_m) + self.offset_m
        interval_s, changes = self._traffic(until_s, rates)
        interference = None
        if self.occupancy is not None:
            interference = Interference(occupancy=occupancy[:, 0], burst_s=self.burst_s, power_dbm=self.burst_dbm)
            changes += [
                Change(at_s=i * float(self.moves_s or 0.0), values={"interference.occupancy": occupancy[:, i]})
                for i in range(1, occupancy.shape[1])
            ]
        return replace(
            radio,
            name=self.name,
            node_xy_m=node_xy_m,
            gateway_xy_m=gateway_xy_m,
            node_network=self.node_network,
            gateway_network=self.gateway_network,
            path_loss_db=path_loss_db(radio.propagation, apart_m, carrier_hz=radio.carrier_hz),
            traffic=replace(radio.traffic, interval_s=interval_s),
            interference=interference,
            changes=tuple(sorted(changes, key=lambda change: change.at_s)),
        )

    def _draw_replica(self, rng: np.random.Generator, until_s: float) -> tuple[NDArray, NDArray, NDArray]:
        """Positions `[N, 2]`, occupancies `[moves + 1, C]`, and rates without silences by alarm step `[steps, S]`."""
        node_xy_m = uniform_disc(rng, self.nodes, self.radius_m)
        moves = 0 if self.moves_s is None else int(np.ceil(until_s / self.moves_s)) - 1
        occupancy = [rng.permutation(self.occupancy or (0.0,)) for _ in range(moves + 1)]
        low, high = self.load_range
        rates = np.exp(rng.uniform(np.log(low), np.log(high))) * np.array(
            [deployment.load for deployment in self.deployments]
        )
        steps = int(np.ceil(until_s / self.alarm_step_s))
        begins = rng.random((steps, len(rates))) < self.alarm_probability
        alarmed = np.zeros_like(begins)
        for later in range(min(self.alarm_steps, steps)):
            alarmed[later:] |= begins[: steps - later]
        return node_xy_m, np.array(occupancy), rates * np.where(alarmed, self.alarm_factor, 1.0)

    def _gateways(self) -> NDArray[np.float64]:
        """Positions of the gateways, evenly on the circle. `[G, 2]` m"""
        gateways = len(self.gateway_network)
        angle = 2.0 * np.pi * np.arange(gateways) / gateways
        return self.circle_m * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def _traffic(self, until_s: float, rates: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[Change]]:
        """Mean intervals at first `[B, N]`, in s, and their changes; `rates [B, steps, S]`."""
        times = {0.0} | {time for deployment in self.deployments for period in deployment.silent_s for time in period}
        if self.alarm_probability > 0.0:
            times |= set((self.alarm_step_s * np.arange(rates.shape[1])).tolist())
        times_s = np.array(sorted(time_s for time_s in times if time_s < until_s))
        rows = np.searchsorted(self.alarm_step_s * np.arange(rates.shape[1]), times_s, side="right") - 1
        rates = rates[:, rows]
        for s, deployment in enumerate(self.deployments):
            for from_s, to_s in deployment.silent_s:
                rates[:, (times_s >= from_s) & (times_s < to_s), s] = 0.0
        with np.errstate(divide="ignore"):
            interval_s = (np.asarray(self.radio.traffic.interval_s, np.float64) / rates)[..., self.node_network]
        changed = [i for i in range(1, len(times_s)) if np.any(rates[:, i] != rates[:, i - 1])]
        return interval_s[:, 0], [
            Change(at_s=float(times_s[i]), values={"traffic.interval_s": interval_s[:, i]}) for i in changed
        ]


@dataclass(frozen=True, kw_only=True)
class Episode:
    """The setting of an episode of coexisting networks, as strategies receive it.

    Attributes:
        seeds: Seed of the packet air of each replica. `[B]`
        learning: Indices of the networks that learn. `[L]`
        gateways: Gateways of each network. `[S]`
        groups: Number of groups of a network, `Q`.
        channels: Number of channels, `C`.
        offsets: Spreading factors of an action: 0, ..., offsets - 1 steps above a node's least one.
        powers: Indices of the transmit powers of an action, from low to high.
        interval_s: Length of an interval, for which a strategy chooses once. s
        intervals: Intervals of the episode.
        facts: Returns what is true of the networks at the moment, by name (`lora_marl.envs.coexistence.groups.facts`):
            rates, links, energies and the occupancy of the channels. No network knows them; they are for models of the
            air and for strategies that serve as references.
    """

    seeds: tuple[int, ...]
    learning: NDArray[np.int64]
    gateways: NDArray[np.int64]
    groups: int
    channels: int
    offsets: int
    powers: tuple[int, ...]
    interval_s: float
    intervals: int
    facts: Callable[[], Mapping[str, NDArray]]

    @property
    def replicas(self) -> int:
        """Number of replicas that run together, `B`."""
        return len(self.seeds)

    @property
    def actions(self) -> int:
        """Number of actions, `A`: an action is the number `(channel * offsets + offset) * len(powers) + power`."""
        return self.channels * self.offsets * len(self.powers)
