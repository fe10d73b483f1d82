"""Sections of a configuration: pydantic models whose fields and defaults are those of the core's records."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args, get_type_hints

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PlainValidator,
    ValidationInfo,
    create_model,
    model_validator,
)

from lora_marl.config.quantities import with_units
from lora_marl.core.checks import check_units


class Section(BaseModel):
    """A frozen part of a configuration that refuses unknown keys, and numbers that are not physical in their unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    refused: ClassVar[Mapping[str, str]] = {}
    """Fields that other sections of the kind have, and the error text that tells why this one does not."""
    record: ClassVar[type | None] = None
    """The record of the core that has the fields of this section, and says what they mean."""

    def fields(self) -> dict[str, Any]:
        """The values by field name; sections stay sections."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @model_validator(mode="before")
    @classmethod
    def _with_units(cls, values: Any) -> Any:
        return with_units(values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _checked(self) -> Self:
        self._check()
        return self

    def _check(self) -> None:
        """Raise ValueError for a number that is not physical in the unit of its field."""
        # A name in place of numbers is that of a table.
        check_units({name: value for name, value in self.fields().items() if not isinstance(value, str)})


class RecordSection(Section):
    """A section that builds a record of the core, whose own checks are thereby part of validation."""

    def build(self) -> Any:
        """The record."""
        raise NotImplementedError

    def _check(self) -> None:
        self.build()
        super()._check()


S = TypeVar("S", bound=Section)


def fields_of(record: type, *, omit: tuple[str, ...] = ()) -> Callable[[type[S]], type[S]]:
    """Class decorator: adds those fields of a dataclass, types and defaults, that the section does not state itself."""

    def add(section: type[S]) -> type[S]:
        hints = get_type_hints(record)
        stated = {*section.model_fields, *omit}
        fields: dict[str, Any] = {
            field.name: (_readable(hints[field.name]), ... if field.default is dataclasses.MISSING else field.default)
            for field in dataclasses.fields(record)
            if field.name not in stated
        }
        made = create_model(
            section.__name__, __base__=section, __module__=section.__module__, __doc__=section.__doc__, **fields
        )
        made.record = record
        return made

    return add


def checked_numbers(value: Any) -> Any:
    """The value, lists for an array. ValueError: neither a number nor an even list of numbers."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    try:
        numbers = np.asarray(value).dtype.kind in "iuf"
    except ValueError:
        numbers = False
    if not numbers:
        raise ValueError(f"{reprlib.repr(value)} is neither a number nor an even list of numbers")
    return value


Numbers = Annotated[Any, PlainValidator(checked_numbers)]
"""The type of an array in a file: a number, or nested lists of numbers."""


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return (folder / path).resolve()


InputFile = Annotated[Path, AfterValidator(_from_folder)]
"""The type of a path to a file that a configuration reads; a relative one counts from the configuration's folder."""


def _readable(hint: Any) -> Any:
    """The type of a field as a file has it: numbers in place of arrays."""
    return Numbers | None if _holds_arrays(hint) else hint


def _holds_arrays(hint: Any) -> bool:
    """Whether a type is that of arrays; numpy's `ArrayLike` is a named alias from Python 3.12 on."""
    named = getattr(hint, "__value__", hint)
    return "numpy" in repr(named) or any(_holds_arrays(part) for part in get_args(named))
