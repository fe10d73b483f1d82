from __future__ import annotations

import json

import pytest

pytest.importorskip("orjson")
pytest.importorskip("pyarrow")
pytest.importorskip("paho.mqtt")

from scripts import logs
from tests.logs import writers
from tests.logs.test_reading import some_frames


def test_a_log_is_imported_and_shown(invoke, tmp_path):
    (tmp_path / "events.ndjson").write_text(writers.ndjson(some_frames(), "chirpstack-v4") + "broken\n")
    out = tmp_path / "log"
    result = invoke(logs.app, "import", tmp_path / "events.ndjson", "--out", out)
    assert result.exit_code == 0, result.output
    assert "3 devices, 3 gateways" in result.output
    assert "delivered 100.00 % of 120 frames sent" in result.output
    assert "events.ndjson:121: no JSON" in result.output
    assert (out / "first_page.png").stat().st_size > 10_000
    again = invoke(logs.app, "import", tmp_path / "events.ndjson", "--out", out)
    assert again.exit_code == 2 and "has a log already; replace it with --overwrite" in again.output
    shown = invoke(logs.app, "show", out, "--json", tmp_path / "counts.json")
    assert shown.exit_code == 0 and "PRR by device and gateway" in shown.output
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert [row["device"] for row in counts] == [writers.eui(device) for device in range(3)]
    assert counts[0]["sent"] == 40 and counts[0]["heard_by"][writers.gateway(0)] == 40


def test_what_is_wrong_is_said_in_a_line(invoke, tmp_path):
    for arguments, message in (
        (("import", tmp_path / "none", "--out", tmp_path / "log"), "none: is neither a file nor a folder"),
        (("show", tmp_path), "holds no imported log"),
        (("listen", "nowhere", "--out", tmp_path), "is not like mqtt://host:1883"),
        (("listen", "mqtt://127.0.0.1:1", "--out", tmp_path), "error: 127.0.0.1:1: "),
    ):
        result = invoke(logs.app, *arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output.replace("\n", "")
