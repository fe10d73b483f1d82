"""Reports and residuals: as bytes and back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from agents.ccs.protocol import Report, Residual, kpis, packed, unpacked
from agents.lns.network import Schema

SCHEMA = Schema((40, 8, 48), "pg")


@pytest.fixture
def report() -> Report:
    parameters = np.random.default_rng(0).normal(size=SCHEMA.size).astype(np.float32)
    return Report("north", 3, 900.0, SCHEMA, parameters, np.array([0.7, 0.5, 0.6, 0.6], np.float32), "city")


def test_bytes_and_back(report) -> None:
    again = Report.from_bytes(report.to_bytes())
    about = again.network, again.round, again.time_s, again.schema, again.operator
    assert about == ("north", 3, 900.0, SCHEMA, "city")
    assert (again.parameters == report.parameters).all() and (again.kpis == report.kpis).all()
    residual = Residual("north", 7, 3, np.ones((9, 48), np.float32))
    back = Residual.from_bytes(residual.to_bytes())
    assert (back.network, back.round, back.report_round) == ("north", 7, 3)
    assert (back.delta == residual.delta).all()


@pytest.mark.parametrize(
    ("encoding", "share", "largest", "error"),
    [("float16", 0.5, 0.51, 1e-3), ("int8", 0.5, 0.27, 0.02), ("top", 0.5, 0.30, 0.7), ("top", 0.1, 0.10, 2.0)],
)
def test_compressed_reports_are_smaller_and_close(encoding, share, largest, error, report) -> None:
    schema = Schema()
    parameters = np.random.default_rng(1).normal(size=schema.size).astype(np.float32)
    report = replace(report, schema=schema, parameters=parameters)
    data = report.to_bytes(encoding, share)
    assert len(data) < largest * len(report.to_bytes())
    assert np.abs(Report.from_bytes(data).parameters - parameters).max() < error


def test_the_largest_weights_are_kept() -> None:
    parameters = np.array([3.0, -1.0, 0.5, -4.0, 0.0], np.float32)
    assert unpacked(packed(parameters, "top", 0.4), 5).tolist() == [3.0, 0.0, 0.0, -4.0, 0.0]
    with pytest.raises(ValueError, match="encoding = 'int4'"):
        packed(parameters, "int4")


def test_malformed_reports_are_refused(report) -> None:
    with pytest.raises(ValueError, match=r"report of north: parameters: is float32 \[719\]; expected float32 \[760\]"):
        replace(report, parameters=report.parameters[:719])
    broken = report.parameters.copy()
    broken[5] = np.nan
    with pytest.raises(ValueError, match="parameters: 1 numbers are not finite"):
        replace(report, parameters=broken)
    with pytest.raises(ValueError, match="kpis: 1 numbers are not finite"):
        replace(report, kpis=np.array([0, 0, np.inf, 0], np.float32))
    with pytest.raises(ValueError, match="no name"):
        replace(report, network="")
    for data in (b"", b"nonsense" * 9, report.to_bytes()[:-5], Residual("a", 1, 1, np.ones((2, 2), "f4")).to_bytes()):
        with pytest.raises(ValueError, match="no report of ccs-record-1, or a damaged one"):
            Report.from_bytes(data)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("network", ["x"], r"network = \['x'\] is no text"),
        ("operator", 5, "operator = 5 is no text"),
        ("round", float("nan"), "round = nan; expected an integer from 0"),
        ("round", 1.5, "round = 1.5; expected an integer from 0"),
        ("round", True, "round = True; expected an integer from 0"),
        ("time_s", True, "time_s = True; expected a finite number"),
        ("time_s", "0", "time_s = '0'; expected a finite number"),
    ],
)
def test_fields_of_other_types_are_refused_by_name(report, field, value, text) -> None:
    with pytest.raises(ValueError, match=text):
        replace(report, **{field: value})


def test_what_travels_is_checked_like_what_is_made(report) -> None:
    data = report.to_bytes()
    header, whole = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]), load(data)
    for field, value in (("operator", ["x"]), ("round", 1.5), ("sizes", [40.0, 48.0])):
        record = json.loads(header["__metadata__"]["record"])
        record["about"][field] = value
        with pytest.raises(ValueError, match=field):
            Report.from_bytes(save(whole, metadata={"record": json.dumps(record)}))
    deep = b"[" * 200_000
    with pytest.raises(ValueError, match="no report of ccs-record-1"):
        Report.from_bytes(len(deep).to_bytes(8, "little") + deep)


def test_summaries_by_hand() -> None:
    actual = kpis([100, 0, 100], [50, 0, 0], [2500.0, 0.0, 2500.0], [40, 0, 0])
    np.testing.assert_allclose(actual[0], [0.5, 62.5 / 50, 2.5 / 2, 0.5 - 0.1])
    np.testing.assert_allclose(actual[1], [1.0, 0.0, 0.5, 1.0])
    np.testing.assert_allclose(actual[2], [0.0, 50.0, 2.0, -0.1], rtol=1e-6)


def test_numbers_of_numpy_become_plain_ones_and_travel(report) -> None:
    same = replace(report, round=np.int64(3), time_s=np.float32(900.0), schema=Schema((np.int64(40), 8, 48), "pg"))
    assert type(same.round) is int and type(same.time_s) is float
    assert same.to_bytes() == report.to_bytes()
    residual = Residual("north", np.int64(7), np.int64(3), np.ones((9, 48), np.float32))
    assert Residual.from_bytes(residual.to_bytes()).round == 7


def test_a_time_that_no_clock_says_is_refused(report) -> None:
    for time_s in (10**401, 1e300, float("nan"), float("-inf")):
        with pytest.raises(ValueError, match="report of north: time_s = "):
            replace(report, time_s=time_s)
    sent = report.to_bytes()
    with pytest.raises(ValueError, match="time_s = 1"):
        Report.from_bytes(_with_header(sent, b"900.0", b"1" + b"0" * 400))


def _with_header(data: bytes, old: bytes, new: bytes) -> bytes:
    size = int.from_bytes(data[:8], "little")
    header, rest = data[8 : 8 + size], data[8 + size :]
    assert header.count(old) == 1
    header = header.replace(old, new)
    return len(header).to_bytes(8, "little") + header + rest


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("parameters", [0.0] * 760, "parameters: is a list; expected an array, float32"),
        ("kpis", None, "kpis: is a NoneType; expected an array"),
        ("schema", None, "schema = None is no Schema"),
    ],
)
def test_fields_that_are_no_arrays_or_no_schema_are_refused_by_name(report, field, value, text) -> None:
    with pytest.raises(ValueError, match=f"report of north: {text}"):
        replace(report, **{field: value})


def test_a_residual_that_is_no_array_is_refused() -> None:
    with pytest.raises(ValueError, match="residual of north: delta: is a list"):
        Residual("north", 0, 0, [[0.0]])  # type: ignore[arg-type]
