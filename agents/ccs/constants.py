"""The numbers of the proxy of the air that depend on radios and their rules; letters in `agents.ccs.proxy`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SHAPES = {
    **dict.fromkeys(("same_sf", "other_sf", "burst"), "V"),
    **dict.fromkeys(("weak", "weak_in_bursts", "loud"), "Q"),
    **dict.fromkeys(("weak_power", "loud_power"), "T"),
    **dict.fromkeys(("gap_s", "answer_s", "deaf_s"), ""),
}


def _numbers(*values: float) -> Any:
    return field(default_factory=lambda: torch.tensor(values))


def _number(value: float) -> Any:
    return field(default_factory=lambda: torch.tensor(value))


@dataclass(frozen=True)
class Constants:
    """What is fitted to packet runs; the defaults were set by hand, for `ccs-study`, where groups and powers are alike.

    What is by group or power may also be one number for all of them.

    Attributes:
        same_sf: F of two frames of one SF: the chance that an overlap costs the wanted one, by SF. `[V]`
        other_sf: F of a frame of another SF, by the wanted one's. `[V]`
        burst: f: the same of an overlap with an external burst, by SF. `[V]`
        weak: How much more a group's frames suffer from others', from the best link to the worst. `[Q]`
        weak_in_bursts: How much of f is true of a group. `[Q]`
        loud: How much more a group's frames disturb others'. `[Q]`
        weak_power: How much more frames suffer at a power. `[T]`
        loud_power: How much more frames disturb others at a power. `[T]`
        gap_s: From the start of an attempt to the earliest start of the next one of the same node, airtime aside; 0:
            nodes serve any number of frames. `[]`
        answer_s: Time that a gateway takes per acknowledgement, until it may send the next one; 0: they are free. `[]`
        deaf_s: Time around each in which it receives nothing. `[]`

    Raises:
        ValueError: a number that is not finite or below 0, naming its field.
    """

    same_sf: Tensor = _numbers(*[0.345] * 6)
    other_sf: Tensor = _numbers(*[0.01] * 6)
    burst: Tensor = _numbers(0.82, 0.79, 0.76, 0.70, 0.63, 0.55)
    weak: Tensor = _numbers(1.0)
    weak_in_bursts: Tensor = _numbers(1.0)
    loud: Tensor = _numbers(1.0)
    weak_power: Tensor = _numbers(1.0)
    loud_power: Tensor = _numbers(1.0)
    gap_s: Tensor = _number(4.0)
    answer_s: Tensor = _number(0.0)
    deaf_s: Tensor = _number(0.0)

    def __post_init__(self) -> None:
        for name, letters in SHAPES.items():
            given = getattr(self, name)
            if given.dim() != len(letters):
                raise ValueError(f"constants: {name} has shape {list(given.shape)}; expected [{letters}]")
            if not bool((given.isfinite() & (given >= 0.0)).all()):
                raise ValueError(f"constants: {name} = {given.tolist()}: expected numbers of at least 0")

    @property
    def collision(self) -> Tensor:
        """F, rows wanted, columns interferers. `[V, V]`"""
        diagonal = torch.eye(len(self.same_sf))
        return diagonal * self.same_sf[:, None] + (1.0 - diagonal) * self.other_sf[:, None]

    def save(self, path: Path, command: str) -> None:
        """Writes JSON, with the command that made it."""
        numbers = {name: getattr(self, name).tolist() for name in SHAPES}
        path.write_text(json.dumps({"command": command, "constants": _rounded(numbers)}, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Constants:
        """What `save` wrote; fields that are missing are those by hand.

        Raises:
            ValueError: no such file, or not of this kind, naming it.
        """
        known = {each.name for each in fields(cls)}
        try:
            numbers = json.loads(path.read_text("utf-8"))["constants"]
            for name in sorted(set(numbers) - known):
                raise ValueError(f"{name!r} is unknown; expected some of {', '.join(sorted(known))}")
            return cls(**{name: torch.tensor(value, dtype=torch.float32) for name, value in numbers.items()})
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: no constants of the proxy ({error})") from None


def _rounded(numbers: dict[str, Any]) -> dict[str, Any]:
    """To six digits, which is more than a fit tells."""
    return json.loads(json.dumps(numbers), parse_float=lambda text: float(f"{float(text):.6g}"))  # type: ignore[no-any-return]
