"""Downlinks: how a network answers, and what a learner asks of it. Parameters only; `lora_marl.core.air` runs them.

A node that has sent an uplink opens two receive windows: RX1, 1 s after its end, on the uplink's channel, bandwidth and
spreading factor, and RX2, 2 s after it, on a frequency and spreading factor of their own. Until they are over it sends
nothing. The gateway that heard the uplink best answers in RX1, if it may and can: it must have no duty cycle to wait
for, be sending nothing, and be receiving nothing (`priority`). Otherwise the gateways that received it are asked for
RX2, the loudest first. Nobody: the downlink is refused.

While a gateway sends it is deaf to uplinks (half duplex). The node receives a downlink by the gateways' rule of
sensitivity, capture and interference, at its own path loss, with shadowing and fading of its own.

Source: LoRaWAN L2 1.0.4, section 5 (class A); Regional Parameters RP002-1.0.5 (RX2 and duty cycles of EU868).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

from lora_marl.core.checks import check_choice, check_record


@dataclass(frozen=True, kw_only=True)
class Downlink:
    """How gateways send, EU868's rules by default.

    Attributes:
        windows: Which receive windows are used.
        rx1_delay_s, rx2_delay_s: From the end of the uplink to the window. s
        rx2_hz: Centre frequency of RX2. Hz
        rx2_sf: Its spreading factor, at the region's first bandwidth.
        rx1_duty_cycle, rx2_duty_cycle: Share of time that a gateway may send in a sub-band: after a downlink of airtime
            T it is silent there for T (1 / duty - 1); None: no limit. RX1's holds in every sub-band of the uplink
            channels (`Region.sub_band_edges_hz`) by itself.
        tp_dbm: Of the gateways. dBm
        payload_bytes: PHY payload of a downlink. bytes
        priority: `uplink`: a gateway that is receiving does not begin to send; `downlink`: it does, and loses them.
        interference: Whether uplinks and the downlinks of other gateways harm each other where their spectra meet, as
            if both had the same I/Q orientation; downlinks among themselves always do. Under `sir_energy` it must be
            False, and downlinks judge each other one by one, by power against the SIR matrix and its diagonal.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    windows: Literal["both", "rx1", "rx2"] = "both"
    rx1_delay_s: float = 1.0
    rx2_delay_s: float = 2.0
    rx2_hz: float = 869.525e6
    rx2_sf: int = 12
    rx1_duty_cycle: float | None = 0.01
    rx2_duty_cycle: float | None = 0.1
    tp_dbm: float = 14.0
    payload_bytes: int = 20
    priority: Literal["uplink", "downlink"] = "uplink"
    interference: bool = True

    def __post_init__(self) -> None:
        for name in ("windows", "priority"):
            check_choice(f"downlink.{name}", getattr(self, name), get_args(get_type_hints(Downlink)[name]))
        check_record(self, "downlink")
        if not 0 < self.rx1_delay_s < self.rx2_delay_s:
            raise ValueError(
                f"downlink.rx1_delay_s, rx2_delay_s: {self.rx1_delay_s}, {self.rx2_delay_s} s; "
                "RX1 opens after the uplink and before RX2"
            )
        if self.rx2_sf not in range(7, 13):
            raise ValueError(f"downlink.rx2_sf: {self.rx2_sf} is not a whole number from 7 to 12")
        for name in ("rx1_duty_cycle", "rx2_duty_cycle"):
            duty = getattr(self, name)
            if duty is not None and not 0 < duty <= 1:
                raise ValueError(f"downlink.{name}: {duty} is not above 0 and at most 1 (or None: no limit)")
        if self.payload_bytes not in range(1, 256):
            raise ValueError(f"downlink.payload_bytes: {self.payload_bytes} is not a whole number from 1 to 255 bytes")


NEVER = 2**31 - 1
"""Packets between decisions of a rule that decides once."""


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """The feedback that a learner asks of the network.

    Where feedback is free, answers arrive at once and always. Where it needs downlinks, only an uplink that was
    received can be answered, and a lost or refused answer leaves everything as it was: the next one covers all packets
    since the last that arrived, until a node has no more `patience`.

    Attributes:
        decides: `node`: a node decides when it learns what became of its last `packets` packets. `server`: the network
            server decides after every `packets` packets received of a node; its decision is a command, sent only where
            it differs from what the node uses, and repeated after every packet received until it has arrived.
        packets: How many packets lie between two decisions; counted anew when a command arrives that changes something.
            A server counts frames, by their counter: a retry of a frame that it has received is not another one.
        patience: Packets without an answer after which a node that decides takes them all for lost, and decides; as
            many as LoRaWAN waits before a node backs off.
        answers: Whether decisions need what the network knows. Where they do not (fixed and random rules), nodes decide
            by themselves, and no downlink is sent but the acknowledgements of confirmed traffic.
        backoff: The nodes' side of LoRaWAN's adaptive data rate, where the server decides: one that has heard nothing
            for 64 frames asks for an answer, after 96 it takes the highest power, and after 128, 160, ... the next
            slower data rate each time.
        listens: Whether the learner hears of every packet that the network received (`Learner.hear`).

    Raises:
        ValueError: a parameter outside its range, naming it.

    Source: NoReL (rounds of 10 packets); LoRaWAN L2 1.0.4, section 4.3.1.1 (ADR_ACK_LIMIT 64, ADR_ACK_DELAY 32).
    """

    decides: Literal["node", "server"] = "node"
    packets: int = 1
    patience: int = 96
    answers: bool = True
    backoff: bool = False
    listens: bool = False

    def __post_init__(self) -> None:
        check_choice("feedback.decides", self.decides, ("node", "server"))
        for name in ("packets", "patience"):
            count = getattr(self, name)
            if not (count >= 1 and count == int(count)):
                raise ValueError(f"feedback.{name}: {count} is not a whole number of at least 1")
