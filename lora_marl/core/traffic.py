"""Traffic: when nodes generate packets. Parameters only; `lora_marl.core.air` draws the times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_choice, check_duty_cycle, check_record
from lora_marl.core.trace import Trace

MOST_TRANSMISSIONS = 15
"""Of a frame. Source: LoRaWAN L2 1.0.4, section 5.2."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """When packets are generated and how large they are.

    Attributes:
        kind: `poisson`, `periodic`, `burst` or `trace`.
        interval_s: `[N]` or `[B, N]` or a number: mean gap (poisson), period (periodic), mean gap between bursts. s
        after_end: Whether a Poisson or burst gap starts at the end of the last packet (a renewal process, as in the
            D-LoRa code) or at its generation (a plain Poisson process).
        jitter_s: Periodic: each packet is delayed by a uniform draw from [0, jitter_s). s
        random_phase: Periodic: whether nodes start at a random point of the period, or all at 0.
        burst_packets: Packets of one burst.
        burst_gap_s: From the end of one packet of a burst to the generation of the next. s
        payload_bytes: `[N]` or `[B, N]` or a number: PHY payload. bytes
        duty_cycle: Share of time that a node may send: after a packet of airtime T it is off for T (1 / duty - 1), on
            all channels; `region`: the region's limits, which hold in each sub-band by itself; None: no limit.
        queued: Whether packets generated while the node is busy or off are sent when it is free; else they are dropped.
        confirmed: Whether nodes generate frames that wait for an acknowledgement: a frame is sent, each attempt a
            packet, until one is acknowledged or `max_attempts` have failed. Frames are generated whatever the node does
            (`after_end=False`) and wait in a queue; one generated while that is full is dropped. Where feedback is free
            an attempt that was received is acknowledged at its end, else by a downlink that reaches the node.
        max_attempts: Of a frame.
        retry_s: From the end of a failed attempt to the next one, drawn uniformly. s
        next_s: From the end of a frame's last attempt to the earliest start of the next frame, drawn uniformly. s
        queue_frames: Frames that wait at most, the one being sent included.
        nb_trans: `[N]` or a number: how often each unconfirmed frame is sent, 1 to 15, unless the node receives a
            downlink in between; played where no learner, action or command says otherwise.
        trace: Under `trace`, the packets that nodes generate; `interval_s` and `payload_bytes` then follow from it, as
            each node's mean interval and largest payload `[N]`, and gaps count from generation to generation.
    """

    kind: Literal["poisson", "periodic", "burst", "trace"] = "poisson"
    interval_s: ArrayLike = 20.0
    after_end: bool = True
    jitter_s: float = 0.0
    random_phase: bool = True
    burst_packets: int = 1
    burst_gap_s: float = 0.0
    payload_bytes: ArrayLike = 50
    duty_cycle: float | Literal["region"] | None = "region"
    queued: bool = False
    confirmed: bool = False
    max_attempts: int = 4
    retry_s: tuple[float, float] = (3.0, 5.0)
    next_s: tuple[float, float] = (2.0, 3.0)
    queue_frames: int = 4
    nb_trans: ArrayLike = 1
    trace: Trace | None = None

    def __post_init__(self) -> None:
        check_choice("traffic.kind", self.kind, get_args(get_type_hints(Traffic)["kind"]))
        self._take_over_trace()
        check_record(self, "traffic")
        payload = np.asarray(self.payload_bytes)
        valid = (payload >= 1) & (payload <= 255) & (payload == np.floor(payload))
        if not np.all(valid):
            raise ValueError(
                f"traffic.payload_bytes: {_first(payload, valid)} is not a whole number from 1 to 255 bytes"
            )
        check_duty_cycle("traffic.duty_cycle", self.duty_cycle)
        if self.burst_packets < 1:
            raise ValueError(f"traffic.burst_packets: {self.burst_packets} is not at least 1")
        self._check_confirmed()

        self._check_nb_trans()

    def _take_over_trace(self) -> None:
        """Let the mean intervals and largest payloads be those of the trace, for whoever asks for them."""
        trace = self.trace
        if (trace is None) != (self.kind != "trace"):
            raise ValueError(
                f"traffic.trace: {'is given' if trace else 'None'} under kind {self.kind!r}; trace needs one"
            )
        if trace is None:
            return
        for name, follows in (("interval_s", trace.mean_interval_s), ("payload_bytes", trace.largest_payload_bytes)):
            value, default = np.asarray(getattr(self, name)), getattr(Traffic, name)
            if not (value.ndim == 0 and value == default) and not np.array_equal(value, follows):
                raise ValueError(f"traffic.{name}: follows from the trace; leave it out")
            object.__setattr__(self, name, follows)
        if self.confirmed:
            raise ValueError("traffic.confirmed: True; the rows of a trace are packets already sent, allowed is False")
        object.__setattr__(self, "after_end", False)

    def _check_nb_trans(self) -> None:
        repeats = np.asarray(self.nb_trans)
        if repeats.dtype.kind not in "iuf":
            raise ValueError(f"traffic.nb_trans: {self.nb_trans!r} is neither a number nor a list of numbers")
        valid = (repeats >= 1) & (repeats <= MOST_TRANSMISSIONS) & (repeats == np.floor(repeats))
        if not np.all(valid) or repeats.ndim > 1:
            wrong = f"shape {list(repeats.shape)}" if np.all(valid) else f"{_first(repeats, valid):g}"
            raise ValueError(f"traffic.nb_trans: {wrong} is not a whole number from 1 to {MOST_TRANSMISSIONS}, or [N]")
        if self.confirmed and repeats.max() > 1:
            raise ValueError(
                f"traffic.nb_trans: {repeats.max()}; confirmed frames are sent up to max_attempts times, allowed is 1"
            )
        if self.trace is not None and self.trace.repeats_frames and repeats.max() > 1:
            raise ValueError(
                f"traffic.nb_trans: {repeats.max()}; the trace has frame counters that occur twice, allowed is 1"
            )

    def _check_confirmed(self) -> None:
        for name in ("max_attempts", "queue_frames"):
            count = getattr(self, name)
            if count < 1 or count % 1:
                raise ValueError(f"traffic.{name}: {count} is not a whole number of at least 1")
        for name in ("retry_s", "next_s"):
            span_s = getattr(self, name)
            if len(span_s) != 2 or not span_s[0] <= span_s[1]:
                raise ValueError(f"traffic.{name}: {span_s} is not a least and a largest time of at least 0 s")
        if self.confirmed and self.after_end and self.kind != "periodic":
            raise ValueError(
                "traffic.after_end: True; frames of confirmed traffic do not wait for the last one, allowed is False"
            )

    @classmethod
    def one_per_window(cls, window_s: float, payload_bytes: ArrayLike = 50) -> Traffic:
        """Traffic of exactly one packet per node and window, generated at a uniformly random time in it."""
        return cls(
            kind="periodic", interval_s=window_s, jitter_s=window_s, random_phase=False, queued=True,
            payload_bytes=payload_bytes,
        )  # fmt: skip


def mean_interval_s(packets_per_s: float) -> float:
    """Mean interval of Poisson traffic at a rate. 1/s -> s

    Raises:
        ValueError: a rate that is not above 0.
    """
    if not packets_per_s > 0:
        raise ValueError(f"packets_per_s: {packets_per_s} is not above 0")
    return 1.0 / packets_per_s


def _first(values: ArrayLike, allowed: NDArray[np.bool_]) -> float:
    """The first value that is not allowed, to name in an error."""
    return float(np.asarray(values)[~allowed].flat[0])
