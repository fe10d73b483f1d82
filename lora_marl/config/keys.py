"""Every key of a configuration with its type, unit, range, default and meaning, read off the validated models.

What a key means is said once, in the docstring of its section, or of the record of the core that the section builds.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from lora_marl.config.coexistence import CoexistenceConfig, NetworkConfig
from lora_marl.config.energy import EnergyConfig
from lora_marl.config.run import BaseRun, CoexistenceRun, EnergyRun, EnvironmentConfig, LearnerConfig, PacketRun
from lora_marl.config.scenario import ScenarioConfig
from lora_marl.config.section import Section
from lora_marl.core.checks import range_of

_ATTRIBUTES = re.compile(r"^Attributes:\n((?:(?: {4}.*)?\n?)+)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w[\w, ]*): ((?:.*\n?)(?:^ {8}.*\n?)*)", re.MULTILINE)
_BOUNDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path", Any: "any"}


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        name: As a file has it.
        kind: What its value is, in words.
        unit: Of its numbers; empty: they have none.
        allowed: What they may be, beside `kind`; empty: anything of it.
        default: As YAML has it; None: it is required.
        meaning: One or more sentences; empty: its name says it.
    """

    name: str
    kind: str
    unit: str
    allowed: str
    default: str | None
    meaning: str


def sections() -> Iterator[tuple[str, type[Section], str]]:
    """The sections of all kinds of runs: the dotted place in a file, the section, and its first sentence."""
    yield "", PacketRun, "a run of packets; `energy` or `coexistence` make it a run of another kind"
    yield "learners.<label>", LearnerConfig, _first_line(LearnerConfig)
    yield "environment", EnvironmentConfig, _first_line(EnvironmentConfig)
    yield "scenario", ScenarioConfig, "the network"
    for name, field in ScenarioConfig.model_fields.items():
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, Section):
                listed = "[]" if get_origin(field.annotation) is tuple else ""
                yield f"scenario.{name}{listed}", part, _first_line(part)
    yield "energy", EnergyConfig, _first_line(EnergyConfig)
    yield "coexistence", CoexistenceConfig, _first_line(CoexistenceConfig)
    yield "coexistence.networks[]", NetworkConfig, _first_line(NetworkConfig)


def keys_of(section: type[Section]) -> list[Key]:
    """The keys of a section, in the order of its fields."""
    meaning = meanings(section)
    return [_key(name, field, meaning.get(name, "")) for name, field in section.model_fields.items()]


def meanings(section: type[Section]) -> dict[str, str]:
    """The meaning of a section's fields, by name: from its record's docstring and those of itself and its bases."""
    texts: dict[str, str] = {}
    for cls in (section.record, *reversed(section.__mro__)):
        if cls is not None and cls not in (object, NoneType):
            texts |= _documented(cls)
    return texts


def run_models() -> tuple[type[BaseRun], ...]:
    """The models of the kinds of runs."""
    return PacketRun, EnergyRun, CoexistenceRun


def _documented(cls: type) -> dict[str, str]:
    entries = _ATTRIBUTES.search(inspect.cleandoc(cls.__dict__.get("__doc__") or "") + "\n")
    if entries is None:
        return {}
    return {
        name.strip(): " ".join(text.split()) for names, text in _ENTRY.findall(entries[1]) for name in names.split(",")
    }


def _first_line(section: type[Section]) -> str:
    return inspect.cleandoc(section.__doc__ or "").partition("\n")[0].rstrip(".")


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _key(name: str, field: FieldInfo, meaning: str) -> Key:
    physical = range_of(name)
    bounds = [
        text.format(f"{getattr(item, bound):g}")
        for item in _constraints(field)
        for bound, text in _BOUNDS.items()
        if getattr(item, bound, None) is not None
    ]
    if physical is not None:
        bounds.append(f"{physical.least:g} to {physical.most:g}{' or infinite' if physical.infinite else ''}")
    return Key(
        name=name,
        kind=_kind(field.annotation),
        unit="" if physical is None else physical.unit,
        allowed=", ".join(bounds),
        default=_default(field),
        meaning=meaning,
    )


def _constraints(field: FieldInfo) -> list[Any]:
    inner = [item for part in _parts(field.annotation) for item in getattr(part, "__metadata__", ())]
    return [*field.metadata, *inner]


def _kind(annotation: Any) -> str:
    """A type in words."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "section"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if hasattr(annotation, "__metadata__"):
        numbers = annotation.__origin__ is Any
        return "number, or lists of numbers" if numbers else _kind(annotation.__origin__)
    if origin is tuple:
        items = arguments[:-1] if arguments[-1:] == (Ellipsis,) else arguments[:1]
        return f"list of {_kind(items[0])}" if items else "list"
    if origin is dict:
        return f"{_kind(arguments[1])} by {_kind(arguments[0])}"
    options = [option for option in arguments if option is not NoneType]
    if options and origin is not None:
        return " or ".join(dict.fromkeys(map(_kind, options))) + (" or null" if NoneType in arguments else "")
    return getattr(annotation, "__name__", str(annotation)).lower()


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    return "its defaults" if field.default_factory is not None else _yaml(field.default)


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, Section):
        return "its defaults"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
