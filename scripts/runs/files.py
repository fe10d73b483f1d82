"""Files of a making: written whole or not at all, and named where they are damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

T = TypeVar("T")


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file that is there only when it is complete."""
    part = path.with_suffix(".part")
    write(part)
    part.replace(path)


def loaded(path: Path, load: Callable[[Path], T]) -> T:
    """What a file holds. ValueError: it is damaged, naming it."""
    try:
        return load(path)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: is damaged ({error}); remove it, and it is made again") from None


def write_json(path: Path, values: Any) -> None:
    """JSON, whole."""
    whole(path, lambda part: part.write_text(json.dumps(values, indent=1), encoding="utf-8"))


def read_json(path: Path) -> Any:
    """What `write_json` wrote. ValueError: it is damaged, naming it."""
    return loaded(path, lambda path: json.loads(path.read_text(encoding="utf-8")))
