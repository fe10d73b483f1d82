"""Every field that names a unit refuses what is not physical in it, and says which unit it expects."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lora_marl import config
from lora_marl.config.errors import problems
from lora_marl.config.quantities import UNITS, in_field_unit
from lora_marl.config.scenario import ChangeConfig, InterferenceConfig
from lora_marl.config.section import Section
from lora_marl.core.checks import RANGES, check_units, range_of
from lora_marl.core.coexistence import Coexistence, Deployment
from lora_marl.core.device import Device
from lora_marl.core.interference import Interference
from lora_marl.core.presets.ccs import ccs_study
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.region import REGIONS, Region
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.trace import Trace

UNIT = re.compile(r"_(?:k|M)?(?:hz|dbm|db|m|km|s|ms|us|min|h|d|days|years|mj|j|mah|ma|ua|mw|uw|v|bytes|bits|bps)$")

EXAMPLES = {
    Scenario: lambda: Scenario(node_xy_m=np.zeros((1, 2)), region=REGIONS["EU868"]),
    Region: lambda: REGIONS["EU868"],
    Interference: lambda: Interference(occupancy=[0.1]),
    Change: lambda: Change(at_s=0.0, values={}),
    Coexistence: lambda: ccs_study(2),
    Trace: lambda: Trace.of_nodes([[0.0]], [20], repeat_s=10.0),
}
NEEDED = {
    ChangeConfig: {"at_s": 0, "values": {}},
    InterferenceConfig: {"occupancy": [0.1]},
    config.PacketRun: {"learners": {"random": {}}},
    config.EnergyRun: {"learners": {"random": {}}, "energy": {}},
    config.CoexistenceRun: {"learners": {"ccs": {}}, "coexistence": {}},
}


def parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in typing.get_args(hint):
        yield from parts(part)


def records(record: type) -> Iterator[type]:
    """A record, and those that its fields hold."""
    yield record
    for hint in typing.get_type_hints(record).values():
        for part in parts(hint):
            if dataclasses.is_dataclass(part) and part is not record:
                yield from records(part)


def sections(section: type[Section]) -> Iterator[type[Section]]:
    yield section
    for field in section.model_fields.values():
        for part in parts(field.annotation):
            if isinstance(part, type) and issubclass(part, Section):
                yield from sections(part)


def with_units(kinds: dict[type, None], names: Any) -> list[Any]:
    return [
        pytest.param(kind, name, id=f"{kind.__name__}.{name}")
        for kind in kinds
        for name in names(kind)
        if UNIT.search(name) and "_per_" not in name
    ]


RECORDS = dict.fromkeys(found for root in (Scenario, Coexistence, Deployment) for found in records(root))
SECTIONS = dict.fromkeys(
    found for run in (config.PacketRun, config.EnergyRun, config.CoexistenceRun) for found in sections(run)
)


def outside(field: str) -> list[tuple[float, list[Any]]]:
    """Numbers outside the range of a field, each in the shapes that a field may have."""
    allowed = range_of(field)
    assert allowed is not None, f"{field}: its unit has no range in lora_marl.core.checks.RANGES"
    wrong = (allowed.least - 1.0 if allowed.least > -1.0 else 2.0 * allowed.least, 2.0 * allowed.most + 1.0)
    return [(x, [x, [x], [x, x], [[x, x]], [[x]], [((7, 125e3), x)], np.full((6, 3), x).tolist(),
                 np.full((6, 6), x).tolist(), [x] * 6]) for x in wrong]  # fmt: skip


def test_the_walk_finds_records_and_sections() -> None:
    assert {record.__name__ for record in RECORDS} >= {"Scenario", "Region", "Traffic", "Propagation", "Reception"}
    assert {section.__name__ for section in SECTIONS} >= {"ScenarioConfig", "TopologyConfig", "ChangeConfig"}


@pytest.mark.parametrize(
    ("record", "field"), with_units(RECORDS, lambda kind: [f.name for f in dataclasses.fields(kind)])
)
def test_a_record_names_the_unit_of_a_field(record: type, field: str) -> None:
    good = EXAMPLES.get(record, record)()
    unit = range_of(field).unit if range_of(field) else None
    for number, shapes in outside(field):
        said = []
        for value in shapes:
            with pytest.raises((ValueError, TypeError)) as caught:
                dataclasses.replace(good, **{field: tuple(value) if isinstance(value, list) else value})
            said.append(str(caught.value))
        assert any(field in text and unit in text and f"{number:.10g}" in text for text in said), said


@pytest.mark.parametrize(("section", "field"), with_units(SECTIONS, lambda kind: list(kind.model_fields)))
def test_a_configuration_names_the_unit_of_a_field(section: type[Section], field: str) -> None:
    unit = range_of(field).unit if range_of(field) else None
    for _, shapes in outside(field):
        said = []
        for value in shapes:
            with pytest.raises(ValidationError) as caught:
                section.model_validate({**NEEDED.get(section, {}), field: value})
            said += problems(caught.value, section, "x.yaml")
        assert any(field in text and re.search(rf"\b{unit}\b", text) for text in said), said


SCALARS = {f"{kind}{optional}" for kind in ("bool", "int", "float") for optional in ("", " | None")}


@pytest.mark.parametrize(
    ("record", "field"),
    [
        pytest.param(record, field.name, id=f"{record.__name__}.{field.name}")
        for record in RECORDS
        for field in dataclasses.fields(record)
        if field.type in SCALARS
    ],
)
def test_a_list_where_one_value_holds_for_all_is_refused_in_words(record: type, field: str) -> None:
    for values in ([10, 25], np.array([10.0, 25.0])):
        with pytest.raises(ValueError, match=rf"\.{field}: .* has several values; it takes one for all"):
            dataclasses.replace(EXAMPLES.get(record, record)(), **{field: values})


def test_a_list_in_a_configuration_is_refused_in_words() -> None:
    values = {"scenario": {"traffic": {"jitter_s": [1, 2], "confirmed": [True, False]}}, "learners": {"random": {}}}
    with pytest.raises(config.ConfigError) as caught:
        config.parse(values)
    assert len(caught.value.problems) == 2
    for line in caught.value.problems:
        assert line.endswith("has several values; it takes one for all")


def test_channels_in_mhz_are_refused_and_told_how() -> None:
    """They were one shared channel in silence: 868.1 and 868.3 Hz overlap."""
    with pytest.raises(ValueError, match=r"^region\.channels_hz\[0\]: 868\.1 is not within .* Hz; 868\.1 MHz is 868"):
        dataclasses.replace(REGIONS["EU868"], channels_hz=(868.1, 868.3))


@pytest.mark.parametrize(
    ("record", "values", "message"),
    [
        (Region, {"dwell_time_s": 400.0}, r"region.dwell_time_s: 400 is not within 0 to 60 s; 400 ms is 0.4"),
        (Reception, {"noise_figure_db": -6.0}, "reception.noise_figure_db: -6 is not within 0 to 50 dB"),
        (Propagation, {"reference_loss_db": -127.41}, r"reference_loss_db: -127.41 is not within .* is a loss of 127"),
        (Device, {"tx_currents": {14: 0.0255}}, r"tx_currents at 14 dBm: 0.0255 is not within .* 0.0255 A is 25.5"),
    ],
)
def test_values_in_a_usual_wrong_unit_or_sign_are_told_how(record: type, values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(EXAMPLES.get(record, record)(), **values)


def test_infinity_is_a_value_where_it_means_something() -> None:
    check_units({"interval_s": np.inf, "capture_db": np.inf, "path_loss_db": [[np.inf]], "silent_s": ((0.0, np.inf),)})
    with pytest.raises(ValueError, match="at_s: inf is not within"):
        check_units({"at_s": np.inf})


def test_rates_and_words_have_no_unit() -> None:
    for field in ("packets_per_s", "ee_bits_per_mj", "s", "bytes", "kind", "exponent"):
        assert range_of(field) is None


def test_units_are_understood_for_every_range() -> None:
    assert {allowed.unit for allowed in RANGES.values()} == set(UNITS)
    for allowed in RANGES.values():
        assert UNITS[allowed.unit][allowed.unit.replace("bytes", "B")] == "1"


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("interval_s", "10min", 600.0),
        ("interval_s", "1.5 h", 5400.0),
        ("traffic.interval_s", "250 ms", 0.25),
        ("duration_h", "30min", 0.5),
        ("duration_h", "2 days", 48.0),
        ("radius_m", "2.5 km", 2500.0),
        ("channels_hz", ["868.1 MHz", "868300kHz", 868.5e6], [868.1e6, 868.3e6, 868.5e6]),
        ("tp_dbm", "14dBm", 14.0),
        ("tp_dbm", "100 mW", 20.0),
        ("receive_mj", "0.003J", 3.0),
        ("payload_bytes", "20 B", 20.0),
        ("interval_s", "often", "often"),
        ("interval_s", "60", "60"),
        ("name", "10min", "10min"),
        ("retry_s", ["1 min", [2, "3 s"]], [60.0, [2, 3.0]]),
    ],
)
def test_values_with_a_unit(field: str, text: Any, value: Any) -> None:
    assert in_field_unit(field, text) == value


def test_a_unit_of_another_quantity_names_those_that_are_understood() -> None:
    with pytest.raises(ValueError, match="interval_s: '3 km' is not in a unit of this field; understood are us, ms, s"):
        in_field_unit("interval_s", "3 km")
    with pytest.raises(config.ConfigError, match=r"scenario\.traffic\.interval_s: '3 km' is not in a unit"):
        config.parse({"learners": {"random": {}}, "scenario": {"traffic": {"interval_s": "3 km"}}})


def test_a_configuration_may_state_units_wherever_a_field_has_one() -> None:
    run = config.parse(
        {
            "duration_h": "90 min",
            "learners": {"norel": {"parameters": {"margin_db": "12 dB"}}},
            "scenario": {
                "topology": {"radius_m": "1.2km"},
                "traffic": {"interval_s": "10min"},
                "changes": [{"at_s": "1 h", "values": {"traffic.interval_s": "5 min"}}],
            },
        }
    )
    assert run.duration_h == 1.5
    assert run.scenario.topology.radius_m == 1200.0
    assert run.learners["norel"].parameters == {"margin_db": 12.0}
    scenario = run.scenario.build()
    assert scenario.traffic.interval_s == 600.0
    assert (scenario.changes[0].at_s, scenario.changes[0].values) == (3600.0, {"traffic.interval_s": 300.0})


@pytest.mark.parametrize(
    ("text", "value"), [("90 minutes", 1.5), ("2 hours", 2.0), ("1 week", 168.0), ("36 seconds", 0.01)]
)
def test_times_in_words(text: str, value: float) -> None:
    assert in_field_unit("duration_h", text) == value
