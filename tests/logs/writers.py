"""Files in the formats of network servers and gateways, written from a list of frames."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Frame:
    """A frame that somebody heard, and by whom: gateway, RSSI [dBm] and SNR [dB]."""

    device: int
    counter: int
    time_s: float
    heard: tuple[tuple[int, float, float], ...]
    frequency_hz: int = 868_100_000
    sf: int = 7
    bytes: int = 20


def eui(device: int) -> str:
    return f"70b3d5000000{device:04x}"


def address(device: int) -> str:
    return f"260b{device:04x}"


def gateway(number: int) -> str:
    return f"a84041ffff00{number:04x}"


def moment(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def payload(frame: Frame) -> str:
    return base64.b64encode(b"\x05" * (frame.bytes - 13)).decode()


def phy_payload(frame: Frame, kind: int = 2) -> str:
    """Base64 of an unconfirmed uplink of `bytes` bytes, or a frame of another kind."""
    head = bytes([kind << 5]) + bytes.fromhex(address(frame.device))[::-1]
    head += b"\x80" + (frame.counter & 0xFFFF).to_bytes(2, "little") + b"\x01"
    return base64.b64encode(head + b"\x05" * (frame.bytes - 13) + b"\0\0\0\0").decode()


def place(number: int) -> dict[str, float]:
    return {"latitude": 45.0 + number / 100, "longitude": 5.0, "altitude": 200}


def chirpstack_v3(frame: Frame) -> list[dict]:
    heard = [
        {
            "gatewayID": gateway(g),
            "time": moment(frame.time_s + 3e7),
            "rssi": rssi,
            "loRaSNR": snr,
            "location": place(g),
        }
        for g, rssi, snr in frame.heard
    ]
    return [
        {"devEUI": eui(frame.device), "deviceName": "x", "rxInfo": heard,
         "txInfo": {"frequency": frame.frequency_hz, "dr": 12 - frame.sf}, "adr": True, "fCnt": frame.counter,
         "fPort": 1, "data": payload(frame), "_timestamp": round(frame.time_s * 1e3)}
    ]  # fmt: skip


def chirpstack_v4(frame: Frame) -> list[dict]:
    heard = [
        {"gatewayId": gateway(g), "nsTime": moment(frame.time_s), "gwTime": moment(frame.time_s - 9e8),
         "rssi": rssi, "channel": 1, "location": place(g), **({"snr": snr} if snr else {})}
        for g, rssi, snr in frame.heard
    ]  # fmt: skip
    lora = {"bandwidth": 125000, "spreadingFactor": frame.sf, "codeRate": "CR_4_5"}
    event = {"deduplicationId": "1", "time": moment(frame.time_s - 9e8), "deviceInfo": {"devEui": eui(frame.device)},
             "devAddr": address(frame.device), "dr": 12 - frame.sf, "fPort": 1, "data": payload(frame),
             "rxInfo": heard, "txInfo": {"frequency": frame.frequency_hz, "modulation": {"lora": lora}}}  # fmt: skip
    return [event | ({"fCnt": frame.counter} if frame.counter else {})]


def the_things_stack(frame: Frame) -> list[dict]:
    heard = [
        {"gateway_ids": {"gateway_id": f"gw-{g}", "eui": gateway(g)}, "rssi": rssi, "channel_rssi": rssi,
         "location": place(g), **({"snr": snr} if snr else {})}
        for g, rssi, snr in frame.heard
    ]  # fmt: skip
    uplink = {
        "f_port": 1, "frm_payload": payload(frame), "rx_metadata": heard, "received_at": moment(frame.time_s),
        "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": frame.sf}},
                     "frequency": str(frame.frequency_hz)},
    }  # fmt: skip
    ids = {"device_id": f"dev-{frame.device}", "dev_eui": eui(frame.device)}
    uplink |= {"f_cnt": frame.counter} if frame.counter else {}
    return [{"result": {"end_device_ids": ids, "received_at": moment(frame.time_s), "uplink_message": uplink}}]


def chirpstack_gateway(frame: Frame) -> list[dict]:
    lora = {"bandwidth": 125000, "spreadingFactor": frame.sf, "codeRate": "CR_4_5"}
    return [
        {"phyPayload": phy_payload(frame),
         "txInfo": {"frequency": frame.frequency_hz, "modulation": {"lora": lora}},
         "rxInfo": {"gatewayId": gateway(g), "nsTime": moment(frame.time_s + 0.05 * i), "rssi": rssi, "snr": snr,
                    "location": place(g), "crcStatus": "CRC_OK"}}
        for i, (g, rssi, snr) in enumerate(frame.heard)
    ]  # fmt: skip


def semtech_udp(frame: Frame) -> list[dict]:
    return [
        {"gateway": gateway(g), "_timestamp": round(frame.time_s * 1e3) + 50 * i,
         "rxpk": [{"tmst": 1, "freq": frame.frequency_hz / 1e6, "chan": 0, "stat": 1, "modu": "LORA",
                   "datr": f"SF{frame.sf}BW125", "codr": "4/5", "lsnr": snr, "rssi": rssi, "size": frame.bytes,
                   "data": phy_payload(frame)}]}
        for i, (g, rssi, snr) in enumerate(frame.heard)
    ]  # fmt: skip


def helium(frame: Frame) -> list[dict]:
    single = float(f"{frame.frequency_hz / 1e6:.4f}") + 1.2e-5
    return [
        {"dev_eui": eui(frame.device), "devaddr": address(frame.device), "fcnt": frame.counter,
         "payload_size": frame.bytes - 13, "reported_at": round(frame.time_s * 1e3),
         "hotspots": [{"id": gateway(g), "rssi": rssi, "snr": snr, "spreading": f"SF{frame.sf}BW125",
                       "frequency": single, "reported_at": round(frame.time_s * 1e3) + 400 * i, "hold_time": 900,
                       "lat": place(g)["latitude"], "long": 5.0}]}
        for i, (g, rssi, snr) in enumerate(frame.heard)
    ]  # fmt: skip


JSON: Mapping[str, Callable[[Frame], list[dict]]] = {
    "chirpstack-v3": chirpstack_v3,
    "chirpstack-v4": chirpstack_v4,
    "the-things-stack": the_things_stack,
    "chirpstack-gateway": chirpstack_gateway,
    "semtech-udp": semtech_udp,
    "helium": helium,
}


def ndjson(frames: Sequence[Frame], format_name: str) -> str:
    return "".join(json.dumps(event) + "\n" for frame in frames for event in JSON[format_name](frame))


def table(frames: Sequence[Frame], *, separator: str = ",", comma: str = ".") -> str:
    names = ("device", "fcnt", "time", "gateway", "rssi", "snr", "sf", "frequency_hz", "payload_bytes", "gateway_lat",
             "gateway_lon")  # fmt: skip
    lines = [separator.join(names)]
    for frame in frames:
        for g, rssi, snr in frame.heard:
            cells = (eui(frame.device), frame.counter, moment(frame.time_s), gateway(g), rssi, snr, frame.sf,
                     frame.frequency_hz, frame.bytes, place(g)["latitude"], 5.0)  # fmt: skip
            lines.append(separator.join(str(c).replace(".", comma) if isinstance(c, float) else str(c) for c in cells))
    return "\n".join(lines) + "\n"
