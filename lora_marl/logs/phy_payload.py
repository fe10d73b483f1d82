"""What a gateway can read of an encrypted LoRaWAN frame: who sent it, and its counter.

Source: LoRaWAN L2 1.0.4, 4.2 and 4.3.
"""

from __future__ import annotations

import binascii
from typing import Literal, NamedTuple

from lora_marl.logs.rows import BadEvent

OVERHEAD_BYTES = 13
"""MHDR 1, DevAddr 4, FCtrl 1, FCnt 2, FPort 1 and MIC 4: what a PHY payload has beyond an application's."""

_JOIN_REQUEST, _UPLINKS, _DOWNLINKS, _REJOIN = 0, (2, 4), (1, 3, 5), 6
_LEAST_BYTES = 12
"""An uplink without FPort and payload."""


class Uplink(NamedTuple):
    """The header of a data uplink.

    Attributes:
        device: Its address, eight hexadecimal digits; addresses are not unique between networks.
        counter: The low 16 bits of the frame counter.
        payload_bytes: Size of the whole PHY payload. bytes
    """

    device: str
    counter: int
    payload_bytes: int


def read_header(encoded: str) -> Uplink | Literal["join", "downlink", "proprietary"]:
    """The header of a PHY payload in base64, or what kind of frame it is where it is no data uplink.

    Raises:
        BadEvent: it is no base64, or too short.
    """
    try:
        frame = binascii.a2b_base64(encoded)
    except (binascii.Error, TypeError, ValueError):
        raise BadEvent("PHY payload is no base64") from None
    if not frame:
        raise BadEvent("PHY payload is empty")
    kind = frame[0] >> 5
    if kind in (_JOIN_REQUEST, _REJOIN):
        return "join"
    if kind not in _UPLINKS:
        return "downlink" if kind in _DOWNLINKS else "proprietary"
    if len(frame) < _LEAST_BYTES:
        raise BadEvent(f"PHY payload has {len(frame)} bytes; an uplink has at least {_LEAST_BYTES}")
    return Uplink(frame[4:0:-1].hex(), int.from_bytes(frame[6:8], "little"), len(frame))


def payload_bytes(data: str | None) -> int:
    """Size of the PHY payload around an application's payload in base64 or hexadecimal; -1: there is no text. bytes

    Options in the header (answers to MAC commands, up to 15 bytes) do not show in it.
    """
    if not isinstance(data, str):
        return -1
    if not data:
        return OVERHEAD_BYTES
    size = len(data)
    # Servers write base64, some recorders hexadecimal: a long base64 text hardly ever has such digits only.
    if size % 2 == 0 and (size >= 12 or size % 4) and _is_hexadecimal(data):
        return OVERHEAD_BYTES + size // 2
    return OVERHEAD_BYTES + size // 4 * 3 - (2 if data.endswith("==") else 1 if data.endswith("=") else 0)


def _is_hexadecimal(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
