from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

pytest.importorskip("orjson")
pytest.importorskip("pyarrow")

from lora_marl.logs import reading
from lora_marl.logs.merging import FRAME, RECEPTION
from lora_marl.logs.reading import NothingToRead, import_log
from lora_marl.logs.tables import TrafficLog
from tests.logs import writers
from tests.logs.writers import JSON, Frame

START_S = 1.7e9


def some_frames(devices: int = 3, frames: int = 40) -> list[Frame]:
    """Frames in order of time; each is heard by one to three gateways."""
    rng = np.random.default_rng(5)
    result = []
    for counter in range(frames):
        for device in range(devices):
            heard = tuple(
                (int(g), float(-90 - 7 * g - rng.integers(5)), float(rng.integers(-6, 9)))
                for g in range(3)
                if g == 0 or rng.random() < 0.6
            )
            result.append(
                Frame(device, counter, START_S + 600 * counter + 40 * device, heard,
                      867_100_000 + 200_000 * int(rng.integers(5)), int(rng.integers(7, 13)), 20 + device)
            )  # fmt: skip
    return result


def assert_equal(log: TrafficLog, frames: list[Frame], *, name: object = writers.eui) -> None:
    """The log holds exactly these frames, whatever the order of devices and gateways."""
    found = {}
    for number, row in enumerate(log.frames):
        heard = log.receptions[log.receptions["frame"] == number]
        key = (log.devices[row["device"]], int(row["counter"]))
        found[key] = (
            round(float(row["time_s"]), 1), int(row["frequency_hz"]), int(row["sf"]), int(row["bandwidth_hz"]),
            int(row["payload_bytes"]),
            {(log.gateways[r["gateway"]], float(r["rssi_dbm"]), float(r["snr_db"])) for r in heard},
        )  # fmt: skip
    assert found == {
        (name(f.device), f.counter): (
            round(f.time_s, 1), f.frequency_hz, f.sf, 125_000, f.bytes,
            {(writers.gateway(g), rssi, snr) for g, rssi, snr in f.heard},
        )
        for f in frames
    }  # fmt: skip


@pytest.mark.parametrize("format_name", JSON)
def test_every_format_gives_the_same_tables(tmp_path, format_name):
    frames = some_frames()
    (tmp_path / "log.ndjson").write_text(writers.ndjson(frames, format_name))
    log = import_log([tmp_path], tmp_path / "out", region="EU868")
    assert_equal(
        log, frames, name=writers.address if format_name in ("semtech-udp", "chirpstack-gateway") else writers.eui
    )
    assert log.report["formats"] == {format_name: sum(len(JSON[format_name](frame)) for frame in frames)}
    assert log.report["skipped"] == {}
    if format_name != "semtech-udp":
        assert log.gateway_lat_lon[log.gateways.index(writers.gateway(2))] == pytest.approx((45.02, 5.0))


@pytest.mark.parametrize(("separator", "comma"), [(",", "."), (";", ","), ("\t", ".")])
def test_tables_of_text(tmp_path, separator, comma):
    frames = some_frames()
    (tmp_path / "log.csv").write_text(writers.table(frames, separator=separator, comma=comma))
    assert_equal(import_log([tmp_path / "log.csv"], tmp_path / "out"), frames)


def test_a_table_with_the_newest_row_first_whole_minutes_and_day_first(tmp_path):
    lines = ["Date Time;Gateway;Direction;DevEUI;Timestamp;Sequence;SF;RSSI;SNR"]
    for counter in reversed(range(30)):
        minute = 10 + counter
        for name in "ab":
            lines.append(f"23/01/2024 18:{minute};{name};up;d1;{counter * 7919};{counter};7;-115;-8,5")
    lines.insert(3, "23/01/2024 18:39;a;down;d1;5;77;7;-50;9")
    (tmp_path / "log.csv").write_text("\n".join(lines))
    log = import_log([tmp_path / "log.csv"], tmp_path / "out")
    assert log.frames["counter"].tolist() == list(range(30))
    assert (np.diff(log.frames["time_s"]) == 60).all()
    assert len(log.receptions) == 60 and set(log.receptions["snr_db"].tolist()) == {-8.5}
    assert log.report["mended"]["files with the newest row first"] == 1
    assert log.report["events"] == {"uplinks": 60, "downlinks": 1}


def test_folders_gzip_one_json_value_wrappers_and_the_same_file_twice(tmp_path):
    frames = some_frames()
    third = len(frames) // 3
    events = [writers.chirpstack_v4(frame)[0] for frame in frames]
    folder = tmp_path / "events"
    (folder / "deep").mkdir(parents=True)
    with gzip.open(folder / "deep" / "a.ndjson.gz", "wt") as file:
        file.writelines(json.dumps(event) + "\n" for event in events[:third])
    (folder / "b.json").write_text(json.dumps(events[third : 2 * third], indent=2))
    wrapped = [{"topic": "application/1/device/2/event/up", "payload": json.dumps(e)} for e in events[2 * third :]]
    (folder / "c.jsonl").write_text("\n".join(map(json.dumps, wrapped)))
    (folder / "notes.md").write_text("not a log")
    log = import_log([folder, folder / "b.json"], tmp_path / "out", region="EU868")
    assert_equal(log, frames)
    assert log.report["mended"]["rows merged into frames"] == third
    assert log.report["mended"]["same gateway twice"] == sum(len(f.heard) for f in frames[third : 2 * third])


def test_damaged_lines_are_skipped_and_named(tmp_path):
    frames = some_frames(frames=4)
    good = [json.dumps(writers.chirpstack_v3(frame)[0]) for frame in frames]

    def changed(**values: object) -> str:
        return json.dumps(writers.chirpstack_v3(frames[0])[0] | values)

    strange = writers.chirpstack_v3(frames[0])[0]
    strange["rxInfo"][0]["rssi"] = "loud"
    bad = {
        2: ("{", "no JSON"),
        3: (changed(fCnt=-1), "damaged chirpstack-v3 event: frame counter -1"),
        4: (changed(fCnt="7.5"), "damaged chirpstack-v3 event: '7.5' is no whole number"),
        5: (changed(txInfo={"frequency": 868100000}), "damaged chirpstack-v3 event: no 'dr'"),
        6: (changed(txInfo={"frequency": 868.1, "dr": 5}), "damaged chirpstack-v3 event: 868.1 is no whole number"),
        7: (json.dumps(strange), "damaged chirpstack-v3 event: '<=' not supported"),
        8: ("[1, 2]", "no event: 1"),
        9: ('{"temperature": 3}', "unknown format: keys temperature"),
        10: (changed(_timestamp=-5), "damaged chirpstack-v3 event: time"),
        11: (changed(devEUI=5), "damaged chirpstack-v3 event: 5 is no name"),
        12: (changed(rxInfo=7), "damaged chirpstack-v3 event: 'int' object is not iterable"),
        13: (changed(txInfo={"frequency": 868100000, "dr": 99}), "damaged chirpstack-v3 event: data rate 99"),
    }
    path = tmp_path / "log.ndjson"
    path.write_bytes("\n".join([good[0], *(text for text, _ in bad.values()), *good[1:], ""]).encode() + b"\xff\xfe\n")
    log = import_log([path], tmp_path / "out", region="EU868")
    assert_equal(log, frames)
    for line, (_, reason) in bad.items():
        assert any(p.startswith(f"{path}:{line}: {reason}") for p in log.report["problems"]), (line, reason)
    assert sum(log.report["skipped"].values()) == len(bad) + 2  # the list has two events, and the last line is no UTF-8


def test_a_gzip_file_that_was_cut_off_is_read_up_to_its_end(tmp_path):
    frames = some_frames(frames=400)
    packed = gzip.compress(writers.ndjson(frames, "chirpstack-v3").encode())
    (tmp_path / "log.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    log = import_log([tmp_path / "log.ndjson.gz"], tmp_path / "out", region="EU868")
    assert 300 < len(log.frames) < len(frames)
    assert log.report["skipped"]["damaged gzip: the rest of the file"] == 1


def test_other_events_are_counted_by_kind(tmp_path):
    frame = some_frames(frames=1)[0]
    events = [
        *writers.chirpstack_v3(frame),
        {"devEUI": "x", "margin": 4, "batteryLevel": 3},
        {"devEUI": "x", "devAddr": "00112233"},
        {"deviceInfo": {"devEui": "x"}, "devAddr": "00112233"},
        {"end_device_ids": {"device_id": "x"}, "join_accept": {}},
        {"end_device_ids": {"device_id": "x"}, "downlink_ack": {}},
        {"rxpk": [{"stat": -1}]},
        {"rxpk": [{"stat": 1, "data": writers.phy_payload(frame, kind=0)}]},
        {"phyPayload": writers.phy_payload(frame, kind=3), "rxInfo": {}, "txInfo": {}},
    ]
    (tmp_path / "log.json").write_text(json.dumps(events))
    log = import_log([tmp_path / "log.json"], tmp_path / "out", region="EU868")
    assert log.report["events"] == {"uplinks": 1, "status": 1, "joins": 4, "downlinks": 2, "bad CRC": 1}


def test_lr_fhss_counts_and_has_no_spreading_factor(tmp_path):
    event = writers.semtech_udp(some_frames(frames=1)[0])[0]
    event["rxpk"][0]["datr"] = "M0CW137"
    (tmp_path / "log.json").write_text(json.dumps(event))
    assert import_log([tmp_path / "log.json"], tmp_path / "out", region="EU868").frames["sf"].tolist() == [0]


def test_chunks_and_buckets_change_nothing(tmp_path, monkeypatch):
    frames = some_frames()
    (tmp_path / "log.ndjson").write_text(writers.ndjson(frames, "helium"))
    whole = import_log([tmp_path / "log.ndjson"], tmp_path / "whole", region="EU868")
    monkeypatch.setattr(reading, "_CHUNK_EVENTS", 7)
    monkeypatch.setattr(reading, "_BUCKET_RECEPTIONS", 11)
    parts = import_log([tmp_path / "log.ndjson"], tmp_path / "parts", region="EU868")
    assert (parts.frames == whole.frames).all() and (parts.receptions == whole.receptions).all()
    assert parts.report == whole.report


def test_what_is_wrong_is_said(tmp_path):
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for paths, message in (
        ([], "no file is named"),
        ([tmp_path / "none"], "none: is neither a file nor a folder"),
        ([tmp_path / "empty.json"], "1 files, 0 lines: no uplink"),
        ([tmp_path / "other.csv"], "no column 'device'"),
    ):
        with pytest.raises(NothingToRead, match=message):
            import_log(paths, tmp_path / "out")
    with pytest.raises(ValueError, match="region: 'EU686' has no data rates here; did you mean 'EU868'"):
        import_log([tmp_path / "empty.json"], tmp_path / "out", region="EU686")
    with pytest.raises(ValueError, match="holds no imported log"):
        TrafficLog.load(tmp_path)


def test_a_payload_that_no_frame_holds_is_a_damaged_event(tmp_path):
    frames = some_frames(devices=1, frames=3)
    (tmp_path / "log.csv").write_text(writers.table(frames[:2]).replace(",20,", ",99999,"))
    (tmp_path / "good.csv").write_text(writers.table(frames[2:]))
    long = writers.chirpstack_v4(frames[2])[0] | {"data": "A" * 60_000, "fCnt": 9}
    (tmp_path / "log.ndjson").write_text(json.dumps(long) + "\n")
    log = import_log([tmp_path / name for name in ("log.csv", "log.ndjson", "good.csv")], tmp_path / "out")
    assert len(log.frames) == 1 and sum("PHY payload of" in problem for problem in log.report["problems"]) >= 2


@pytest.mark.parametrize(
    ("part", "column", "value", "message"),
    [
        ("receptions", "frame", 2**40, "a row is of frame"),
        ("receptions", "frame", -1, "a row is of frame"),
        ("frames", "device", "nobody", "column device: 1 rows"),
        ("frames", "counter", None, "column counter: 1 rows"),
    ],
)
def test_a_damaged_log_is_one_line(tmp_path, part, column, value, message):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "log.csv").write_text(writers.table(some_frames(frames=3)))
    import_log([tmp_path / "log.csv"], tmp_path / "out")
    table = pq.read_table(tmp_path / f"out/{part}.parquet")
    place = table.column_names.index(column)
    values = table.column(place).to_pylist()
    values[0] = value
    kind = pa.string() if column == "device" else table.schema.field(place).type
    pq.write_table(table.set_column(place, column, pa.array(values, kind)), tmp_path / f"out/{part}.parquet")
    with pytest.raises(ValueError, match=f"holds no imported log .*{message}"):
        TrafficLog.load(tmp_path / "out")
    (tmp_path / f"out/{part}.parquet").write_bytes(b"PAR1" + b"\0" * 40 + b"PAR1")
    with pytest.raises(ValueError, match="holds no imported log") as error:
        TrafficLog.load(tmp_path / "out")
    assert "\n" not in str(error.value)


def test_a_part_by_time_keeps_its_receptions(tmp_path):
    frames = some_frames()
    (tmp_path / "log.csv").write_text(writers.table(frames))
    log = import_log([tmp_path / "log.csv"], tmp_path / "out")
    part = log.between(START_S + 6000, START_S + 12000)
    assert_equal(part, [frame for frame in frames if START_S + 6000 <= frame.time_s < START_S + 12000])
    assert part.frames.dtype == FRAME and part.receptions.dtype == RECEPTION
    assert part.heard.sum() == len(part.receptions)


def test_numbers_of_data_rates_are_no_rates_without_a_region(tmp_path):
    """DR4 is SF8 at 125 kHz in EU868 and at 500 kHz in US915."""
    path = tmp_path / "log.ndjson"
    path.write_text(writers.ndjson(some_frames(frames=2), "chirpstack-v3"))
    with pytest.raises(NothingToRead, match="its data rate is a number, which depends on the region"):
        import_log([path], tmp_path / "out")
