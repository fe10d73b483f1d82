"""Parsers of events in JSON: ChirpStack v3 and v4, The Things Stack, gateways' own frames, Helium.

A parser takes an event as a dictionary, appends its uplinks to `Rows`, and returns what the event is, which the report
counts. It raises BadEvent, KeyError, TypeError or ValueError where the event lacks what its format promises; then
nothing of it is appended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lora_marl.logs.data_rates import NO_LORA, Rate, lora_rate, rate_of_text
from lora_marl.logs.phy_payload import OVERHEAD_BYTES, payload_bytes, read_header
from lora_marl.logs.rows import SERVER_SPREAD_S, BadEvent, ReceptionRow, Rows, whole
from lora_marl.logs.times import time_s

Event = dict[str, Any]
Parser = Callable[[Event, Rows, "Source"], str]


HOTSPOT_SPREAD_S = 30.0
"""How far apart hotspots of Helium report one frame. s"""


class Source:
    """What a parser must know of the file that it reads.

    Args:
        name: Name of the gateway of raw frames that do not name theirs: that of the file.
        rates: Data rates by number, of the region; empty: it is not known.
    """

    __slots__ = ("name", "rates")

    def __init__(self, name: str, rates: Mapping[int, Rate]) -> None:
        self.name, self.rates = name, rates


def chirpstack_v3(event: Event, rows: Rows, source: Source) -> str:
    """An application event of ChirpStack v3."""
    heard = event.get("rxInfo")
    if heard is None:
        return next((kind for key, kind in _V3_KINDS.items() if key in event), "other events")
    receptions: list[ReceptionRow] = []
    located = rows.located
    for info in heard:
        name = info["gatewayID"]
        number = located.get(name)
        if number is None:
            place = info.get("location") or {}
            number = rows.gateway(name, place.get("latitude"), place.get("longitude"))
        receptions.append((number, info["rssi"], info["loRaSNR"]))
    stated = event["txInfo"]
    sf, bandwidth_hz = _numbered(stated["dr"], source)
    moment = (
        event.get("_timestamp") or event.get("publishedAt") or next((i["time"] for i in heard if "time" in i), None)
    )
    rows.add(
        (rows.device(event["devEUI"]), whole(event["fCnt"]), time_s(moment), whole(stated["frequency"]), sf,
         bandwidth_hz, payload_bytes(event.get("data", "")), SERVER_SPREAD_S),
        receptions,
    )  # fmt: skip
    return "uplinks"


_V3_KINDS = {"margin": "status", "batteryLevel": "status", "devAddr": "joins", "acknowledged": "acknowledgements",
             "error": "errors", "fCnt": "other events"}  # fmt: skip


def chirpstack_v4(event: Event, rows: Rows, source: Source) -> str:
    """An application event of ChirpStack v4, which leaves out fields that are 0."""
    heard = event.get("rxInfo")
    if not heard or "txInfo" not in event:
        return next((kind for key, kind in _V4_KINDS.items() if key in event), "other events")
    receptions: list[ReceptionRow] = []
    located = rows.located
    for info in heard:
        name = info["gatewayId"]
        number = located.get(name)
        if number is None:
            place = info.get("location") or {}
            number = rows.gateway(name, place.get("latitude"), place.get("longitude"))
        receptions.append((number, info.get("rssi", 0), info.get("snr", 0.0)))
    # The server's own clock first: `time` may be that of a gateway, whose clock can be years off.
    moment = heard[0].get("nsTime") or event.get("_timestamp") or event.get("time")
    sf, bandwidth_hz = _modulation(event["txInfo"])
    rows.add(
        (rows.device(event["deviceInfo"]["devEui"]), whole(event.get("fCnt", 0)), time_s(moment),
         whole(event["txInfo"]["frequency"]), sf, bandwidth_hz, payload_bytes(event.get("data", "")), SERVER_SPREAD_S),
        receptions,
    )  # fmt: skip
    return "uplinks"


_V4_KINDS = {"margin": "status", "batteryLevel": "status", "acknowledged": "acknowledgements", "level": "errors",
             "location": "locations", "downlinkId": "downlinks", "devAddr": "joins"}  # fmt: skip


def the_things_stack(event: Event, rows: Rows, source: Source) -> str:
    """An event of The Things Stack v3, which leaves out fields that are 0."""
    uplink = event.get("uplink_message")
    if uplink is None:
        if "join_accept" in event:
            return "joins"
        return "downlinks" if any(key.startswith("downlink_") for key in event) else "other events"
    if not uplink.get("rx_metadata"):
        raise BadEvent("uplink_message has no rx_metadata")
    receptions: list[ReceptionRow] = []
    for metadata in uplink["rx_metadata"]:
        # Gateways of other networks come through Packet Broker, all under one id.
        broker, ids = metadata.get("packet_broker") or {}, metadata["gateway_ids"]
        forwarder = broker.get("forwarder_gateway_eui") or broker.get("forwarder_gateway_id")
        identity: str = forwarder or ids.get("eui") or ids["gateway_id"]
        place = metadata.get("location") or {}
        number = rows.gateway(identity, place.get("latitude"), place.get("longitude"))
        receptions.append((number, metadata.get("rssi", metadata.get("channel_rssi", 0)), metadata.get("snr", 0.0)))
    devices, settings = event["end_device_ids"], uplink["settings"]
    lora = settings["data_rate"].get("lora")
    sf, bandwidth_hz = lora_rate(whole(lora["spreading_factor"]), whole(lora["bandwidth"])) if lora else NO_LORA
    moment = uplink.get("received_at") or event.get("received_at") or event.get("_timestamp")
    rows.add(
        (rows.device(devices.get("dev_eui") or devices["device_id"]), whole(uplink.get("f_cnt", 0)), time_s(moment),
         whole(settings["frequency"]), sf, bandwidth_hz, payload_bytes(uplink.get("frm_payload", "")), SERVER_SPREAD_S),
        receptions,
    )  # fmt: skip
    return "uplinks"


def chirpstack_gateway(event: Event, rows: Rows, source: Source) -> str:
    """A frame of ChirpStack's gateway topic (v3 or v4, JSON marshaler), heard by one gateway."""
    header = read_header(event["phyPayload"])
    if isinstance(header, str):
        return _FRAMES[header]
    heard, stated = event["rxInfo"], event["txInfo"]
    if str(heard.get("crcStatus", "CRC_OK")) in ("BAD_CRC", "1"):
        return "bad CRC"
    place = heard.get("location") or {}
    name = heard.get("gatewayId") or heard["gatewayID"]
    gateway = rows.gateway(name, place.get("latitude"), place.get("longitude"))
    sf, bandwidth_hz = _modulation(stated)
    moment = event.get("_timestamp") or heard.get("nsTime") or heard.get("gwTime") or heard.get("time")
    rows.add(
        (rows.device(header.device), header.counter, time_s(moment), whole(stated["frequency"]), sf, bandwidth_hz,
         header.payload_bytes, SERVER_SPREAD_S),
        [(gateway, heard.get("rssi", 0), heard.get("snr", heard.get("loRaSNR", 0.0)))],
    )  # fmt: skip
    return "uplinks"


_FRAMES = {"join": "joins", "downlink": "downlinks", "proprietary": "other events"}


def semtech_udp(event: Event, rows: Rows, source: Source) -> str:
    """A datagram of Semtech's packet forwarder: any number of frames of one gateway.

    The gateway is in the datagram's binary head. Recorders write it as `gateway`, `gatewayId`, `gateway_id`, `mac` or
    `eui`; else the file's name stands for it.
    """
    keys = ("gateway", "gatewayId", "gateway_id", "mac", "eui")
    gateway = rows.gateway(next((event[key] for key in keys if key in event), source.name))
    outer = event.get("_timestamp") or event.get("received_at") or event.get("time")
    kind, pending = "other events", []
    for packet in event["rxpk"]:
        if packet.get("stat", 1) == -1:
            kind = "bad CRC"
            continue
        header = read_header(packet["data"])
        if isinstance(header, str):
            kind = _FRAMES[header]
            continue
        sf, bandwidth_hz = rate_of_text(packet["datr"])
        frequency_hz = round(float(packet["freq"]) * 1e6)
        moment = time_s(outer or packet.get("time"))
        frame = (
            rows.device(header.device), header.counter, moment, frequency_hz, sf, bandwidth_hz, header.payload_bytes,
            SERVER_SPREAD_S,
        )  # fmt: skip
        pending.append((frame, [(gateway, packet["rssi"], packet.get("lsnr", 0.0))]))
    for frame, receptions in pending:
        rows.add(frame, receptions)
    return "uplinks" if pending else kind


def helium(event: Event, rows: Rows, source: Source) -> str:
    """A row of a Helium integration: an uplink with, mostly, one of the hotspots that heard it."""
    hotspots = event["hotspots"]
    if not hotspots:
        raise BadEvent("hotspots is empty")
    receptions = [(rows.gateway(h["id"], h.get("lat"), h.get("long")), h["rssi"], h["snr"]) for h in hotspots]
    sf, bandwidth_hz = rate_of_text(hotspots[0]["spreading"])
    # Single-precision megahertz: 868.2999878 is 868.3, as channels lie at multiples of 100 kHz or, in some plans, 25.
    frequency_hz = round(hotspots[0]["frequency"] * 40) * 25_000
    # Addresses name sessions: a device gets a new one with every join.
    device = event.get("dev_eui") or event["devaddr"]
    moment = hotspots[0].get("reported_at") or event.get("reported_at") or event.get("_timestamp")
    size = event.get("payload_size")
    rows.add(
        (rows.device(device), whole(event["fcnt"]), time_s(moment), frequency_hz, sf, bandwidth_hz,
         -1 if size is None else whole(size) + OVERHEAD_BYTES, HOTSPOT_SPREAD_S),
        receptions,
    )  # fmt: skip
    return "uplinks"


def _modulation(stated: Event) -> Rate:
    """The rate in `txInfo` of ChirpStack's gateways, v4 or v3, and of v4's application events."""
    if "loRaModulationInfo" in stated:
        lora = stated["loRaModulationInfo"]
    else:
        lora = stated["modulation"].get("lora") if isinstance(stated.get("modulation"), dict) else None
    return lora_rate(whole(lora["spreadingFactor"]), whole(lora["bandwidth"])) if lora else NO_LORA


def _numbered(number: Any, source: Source) -> Rate:
    if not source.rates:
        raise BadEvent("its data rate is a number, which depends on the region; name it by --region")
    if number not in source.rates:
        raise BadEvent(f"data rate {number!r:.20} is none of this region; name another by --region")
    return source.rates[number]


FORMATS: Mapping[str, tuple[tuple[str, ...], Parser]] = {
    "chirpstack-v3": (("devEUI",), chirpstack_v3),
    "chirpstack-v4": (("deviceInfo",), chirpstack_v4),
    "the-things-stack": (("end_device_ids",), the_things_stack),
    "semtech-udp": (("rxpk",), semtech_udp),
    "chirpstack-gateway": (("phyPayload", "rxInfo"), chirpstack_gateway),
    "helium": (("hotspots",), helium),
}
"""Parsers by name of the format, with the keys by which an event is recognised."""

_KEYS = tuple((name, keys[0], keys, parser) for name, (keys, parser) in FORMATS.items())


def parser_of(event: Event) -> tuple[str, Parser] | None:
    """Name and parser of an event's format; None: it is of none."""
    for name, first, keys, parser in _KEYS:
        if first in event and all(key in event for key in keys):
            return name, parser
    return None
