"""States of parts within the state of a whole: the names of a part's arrays begin with its prefix and a point.

Such names are data: files hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Array = TypeVar("Array")


def with_prefix(prefix: str, part: Mapping[str, Array]) -> dict[str, Array]:
    """Returns the arrays of a part as `<prefix>.<name>`."""
    return {f"{prefix}.{name}": array for name, array in part.items()}


def part_of(state: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """Returns the arrays of the part with a prefix, by the names that they have there."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in state.items() if name.startswith(start)}
