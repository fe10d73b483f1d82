"""A JSON Schema of configurations, by which editors complete keys, show their meaning and mark mistakes.

It is pydantic's, told apart by section as files are, and widened to what a file may have besides: `base`, learners
without a name or without a value, and values with a unit. What only `load` can check (files, physics) it does not say.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from lora_marl.config.keys import meanings, run_models, sections
from lora_marl.config.region import REGION
from lora_marl.config.run import CoexistenceRun, EnergyRun, PacketRun
from lora_marl.core.checks import range_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_QUANTITY = r"^\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?\s*[a-zA-Zµ]+\s*$"


def json_schema() -> dict[str, Any]:
    """The schema, as JSON has it."""
    refs, schema = models_json_schema(
        [(model, "validation") for model in run_models()], schema_generator=_Generator, ref_template="#/$defs/{model}"
    )
    definitions: dict[str, Any] = schema["$defs"]
    texts = {section.__name__: meanings(section) for _, section, _ in sections()}
    texts |= {model.__name__: meanings(model) for model in run_models()}
    for name, definition in definitions.items():
        for key, value in definition.get("properties", {}).items():
            if text := texts.get(name, {}).get(key):
                value["description"] = text
            if (allowed := range_of(key)) is not None:
                definition["properties"][key] = _with_unit(value, allowed.unit)
    for model in run_models():
        _as_in_files(definitions[model.__name__])
    _learners_as_in_files(definitions)
    _region_as_in_files(definitions)
    run = {model: refs[model, "validation"] for model in (PacketRun, EnergyRun, CoexistenceRun)}
    energy = {"if": _has("energy"), "then": run[EnergyRun], "else": run[PacketRun]}
    return {
        "$schema": DIALECT,
        "title": "Configuration of lora_marl",
        "if": _has("coexistence"),
        "then": run[CoexistenceRun],
        "else": energy,
        "$defs": definitions,
    }


class _Generator(GenerateJsonSchema):
    """Leaves out defaults that JSON cannot hold (infinity) without a warning."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}


def _has(section: str) -> dict[str, Any]:
    return {"properties": {section: {"type": "object"}}, "required": [section]}


def _as_in_files(run: dict[str, Any]) -> None:
    """A file may inherit what it does not state."""
    run["properties"]["base"] = {"type": "string", "description": "The file that this one changes; relative to it."}
    for section in ("energy", "coexistence"):
        run["properties"].setdefault(section, {"type": "null"})
    run["required"] = [name for name in run.get("required", ()) if name != "learners"]
    run["anyOf"] = [{"required": ["learners"]}, {"required": ["base"]}]


def _learners_as_in_files(definitions: dict[str, Any]) -> None:
    """A learner's name is its label unless it is stated; one without a value takes away an inherited one."""
    learner = definitions["LearnerConfig"]
    learner["required"] = [name for name in learner.get("required", ()) if name != "name"]
    for model in run_models():
        learners = definitions[model.__name__]["properties"]["learners"]
        learners["additionalProperties"] = {"anyOf": [{"$ref": "#/$defs/LearnerConfig"}, {"type": "null"}]}


def _region_as_in_files(definitions: dict[str, Any]) -> None:
    """A value may be `region`, as the named region has it; a table by data rate may be a mapping."""
    properties = definitions["RegionConfig"]["properties"]
    for key, value in properties.items():
        if value.get("default") == REGION:
            about = {name: value[name] for name in ("default", "description", "title") if name in value}
            tables = [{"type": "object"}] if value.get("type") == "array" else []
            properties[key] = {**about, "anyOf": [value, {"const": REGION}, *tables]}


def _with_unit(value: Any, unit: str) -> Any:
    """A field's schema in which each number may be a text with a unit."""
    if isinstance(value, list):
        return [_with_unit(item, unit) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") in ("number", "integer"):
        rest = {key: item for key, item in value.items() if key in ("title", "description", "default")}
        number = {key: item for key, item in value.items() if key not in rest}
        text = {"type": "string", "pattern": _QUANTITY, "description": f"A number with a unit, such as `1 {unit}`."}
        return {**rest, "anyOf": [number, text]}
    return {key: item if key == "default" else _with_unit(item, unit) for key, item in value.items()}
