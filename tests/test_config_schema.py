"""The JSON Schema accepts what the loader accepts, and every key of a configuration has its description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from lora_marl import config
from lora_marl.config.keys import keys_of, meanings, sections
from lora_marl.config.reading import read_file
from lora_marl.config.schema import json_schema
from scripts import schema

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    described = json_schema()
    jsonschema.Draft202012Validator.check_schema(described)
    return jsonschema.Draft202012Validator(described)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_file_fits_the_schema_as_written_and_as_resolved(validator: Any, path: Path) -> None:
    assert [error.message for error in validator.iter_errors(read_file(path))] == []
    resolved = yaml.safe_load(config.dump(config.load(path)))
    assert [error.message for error in validator.iter_errors(resolved)] == []


@pytest.mark.parametrize(
    "values",
    [
        {"base": "x.yaml"},
        {"base": "x.yaml", "learners": {"random": None}},
        {"learners": {"cucb": {}}, "duration_h": "90 min"},
        {"learners": {"cucb": {}}, "scenario": {"region": {"channels_hz": ["868.1 MHz", 868.3e6]}}},
        {"learners": {"cucb": {}}, "scenario": {"changes": [{"at_s": "1h", "values": {"active": 3}}]}},
        {"learners": {"maac": {}}, "energy": {}, "coexistence": None},
    ],
)
def test_what_a_file_may_have_besides_fits(validator: Any, values: dict) -> None:
    assert [error.message for error in validator.iter_errors(values)] == []


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"learners": {"cucb": {}}, "sedes": [1]},
        {"learners": {"cucb": {"parameter": {}}}},
        {"learners": {"cucb": {}}, "duration_h": "often"},
        {"learners": {"cucb": {}}, "scenario": {"traffic": {"kind": "poison"}}},
        {"learners": {"ccs": {}}, "coexistence": {}, "duration_h": 3},
        {"learners": {"maac": {}}, "energy": {"episodes": 0}},
        {"learners": {"maac": {}}, "energy": {"networks": []}},
    ],
)
def test_mistakes_do_not_fit(validator: Any, values: dict) -> None:
    assert list(validator.iter_errors(values))


def test_every_section_of_the_models_is_on_the_page() -> None:
    listed = {section.__name__ for _, section, _ in sections()} | {"EnergyRun", "CoexistenceRun"}
    described = {name for name, definition in json_schema()["$defs"].items() if "properties" in definition}
    assert described <= listed


@pytest.mark.parametrize(("place", "section"), [(place, section) for place, section, _ in sections()])
def test_every_key_says_what_it_means(place: str, section: type) -> None:
    keys = keys_of(section)
    assert [key.name for key in keys] == list(section.model_fields)
    assert [key.name for key in keys if len(key.meaning) < 4] == [], place
    assert all(key.kind for key in keys)


def test_a_key_has_type_unit_range_default_and_meaning() -> None:
    by_place = {place: {key.name: key for key in keys_of(section)} for place, section, _ in sections()}
    interval = by_place["scenario.traffic"]["interval_s"]
    assert (interval.unit, interval.allowed, interval.default) == ("s", "1e-06 to 1e+10 or infinite", "20")
    assert "mean gap" in interval.meaning
    assert by_place[""]["learners"].default is None
    assert by_place["scenario.downlink"]["rx1_delay_s"].default == "1"
    assert by_place["scenario.downlink"]["rx2_hz"].default == "null"  # the region's
    assert by_place["scenario.propagation"]["fading"].kind == "`none`, `rayleigh`"
    assert meanings(config.ScenarioConfig)["feedback"].startswith("`free`: the fate of packets")


def test_the_command_writes_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    result = CliRunner().invoke(schema.app, ["--out", str(path)])
    assert result.exit_code == 0, result.output
    assert json.loads(path.read_text()) == json.loads(json.dumps(json_schema()))
    printed = CliRunner().invoke(schema.app, [])
    assert json.loads(printed.output) == json.loads(path.read_text())
    assert CliRunner().invoke(schema.app, ["--out", str(tmp_path / "no" / "x.json")]).exit_code == 2
