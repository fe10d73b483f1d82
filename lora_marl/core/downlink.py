"""Downlinks: how a network answers, and what a learner asks of it. Parameters only; `lora_marl.core.air` runs them.

A node that has sent an uplink opens two receive windows: RX1, 1 s after its end, on the channel and at the data rate
that the region has for an answer to the uplink's, and RX2, 2 s after it, on a frequency and at a data rate of their
own. Until they are over it sends nothing. The gateway that heard the uplink best answers in RX1, if it may and can: it
must have no duty cycle to wait for, be sending nothing, and be receiving nothing (`priority`). Otherwise the gateways
that received it are asked for RX2, the loudest first. Nobody: the downlink is refused.

While a gateway sends it is deaf to uplinks (half duplex). The node receives a downlink by the gateways' rule of
sensitivity, capture and interference, at its own path loss, with shadowing and fading of its own.

What a network does not state is its region's: frequencies, data rates, powers, duty cycles by sub-band. A region that
does not state it either is an error (`lora_marl.core.windows`).

Source: LoRaWAN L2 1.0.4, section 5 (class A); Regional Parameters RP002-1.0.5 (`lora_marl.core.regions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

from lora_marl.core.checks import check_choice, check_duty_cycle, check_record
from lora_marl.core.phy import LowDataRate, check_bandwidth_hz

DutyCycle = float | Literal["region"] | None
"""A share of time above 0 and at most 1, `region`: that of the sub-band, or None: no limit."""


@dataclass(frozen=True, kw_only=True)
class Downlink:
    """How gateways send; what is None or `region` is as the region has it.

    Attributes:
        windows: Which receive windows are used.
        rx1_delay_s, rx2_delay_s: From the end of the uplink to the window. s
        rx1_dr_offset: RX1DROffset: which of the region's data rates of RX1 is used for a data rate of the uplink.
        rx2_hz: Centre frequency of RX2. Hz
        rx2_sf: Its spreading factor.
        rx2_bandwidth_hz: Its bandwidth; None: the region's, or the first of the uplinks where it has none.
        rx1_duty_cycle, rx2_duty_cycle: Share of time that a gateway may send in a sub-band: after a downlink of airtime
            T it is silent there for T (1 / duty - 1); `region`: that of the sub-band; None: no limit. A number for RX1
            holds in every sub-band of the channels of RX1 (`Region.sub_band_edges_hz`) by itself.
        tp_dbm: Of the gateways in both windows, fed to a dipole; None: what the region allows at each frequency. dBm
        payload_bytes: PHY payload of a downlink. bytes
        low_data_rate: Low-data-rate optimisation of downlinks; None: as of uplinks (`Scenario.low_data_rate`).
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
    rx1_dr_offset: int = 0
    rx2_hz: float | None = None
    rx2_sf: int | None = None
    rx2_bandwidth_hz: float | None = None
    rx1_duty_cycle: DutyCycle = "region"
    rx2_duty_cycle: DutyCycle = "region"
    tp_dbm: float | None = None
    payload_bytes: int = 20
    low_data_rate: LowDataRate | None = None
    priority: Literal["uplink", "downlink"] = "uplink"
    interference: bool = True

    def __post_init__(self) -> None:
        for name in ("windows", "priority"):
            check_choice(f"downlink.{name}", getattr(self, name), get_args(get_type_hints(Downlink)[name]))
        check_record(self, "downlink")
        if self.low_data_rate is not None:
            check_choice("downlink.low_data_rate", self.low_data_rate, get_args(LowDataRate))
        if not 0 < self.rx1_delay_s < self.rx2_delay_s:
            raise ValueError(
                f"downlink.rx1_delay_s, rx2_delay_s: {self.rx1_delay_s}, {self.rx2_delay_s} s; "
                "RX1 opens after the uplink and before RX2"
            )
        if self.rx1_dr_offset not in range(8):
            raise ValueError(f"downlink.rx1_dr_offset: {self.rx1_dr_offset} is not a whole number from 0 to 7")
        if self.rx2_sf is not None and self.rx2_sf not in range(7, 13):
            raise ValueError(f"downlink.rx2_sf: {self.rx2_sf} is not a whole number from 7 to 12")
        if self.rx2_bandwidth_hz is not None:
            check_bandwidth_hz(self.rx2_bandwidth_hz)
        for name in ("rx1_duty_cycle", "rx2_duty_cycle"):
            check_duty_cycle(f"downlink.{name}", getattr(self, name))
        if self.payload_bytes not in range(1, 256):
            raise ValueError(f"downlink.payload_bytes: {self.payload_bytes} is not a whole number from 1 to 255 bytes")


PAPERS_DOWNLINK = Downlink(
    rx2_hz=869.525e6, rx2_sf=12, rx1_duty_cycle=0.01, rx2_duty_cycle=0.1, tp_dbm=14.0, low_data_rate="auto"
)
"""How gateways send in the papers' networks: EU868's windows with 14 dBm in both, 1 % in RX1 and 10 % in RX2.

EU868 itself allows 27 dBm in RX2, and .1 % on some channels of RX1.
"""


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
