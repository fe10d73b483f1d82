"""Named, bounded features: one table builds an observation's names, its space and its documentation.

Shape letters: `D` features of an observation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gymnasium.spaces import Box


@dataclass(frozen=True)
class Feature:
    """A named and bounded feature, or several of one kind, such as one per channel.

    Attributes:
        name: Name of a single feature; of several, the common beginning of their names.
        unit: What the number 1 stands for.
        low, high: Bounds.
        meaning: One line of explanation.
        values: Ends of the names of several features. `[D']`
    """

    name: str
    unit: str
    low: float
    high: float
    meaning: str
    values: tuple[str, ...] = ("",)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each feature. `[D']`"""
        return tuple(self.name + value for value in self.values)


def names(table: tuple[Feature, ...]) -> tuple[str, ...]:
    """The name of each number of an observation. `[D]`"""
    return tuple(name for feature in table for name in feature.names)


def box(table: tuple[Feature, ...]) -> Box:
    """The space of an observation. `[D]`"""
    lows, highs = ([getattr(f, side) for f in table for _ in f.values] for side in ("low", "high"))
    return Box(np.array(lows, np.float32), np.array(highs, np.float32))


def markdown(table: tuple[Feature, ...]) -> str:
    """The table as it appears on an environment's page."""
    lines, first = ["| observation | name | unit | min | max | meaning |", "|---|---|---|---|---|---|"], 0
    for feature in table:
        last = first + len(feature.values) - 1
        place = f"{first}" if last == first else f"{first} to {last}"
        names = feature.names[0] if last == first else f"{feature.names[0]} ... {feature.names[-1]}"
        lines.append(f"| {place} | {names} | {feature.unit} | {feature.low:g} | {feature.high:g} | {feature.meaning} |")
        first = last + 1
    return "\n".join(lines)
