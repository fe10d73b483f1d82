"""What servers that run adaptive data rate (ADR) have in common: a session of every device, and its commands.

A server takes in every uplink received, in this order: it notes what the device uses, adds the uplink to the device's
history, and decides. What it decides is a command (LinkADRReq), sent as a downlink while the device uses anything else,
until it has arrived. The device hops over the region's channels, and backs off where it hears nothing
(`Feedback.backoff`).

Servers count data rates upwards from the slowest, and powers downwards from the highest; operating points do the
reverse. The rules are therefore written in LoRaWAN's words:

| LoRaWAN | in the rules | in an operating point |
|---|---|---|
| data rate, DR0 the slowest | `rate` | spreading factor, the last one of the region is 0 |
| TXPower, 0 the highest | `power` | power, the last one of the region is 0 |
| NbTrans | `nb_trans` | none: `Learner.nb_trans` |

The server knows the data rate of an uplink from its gateways. Its device's power it knows only by its own commands: one
counts as accepted (LinkADRAns) when an uplink arrives with its data rate, power and NbTrans.

Differences, of all rules that use this:
    1. SNR is received power over the thermal noise of the bandwidth; a gateway's report also has interference in it,
       steps of a quarter dB, and a ceiling near 10 dB. Of several gateways, the strongest reports.
    2. A LinkADRAns is not lost: where the uplink that carries it is, the next one is taken for it.
    3. NbTrans is of unconfirmed frames; those of confirmed traffic are sent until they are acknowledged.
    4. Data rates are the spreading factors of the region's first bandwidth, powers its values, whatever lies between.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from agents.learner import Learner, most_robust_point
from agents.link_margin import checked_margin_db, least_sf
from lora_marl.core import phy
from lora_marl.core.allowed import Allowed, Count
from lora_marl.core.checks import check_choice
from lora_marl.core.downlink import Feedback
from lora_marl.core.outcome import REPEATED
from lora_marl.core.region import BW, CHANNEL, SF, TP

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard
    from lora_marl.core.scenario import Scenario

HISTORY = 20
"""Uplinks that a server keeps of a device. Source: Semtech's algorithm, ChirpStack and The Things Stack alike."""
REQUIRED_SNR_DB = {7: -7.5, 8: -10.0, 9: -12.5, 10: -15.0, 11: -17.5, 12: -20.0}
"""SNR that a spreading factor needs, in the tables of all these servers. dB. Source: SX1276 datasheet, table 13."""
LOSS_TABLE = np.array([[1, 1, 2], [1, 2, 3], [2, 3, 3], [3, 3, 3]])
"""NbTrans by packet loss (below 5, 10, 30 %, above) and the NbTrans in force, 1 to 3. Source: Semtech's algorithm."""
STARTS = ("slowest", "min_sf")
CHANNELS = ("hop", "dealt")

SESSION = np.dtype(
    [
        ("rate", np.int16),  # in force, as far as the server knows
        ("power", np.int16),
        ("nb_trans", np.int16),
        ("wanted_rate", np.int16),  # of the last command
        ("wanted_power", np.int16),
        ("wanted_nb_trans", np.int16),
        ("entries", np.int16),  # of the history; the newest is the last
        ("entry_power", np.int16, HISTORY),  # in force, as far as the server knew
        ("missed", np.int32, HISTORY),  # as in `Heard`
        ("snr_db", np.float32, HISTORY),
    ],
    align=True,
)


class ServedAdr(Learner):
    """Base of the rules that a network server runs for every device; a rule defines `_take_in`.

    Args:
        scenario, seeds: As in `Learner`.
        margin_db: Reserve for fading and interference (installation margin), for all nodes or for each `[N]`. dB
        start: First spreading factor, at the highest power: `slowest`, as LoRaWAN has it until the server commands, or
            `min_sf`, the smallest that reaches a gateway.
        channels: `hop`: each transmission on a channel drawn from all of the region's; `dealt`: node n keeps channel
            n mod C of C, as if the server had sent it a mask of one channel.
        backoff: Whether nodes back off.

    Raises:
        ValueError: see `checked_margin_db`; or unknown `start` or `channels`.
    """

    whole_rounds: ClassVar[bool] = True

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        margin_db: ArrayLike = 10.0,
        start: str = "slowest",
        channels: str = "hop",
        backoff: bool = True,
    ) -> None:
        super().__init__(scenario, seeds, fixed_point=first_points(scenario, len(seeds), start, channels))
        self.feedback = Feedback(decides="server", packets=1, backoff=backoff, listens=True)
        self.margin_db = np.array(np.broadcast_to(checked_margin_db(margin_db, self.nodes), self.nodes))
        self._noise_dbm = phy.noise_dbm(np.array(self.region.bandwidths_hz), scenario.reception.noise_figure_db)
        self._needed_db = np.array([REQUIRED_SNR_DB[sf] for sf in reversed(self.region.spreading_factors)], np.float32)
        self._sessions = np.zeros((self.replicas, self.nodes), SESSION)
        self._sessions["rate"] = self._sessions["wanted_rate"] = self._fastest - self.fixed_points[..., SF]
        self._sessions["power"] = self._sessions["wanted_power"] = self._lowest - self.fixed_points[..., TP]
        self._sessions["nb_trans"] = self._sessions["wanted_nb_trans"] = 1
        self.nb_trans = None if scenario.traffic.confirmed else np.ones((self.replicas, self.nodes), np.int8)

    @property
    def operations(self) -> int:
        """The strongest or the mean of the history; its lost frames; the margin, its steps and two comparisons."""
        return 2 * HISTORY + 6

    def hear(self, heard: Heard) -> None:
        """Take in the uplinks received: what their devices use, their SNR, and what the server decides on them."""
        snr_db = (heard.rssi_dbm - self._noise_dbm[heard.point[:, BW]]).astype(np.float32)
        self._take_in(heard.records, snr_db, heard.nb_trans)

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The commands decided on the nodes' last uplinks; their first points before that. `[M, 4]`

        NbTrans, which is part of a command and not of a point, goes into `nb_trans`.
        """
        sessions = self._sessions[decisions.replica, decisions.node]
        if self.nb_trans is not None:
            self.nb_trans[decisions.replica, decisions.node] = sessions["wanted_nb_trans"]
        chosen = self.fixed_points[decisions.replica, decisions.node]
        chosen[:, SF] = self._fastest - sessions["wanted_rate"]
        chosen[:, TP] = self._lowest - sessions["wanted_power"]
        return chosen

    def state_arrays(self) -> dict[str, NDArray]:
        """The fields of the sessions `[B, N]`, of which those of the history are `[B, N, 20]`; NbTrans `[B, N]`."""
        fields = {name: self._sessions[name] for name in SESSION.names or ()}
        return fields if self.nb_trans is None else fields | {"commanded_nb_trans": self.nb_trans}

    def state_limits(self) -> dict[str, Allowed]:
        """Data rates, powers, NbTrans and the number of entries are indices."""
        rate, power = Count(self._fastest), Count(self._lowest)
        return {
            **dict.fromkeys(("rate", "wanted_rate"), rate),
            **dict.fromkeys(("power", "wanted_power", "entry_power"), power),
            **dict.fromkeys(("nb_trans", "wanted_nb_trans", "commanded_nb_trans"), Count(LOSS_TABLE.shape[1], least=1)),
            "entries": Count(HISTORY),
            "missed": Count(least=REPEATED),
        }

    @property
    def _most_nb_trans(self) -> int:
        """The largest NbTrans of a command; confirmed frames, which are sent until they are acknowledged, have none."""
        return 1 if self.nb_trans is None else LOSS_TABLE.shape[1]

    @property
    def _fastest(self) -> int:
        """Index of the fastest data rate."""
        return len(self.region.spreading_factors) - 1

    @property
    def _lowest(self) -> int:
        """Index of the lowest power."""
        return len(self.region.tp_dbm) - 1

    @abstractmethod
    def _take_in(self, records: NDArray[np.void], snr_db: NDArray[np.float32], nb_trans: NDArray[np.int8]) -> None:
        """Update the sessions by uplinks received.

        Args:
            records: HEARD rows in order of time. `[M]`
            snr_db: Their SNR. `[M]` dB
            nb_trans: NbTrans that their devices used. `[M]`
        """


def first_points(scenario: Scenario, replicas: int, start: str, channels: str) -> NDArray[np.int16]:
    """Points before the first command: the highest power, spreading factor and channel as of `ServedAdr`. `[B, N, 4]`

    Raises:
        ValueError: `start` is none of `STARTS`, or `channels` none of `CHANNELS`.
    """
    check_choice("start", start, STARTS)
    check_choice("channels", channels, CHANNELS)
    first = np.tile(most_robust_point(scenario.region), (replicas, scenario.nodes, 1))
    dealt = np.arange(scenario.nodes) % len(scenario.region.channels_hz)
    first[..., CHANNEL] = scenario.region.default_channel if channels == "hop" else dealt
    if start == "min_sf":
        first[..., SF] = least_sf(scenario, replicas)
    return first


@njit(cache=True)
def accept_command(session, rate, power, nb_trans):  # type: ignore[no-untyped-def]
    """Take an uplink's data rate, power and NbTrans for the answer to the last command, if they are the command's.

    Returns whether that has changed anything in the session.
    """
    if rate != session.wanted_rate or power != session.wanted_power or nb_trans != session.wanted_nb_trans:
        return False
    changed = (
        session.rate != session.wanted_rate
        or session.power != session.wanted_power
        or session.nb_trans != session.wanted_nb_trans
    )
    session.rate = session.wanted_rate
    session.power = session.wanted_power
    session.nb_trans = session.wanted_nb_trans
    return changed


@njit(cache=True)
def note_parameters(session, rate, power, nb_trans):  # type: ignore[no-untyped-def]
    """Note an uplink's parameters as ChirpStack does: history begins anew when any of them has changed.

    A data rate other than the session's: the device may have backed off, and power counts as reset to the highest.
    """
    if rate != session.rate:
        session.rate = rate
        session.power = 0
        session.entries = 0
    if accept_command(session, rate, power, nb_trans):
        session.entries = 0


@njit(cache=True)
def want(session, command, most_nb_trans):  # type: ignore[no-untyped-def]
    """Make a data rate, a power and an NbTrans the last command of a session."""
    session.wanted_rate, session.wanted_power = command[0], command[1]
    session.wanted_nb_trans = min(command[2], most_nb_trans)


@njit(cache=True)
def add_entry(session, snr_db, missed):  # type: ignore[no-untyped-def]
    """Add an uplink to a device's history, which forgets the oldest when it is full."""
    if session.entries == HISTORY:
        for i in range(HISTORY - 1):
            session.snr_db[i] = session.snr_db[i + 1]
            session.missed[i] = session.missed[i + 1]
            session.entry_power[i] = session.entry_power[i + 1]
        session.entries -= 1
    session.snr_db[session.entries] = snr_db
    session.missed[session.entries] = missed
    session.entry_power[session.entries] = session.power
    session.entries += 1


@njit(cache=True)
def strongest_db(session):  # type: ignore[no-untyped-def]
    """Largest SNR of the history. dB"""
    strongest = session.snr_db[0]
    for i in range(1, session.entries):
        strongest = max(strongest, session.snr_db[i])
    return strongest


@njit(cache=True)
def frames_in_history(session):  # type: ignore[no-untyped-def]
    """Frames lost between the first and the last uplink of the history, and the frame counters that these span.

    Retries are the same counter; a device whose counters begin anew has lost nothing.
    """
    lost, span = 0, 1
    for i in range(1, session.entries):
        if session.missed[i] >= 0:
            lost += session.missed[i]
            span += session.missed[i] + 1
    return lost, span


@njit(cache=True)
def nb_trans_by_loss(nb_trans, loss_percent):  # type: ignore[no-untyped-def]
    """NbTrans by the loss table, from the one in force and the packet loss in per cent."""
    row = 0 if loss_percent < 5.0 else 1 if loss_percent < 10.0 else 2 if loss_percent < 30.0 else 3
    return LOSS_TABLE[row, min(max(nb_trans, 1), 3) - 1]


@njit(cache=True)
def after_steps(steps, rate, power, fastest, lowest):  # type: ignore[no-untyped-def]
    """Data rate and power after steps of 3 dB of Semtech's rule: up, the data rate first; down, the power alone."""
    faster = min(max(steps, 0), fastest - rate)
    return rate + faster, min(max(power + steps - faster, 0), lowest)
