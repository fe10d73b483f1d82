"""Recording live from an MQTT broker, as ndjson that `import_log` reads.

Each line is the event with `_topic` and `_timestamp` (this machine's clock, milliseconds since 1970) added. Lines are
flushed as they come; a new file begins every day (UTC).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

TOPICS = (
    "application/+/device/+/event/+",  # ChirpStack v3 and v4
    "v3/+/devices/+/up",  # The Things Stack
    "+/gateway/+/event/up",  # ChirpStack's gateways, with a region's prefix
)
"""What is listened to where nothing else is asked for."""

DEFAULT_PORT, TLS_PORT = 1883, 8883
_CONNECT_S = 10.0


class BrokerError(OSError):
    """The broker cannot be reached, or refuses."""


class Recorder:
    """Writes every message of a broker's topics to files in a folder.

    Args:
        url: `mqtt://host:1883`, or `mqtts://host:8883` with TLS.
        folder: Where `YYYY-MM-DD.ndjson` files go; made if it is missing.
        topics: MQTT topic filters.
        username, password: Of the broker; None: it asks for none.
        on_message: Called after each message with the number of messages so far.

    Raises:
        ValueError: a URL of another form.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        topics: Sequence[str] = TOPICS,
        *,
        username: str | None = None,
        password: str | None = None,
        on_message: Callable[[int], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError(f"broker: {url!r} is not like mqtt://host:1883 or mqtts://host:8883")
        self.messages = self.unreadable = 0
        self._folder, self._topics, self._on_message = folder, tuple(topics), on_message
        self._host = parts.hostname
        self._port = parts.port or (TLS_PORT if parts.scheme == "mqtts" else DEFAULT_PORT)
        self._ready, self._refusal = threading.Event(), ""
        self._file: IO[bytes] | None = None
        self._day = ""
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if parts.scheme == "mqtts":
            self._client.tls_set()
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._message

    def start(self) -> None:
        """Connect and subscribe; messages are written in the background until `stop`, across reconnections.

        Raises:
            BrokerError: no connection within ten seconds, or a refusal.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._client.connect(self._host, self._port)
        except OSError as error:
            raise BrokerError(f"{self._host}:{self._port}: {error.strerror or error}") from None
        self._client.loop_start()
        if not self._ready.wait(_CONNECT_S) or self._refusal:
            self.stop()
            raise BrokerError(f"{self._host}:{self._port}: {self._refusal or 'no answer to the subscription'}")

    def stop(self) -> None:
        """Disconnect and close the file."""
        self._client.disconnect()
        self._client.loop_stop()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _connected(self, client: mqtt.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            self._ready.set()
        else:
            client.subscribe([(topic, 0) for topic in self._topics])

    def _message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        now_s = time.time()
        try:
            event = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            self.unreadable += 1  # protobuf: the server's or bridge's marshaler must be json
            return
        line = orjson.dumps({**event, "_topic": message.topic, "_timestamp": round(now_s * 1e3)})
        file = self._of_day(now_s)
        file.write(line + b"\n")
        file.flush()
        self.messages += 1
        if self._on_message is not None:
            self._on_message(self.messages)

    def _of_day(self, now_s: float) -> IO[bytes]:
        day = f"{datetime.fromtimestamp(now_s, UTC):%Y-%m-%d}"
        if self._file is None or day != self._day:
            if self._file is not None:
                self._file.close()
            self._file, self._day = (self._folder / f"{day}.ndjson").open("ab"), day
        return self._file
