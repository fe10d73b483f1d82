from __future__ import annotations

import json

import pytest

pytest.importorskip("orjson")
pytest.importorskip("pyarrow")
pytest.importorskip("scipy")

from lora_marl import config
from lora_marl.logs.reading import import_log
from scripts import calibrate
from tests.logs import writers
from tests.logs.test_reading import some_frames


def test_a_scenario_is_written_beside_what_it_is_worth(invoke, tmp_path):
    frames = [frame for frame in some_frames(frames=150)]
    (tmp_path / "events.ndjson").write_text(writers.ndjson(frames, "chirpstack-v4"))
    import_log([tmp_path / "events.ndjson"], tmp_path / "log")
    result = invoke(calibrate.app, tmp_path / "log", "--region", "EU868", "--out", tmp_path / "twin")
    assert result.exit_code == 0, result.output
    assert "the first 60 % of the log predict the rest" in result.output
    assert "- Transmit powers: they are not in logs" in result.output
    figures = json.loads((tmp_path / "twin" / "validation.json").read_text())
    assert {"figure", "calibration", "naive", "worse_than_naive"} <= set(figures[0])
    assert (tmp_path / "twin" / "calibration.png").stat().st_size > 10_000
    run = config.load(tmp_path / "twin" / "scenario.yaml")
    assert run.scenario.build().nodes == 3
    again = invoke(calibrate.app, tmp_path / "log", "--region", "EU868", "--out", tmp_path / "twin")
    assert again.exit_code == 2 and "has a scenario already; replace it with --overwrite" in again.output


def test_what_is_wrong_is_said_in_a_line(invoke, tmp_path):
    (tmp_path / "few.ndjson").write_text(writers.ndjson(some_frames(frames=6), "helium"))
    import_log([tmp_path / "few.ndjson"], tmp_path / "few")
    for log, message in (
        (tmp_path, "holds no imported log"),
        (tmp_path / "few", "no device has a gateway that heard 20"),
    ):
        result = invoke(calibrate.app, log, "--region", "EU868", "--out", tmp_path / "twin")
        assert result.exit_code == 2
        assert message in result.output


def test_a_region_that_the_log_is_not_of_is_refused(invoke, tmp_path):
    (tmp_path / "events.ndjson").write_text(writers.ndjson(some_frames(frames=150), "chirpstack-v4"))
    import_log([tmp_path / "events.ndjson"], tmp_path / "log")
    for region, message in (("EU686", "did you mean 'EU868'"), ("KR920", "none of the log's channels, 867.1")):
        result = invoke(calibrate.app, tmp_path / "log", "--region", region, "--out", tmp_path / region)
        assert result.exit_code == 2 and message in result.output and not (tmp_path / region / "nodes.csv").exists()
