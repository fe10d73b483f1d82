"""Makings of the service that differ from the default by `section.field=value`."""

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
from scripts.service_training.pipeline import Offline

SECTIONS: dict[str, type[Any]] = {"design": Design, "hyper": Hyperparameters}


def varied(making: Offline, changes: Iterable[str]) -> Offline:
    """A making with some values changed.

    Args:
        making: As it would be.
        changes: `design.<field>=value` and `hyper.<field>=value`, values as in YAML; or `proxy=PATH`, of constants that
            `fit_proxy.py` has written, from the project's root.

    Raises:
        ConfigError: an unknown field, or a value that it does not allow.
    """
    values: dict[str, Any] = {}
    for change in changes:
        set_value(values, change)
    found: dict[str, Any] = {}
    for name, given in values.items():
        if name == "proxy":
            found["constants"] = _constants(given)
        elif name in SECTIONS and isinstance(given, dict):
            found[name] = _section(name, getattr(making, name), given)
        else:
            hint = suggest(name, (*SECTIONS, "proxy"))
            raise ConfigError([f"{name} = {given!r}: expected design.<field>, hyper.<field> or proxy{hint}"])
    return dataclasses.replace(making, **found)


def _section(name: str, before: Any, given: dict[str, Any]) -> Any:
    known = [field.name for field in dataclasses.fields(before)]
    for key in given:
        if key not in known:
            raise ConfigError([f"{name}.{key}: unknown{suggest(key, known)}"])
    try:
        return TypeAdapter(SECTIONS[name]).validate_python(dataclasses.asdict(before) | given)
    except ValidationError as error:
        raise ConfigError([_line(name, item) for item in error.errors(include_url=False)]) from None


def _line(section: str, item: Any) -> str:
    """A problem in one line; checks of the class itself begin with the field's name."""
    if item["type"] == "value_error":
        return f"{section}.{item['ctx']['error']}"
    return f"{'.'.join(map(str, (section, *item['loc'])))} = {item['input']!r}: {item['msg']}"


def _constants(given: Any) -> Constants:
    try:
        return Constants.load(ROOT / str(given))
    except ValueError as error:
        raise ConfigError([f"proxy: {error}"]) from None
