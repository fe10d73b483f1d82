"""JSON files, and errors that name the file that is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from agents.tensor_files import FILE_ERRORS
from lora_marl.core.files import one_line, write_atomically

T = TypeVar("T")


def loaded(path: Path, load: Callable[[Path], T]) -> T:
    """Returns the content of a file. ValueError: it is damaged, naming it."""
    try:
        return load(path)
    except FILE_ERRORS as error:
        raise ValueError(f"{path}: is damaged ({one_line(error)}); remove it, and it is made again") from None


def write_json(path: Path, values: Any) -> None:
    """Write values as JSON, completely or not at all."""
    write_atomically(path, json.dumps(values, indent=1))


def read_json(path: Path) -> Any:
    """Returns the content of a file that `write_json` wrote. ValueError: it is damaged, naming it."""
    return loaded(path, lambda path: json.loads(path.read_text(encoding="utf-8")))
