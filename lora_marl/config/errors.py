"""Errors of configurations, one line for each problem: the place, the value, and what is allowed."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from lora_marl.config.section import Section
from lora_marl.core.checks import range_of, suggest

LONGEST_LINE, MOST_LINES = 1000, 50
"""Most characters of a line about a problem, and most problems that are told of at once."""
_QUOTED = 60
"""Most characters of a value that a hint writes again."""


class ConfigError(ValueError):
    """A configuration that cannot be used.

    Attributes:
        problems: One line each: file, field, value, what is allowed.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        lines = (" ".join(text.splitlines()) for text in problems)  # values may hold line breaks
        self.problems = tuple(line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..." for line in lines)
        super().__init__("\n".join(self.problems))


def problems(error: ValidationError, model: type[Section], source: str) -> list[str]:
    """One line for each problem that pydantic reports of values that were read from `source`."""
    details = error.errors(include_url=False)
    listed = details[:MOST_LINES]
    lines = [_line(item, model, source) for item in listed if not _follows_from_others(item, details)]
    return lines + ([f"{source}: {len(details) - len(listed)} more problems"] if len(details) > len(listed) else [])


def _follows_from_others(item: Any, details: Sequence[Any]) -> bool:
    """Whether a list is too short only because items of it are wrong, which have lines of their own."""
    place = item["loc"]
    return item["type"] == "too_short" and any(
        other["loc"][: len(place)] == place for other in details if other is not item
    )


def _line(item: Any, model: type[Section], source: str) -> str:
    loc, kind = item["loc"], item["type"]
    if kind == "extra_forbidden":
        section, name = _section_at(model, loc[:-1]), str(loc[-1])
        text = section.refused.get(name) or "unknown key" + suggest(name, section.model_fields)
    elif kind == "too_short":
        text = f"needs at least {item['ctx']['min_length']}, has {item['ctx']['actual_length']}"
    elif kind == "missing":
        text = "is required"
    elif kind == "value_error":
        return f"{source}: {_join(loc, str(item['ctx']['error']), _section_at(model, loc))}"
    elif kind in ("model_type", "dict_type"):
        text = f"{reprlib.repr(item['input'])} is not a mapping of keys to values"
    elif kind in ("float_type", "int_type", "bool_type", "string_type") and isinstance(item["input"], list | tuple):
        text = f"{reprlib.repr(item['input'])} has several values; it takes one for all"
    elif kind in ("tuple_type", "list_type"):
        text = f"{reprlib.repr(item['input'])} is not a list{_as_list(item['input'])}"
    elif item["msg"].startswith("Input should be"):
        text = item["msg"].replace("Input should be", f"{reprlib.repr(item['input'])} is not", 1) + _unit(loc)
    else:
        text = f"{reprlib.repr(item['input'])}: {item['msg']}"
    return f"{source}: {_path(loc)}: {text}"


def _as_list(value: Any) -> str:
    """How a single value, or values between commas, are written as a list; empty: it is neither."""
    single = isinstance(value, int | float | str) and not isinstance(value, bool) and len(str(value)) <= _QUOTED
    return f"; write [{value}]" if single else ""


def _unit(loc: Sequence[int | str]) -> str:
    """The unit of the field at a place, as the end of a message."""
    names = [key for key in loc if isinstance(key, str)]
    allowed = range_of(names[-1]) if names else None
    return "" if allowed is None else f", in {allowed.unit}"


def _join(loc: Sequence[int | str], message: str, section: type[Section]) -> str:
    """Place and message of a check; checks of the core begin with `field:` or `record.field:`."""
    if loc and message.startswith(f"{loc[-1]}."):
        message = message.removeprefix(f"{loc[-1]}.")
    first = re.match(r"\w*", message)
    names_field = first is not None and first.group() in section.model_fields
    return message if not loc else f"{_path(loc)}{'.' if names_field else ': '}{message}"


def _path(loc: Sequence[int | str]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc).removeprefix(".")


def _section_at(model: type[Section], loc: Sequence[int | str]) -> type[Section]:
    for key in loc:
        if key in model.model_fields:
            model = next(_sections(model.model_fields[str(key)].annotation), model)
    return model


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)
