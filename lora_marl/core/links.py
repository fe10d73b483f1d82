"""Links as they are measured: each with a loss, a spread and a sensitivity of its own, and slow changes.

All of it is off by default. Where it is on, the received power of a packet of node n at gateway g on channel c is

    P = TP - L[n, g, c] - channel loss + antenna gain + A(t) + B_c(t) + spread[n, g] z (+ fading)

with z a standard normal draw per packet and gateway, and A and B first-order (AR(1)) processes in time: of the link,
and of the link and channel. They change in steps of a 32nd of their time constant and are pure functions of seed, link
and time, so learners that send at different times meet the same air. Gateways of one group share a part of z, A and B:
antennas in one place lose together.

Shape letters: `N` nodes, `G` gateways, `C` channels.

Source: ours, after eleven gateways of one station over months: channels of one gateway differ by up to 6 dB and their
noise by up to 10 dB, links have standard deviations of 0.5 to 1.8 dB from packet to packet and of 0.6 to 3.5 dB over
0.3 to 16 days, and 0.6 % of frames are lost whatever the link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_record, check_share

STEPS_PER_TIME_CONSTANT = 32
"""Steps in which slow terms change."""

OF_LINKS = ("spread_db", "sensitivity_db", "slow_db", "slow_s", "channel_slow_db", "channel_slow_s", "missed_share")
"""Fields with a value for every link, of shape `[N, G]`, `[G]` or a number."""

CHANGING = (
    *("path_loss_db", "spread_db", "sensitivity_db", "slow_db", "channel_slow_db", "noise_db"),
    *("missed_share", "lost_share"),
)
"""Fields that may change on schedule. A time constant, like the groups, is what a slow term is drawn by, and stays; a
gateway that is off has its own times."""


@dataclass(frozen=True, kw_only=True)
class Links:
    """The parts of links beyond distance, shadowing and fading.

    Attributes:
        path_loss_db: `[N, G, C]` or `[B, N, G, C]`, mean path loss of each link and channel in place of the model's;
            infinite: no link.
            `Scenario.channel_loss_db` comes on top. dB
        spread_db: Standard deviation from packet to packet, `[N, G]`, `[G]` or a number; None: that of the
            propagation's shadowing, its part common to all gateways aside. Links are reciprocal in their mean and their
            slow terms, and downlinks have the spread of the link's uplinks, drawn anew for each. dB
        sensitivity_db: Added to the gateway's sensitivity on a link, `[N, G]`, `[G]` or a number. dB
        slow_db, slow_s: Standard deviation and time constant of the slow term of a link, `[N, G]`, `[G]` or a number;
            0 dB: none. dB, s
        channel_slow_db, channel_slow_s: The same of a link and channel.
        noise_db: Noise of each gateway and channel above the noise floor, `[G, C]` or `[C]` or a number; it raises the
            sensitivity by as much. dB
        off: Gateways that are off, each a gateway's number and from when until when (s of an episode). Packets that
            overlap this time are lost there with fate `GATEWAY_SENDING`, and no downlink begins in it.
        groups: Gateways in one place, by the name of the group; a gateway is in one group at most.
        group_share: Share of the variances of spread and slow terms that the gateways of a group have in common.
        missed_share: Share of packets that a gateway misses at any power, each for itself, `[N, G]`, `[G]` or a number;
            their fate there is `GATEWAY_SENDING`.
        lost_share: Share of packets that no gateway receives, whatever the link, with fate `GATEWAY_SENDING`.

    Raises:
        ValueError: a value outside its range, naming it.
    """

    path_loss_db: NDArray[np.float64] | None = None
    spread_db: ArrayLike | None = None
    sensitivity_db: ArrayLike = 0.0
    slow_db: ArrayLike = 0.0
    slow_s: ArrayLike = 86400.0
    channel_slow_db: ArrayLike = 0.0
    channel_slow_s: ArrayLike = 86400.0
    noise_db: ArrayLike = 0.0
    off: tuple[tuple[int, float, float], ...] = ()
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)
    group_share: float = 1.0
    missed_share: ArrayLike = 0.0
    lost_share: float = 0.0

    def __post_init__(self) -> None:
        check_record(self, "links")
        for name in ("group_share", "lost_share"):
            check_share(f"links.{name}", getattr(self, name))
        shares = np.asarray(self.missed_share, np.float64)
        if not ((shares >= 0.0) & (shares <= 1.0)).all():
            wrong = shares[~((shares >= 0.0) & (shares <= 1.0))].flat[0]
            raise ValueError(f"links.missed_share: {wrong} is not a number from 0 to 1")
        for gateway, from_s, until_s in self.off:
            if not 0.0 <= from_s < until_s:
                raise ValueError(
                    f"links.off: gateway {gateway} from {from_s} until {until_s} s is no time of an episode"
                )

    def check(self, nodes: int, gateways: int, channels: int) -> None:
        """Raise ValueError for shapes, or numbers of gateways, that a network of this size does not have."""
        shapes = {
            **dict.fromkeys(OF_LINKS, ((), (gateways,), (nodes, gateways))),
            "path_loss_db": ((nodes, gateways, channels),),
            "noise_db": ((), (channels,), (gateways, channels)),
        }
        for name, allowed in shapes.items():
            value = getattr(self, name)
            without_replicas = (
                np.shape(value)[1:] if name == "path_loss_db" and np.ndim(value) == 4 else np.shape(value)
            )
            if value is not None and without_replicas not in allowed:
                known = " or ".join("a number" if not shape else str(list(shape)) for shape in allowed)
                raise ValueError(f"links.{name}: shape {list(np.shape(value))}; allowed is {known}")
        grouped = [gateway for members in self.groups.values() for gateway in members]
        for gateway in (*grouped, *(gateway for gateway, _, _ in self.off)):
            if gateway not in range(gateways):
                raise ValueError(f"links: gateway {gateway} in groups or off; the network has 0 to {gateways - 1}")
        if len(set(grouped)) < len(grouped):
            raise ValueError(f"links.groups: {dict(self.groups)} has a gateway twice; allowed is one group for each")

    def mean_path_loss_db(self) -> NDArray[np.float64] | None:
        """Mean of the path loss over the channels of a link; infinite where it has none. `[N, G]` or `[B, N, G]` dB"""
        if self.path_loss_db is None:
            return None
        loss_db = np.asarray(self.path_loss_db, np.float64)
        has = np.isfinite(loss_db)
        total = np.where(has, loss_db, 0.0).sum(axis=-1)
        return np.where(has.any(axis=-1), total / np.maximum(has.sum(axis=-1), 1), np.inf)

    def group_of(self, gateways: int) -> NDArray[np.int64]:
        """Number of each gateway's group, or -1. `[G]`"""
        group = np.full(gateways, -1, np.int64)
        for number, members in enumerate(self.groups.values()):
            group[list(members)] = number
        return group
