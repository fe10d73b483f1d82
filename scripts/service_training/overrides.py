"""Trainings of the service with settings that differ from the defaults: `section.field=value`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agents.ccs.model import Design
from agents.ccs.proxy import Constants
from agents.ccs.training import Hyperparameters
from lora_marl.config import ConfigError
from lora_marl.config.load import set_value
from lora_marl.core.checks import suggest
from scripts.runs.cli import ROOT
from scripts.service_training.pipeline import ServiceTraining

SECTIONS: dict[str, type[Any]] = {"design": Design, "hyper": Hyperparameters}


def with_overrides(training: ServiceTraining, overrides: Iterable[str]) -> ServiceTraining:
    """Returns a training with some settings changed.

    Args:
        training: What is changed.
        overrides: `design.<field>=value` and `hyper.<field>=value`, values as in YAML; or `proxy=PATH`, a file of
            constants that `fit_proxy.py` has written, from the project's root.

    Raises:
        ConfigError: an unknown field, or a value that it does not allow.
    """
    values: dict[str, Any] = {}
    for override in overrides:
        set_value(values, override)
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name == "proxy":
            changed["constants"] = _constants(value)
        elif name in SECTIONS and isinstance(value, dict):
            changed[name] = _section(name, getattr(training, name), value)
        else:
            hint = suggest(name, (*SECTIONS, "proxy"))
            raise ConfigError([f"{name} = {value!r}: expected design.<field>, hyper.<field> or proxy{hint}"])
    return dataclasses.replace(training, **changed)


def _section(name: str, before: Any, values: dict[str, Any]) -> Any:
    """A section with some fields changed. ConfigError: an unknown field, or a value that it does not allow."""
    known = [field.name for field in dataclasses.fields(before)]
    for key in values:
        if key not in known:
            raise ConfigError([f"{name}.{key}: unknown{suggest(key, known)}"])
    try:
        return TypeAdapter(SECTIONS[name]).validate_python(dataclasses.asdict(before) | values)
    except ValidationError as error:
        raise ConfigError([_line(name, item) for item in error.errors(include_url=False)]) from None


def _line(section: str, item: Any) -> str:
    """A problem in one line; messages of the record's own checks begin with the field's name."""
    if item["type"] == "value_error":
        return f"{section}.{item['ctx']['error']}"
    return f"{'.'.join(map(str, (section, *item['loc'])))} = {item['input']!r}: {item['msg']}"


def _constants(path: Any) -> Constants:
    try:
        return Constants.load(ROOT / str(path))
    except ValueError as error:
        raise ConfigError([f"proxy: {error}"]) from None
