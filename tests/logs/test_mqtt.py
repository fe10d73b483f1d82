from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("orjson")
pytest.importorskip("pyarrow")
pytest.importorskip("paho.mqtt")

from paho.mqtt import publish

from lora_marl.logs.mqtt import BrokerError, Recorder
from lora_marl.logs.reading import import_log
from tests.logs import writers
from tests.logs.test_reading import some_frames

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def broker(tmp_path: Path):
    """A real broker on loopback; its port."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    port = free_port()
    (tmp_path / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([MOSQUITTO, "-c", tmp_path / "broker.conf"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def wait_for(recorder: Recorder, messages: int) -> None:
    for _ in range(500):
        if recorder.messages + recorder.unreadable >= messages:
            return
        time.sleep(0.01)
    raise AssertionError(f"{recorder.messages} of {messages} messages")


def test_what_a_broker_sends_is_recorded_and_read_back(broker, tmp_path):
    frames = some_frames(devices=2, frames=5)
    recorder = Recorder(f"mqtt://127.0.0.1:{broker}", tmp_path / "events")
    recorder.start()
    try:
        messages = [
            (
                f"application/1/device/{writers.eui(f.device)}/event/up",
                json.dumps(writers.chirpstack_v4(f)[0]),
                0,
                False,
            )
            for f in frames
        ]
        publish.multiple(
            [*messages, ("elsewhere", "{}", 0, False), ("eu868/gateway/a/event/up", b"\x0a\xff", 0, False)],
            "127.0.0.1",
            broker,
        )
        wait_for(recorder, len(frames) + 1)
    finally:
        recorder.stop()
    assert (recorder.messages, recorder.unreadable) == (len(frames), 1)
    log = import_log([tmp_path / "events"], tmp_path / "log")
    assert log.frames["counter"].tolist() == [*range(5), *range(5)]
    assert len(log.receptions) == sum(len(f.heard) for f in frames)
    (line, *_) = next((tmp_path / "events").glob("*.ndjson")).read_text().splitlines()
    assert json.loads(line)["_topic"].startswith("application/1/device/") and json.loads(line)["_timestamp"] > 1.7e12


def test_brokers_that_are_not_there_are_said(tmp_path):
    with pytest.raises(BrokerError, match="127.0.0.1:"):
        Recorder(f"mqtt://127.0.0.1:{free_port()}", tmp_path).start()
    for url in ("localhost", "http://localhost", "mqtt://"):
        with pytest.raises(ValueError, match="is not like mqtt://host:1883"):
            Recorder(url, tmp_path)
