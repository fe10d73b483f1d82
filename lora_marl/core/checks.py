"""Checks of single values, whose errors name the field, the value and what is allowed."""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Iterable
from numbers import Real

import numpy as np

_SIMILAR, _SIMILAR_NAME = 0.5, 0.7
"""Least similarity (`difflib`) of a word and its suggestion, in general and between names with the same start."""

_FEW = 10
"""Most known words that a message lists besides the suggestion."""


def suggest(word: str, known: Iterable[str], *, same_start: bool = False) -> str:
    """Return the end of an error message about an unknown word: the known word that was probably meant.

    Args:
        word: The unknown word.
        known: All words that would have been right.
        same_start: Whether a suggestion must be very similar and begin with the same letter, in either case, as for
            names of learners: those of different algorithms often differ in a prefix only, so `d-lora` is not answered
            with `cd-lora`.

    Returns:
        `; did you mean 'x'?`, followed by ` Known: x, y` where there are few; or `; known: x, y` where no known word is
        similar.
    """
    words = {name.casefold(): name for name in sorted(known)}
    typed = str(word).casefold()
    candidates = [name for name in words if not same_start or name[:1] == typed[:1]]
    nearest = difflib.get_close_matches(typed, candidates, n=1, cutoff=_SIMILAR_NAME if same_start else _SIMILAR)
    listed = ", ".join(words.values()) or "none"
    if not nearest:
        return f"; known: {listed}"
    return f"; did you mean {words[nearest[0]]!r}?" + (f" Known: {listed}" if len(words) <= _FEW else "")


def check_choice(name: str, value: object, allowed: Iterable[object]) -> None:
    """Raise ValueError unless the value is one of those allowed."""
    choices = tuple(allowed)
    if value not in choices:
        raise ValueError(f"{name}: {value!r} is not one of {', '.join(map(str, choices))}")


def check_count(name: str, value: object, *, least: int = 1) -> None:
    """Raise ValueError unless the value is a whole number of at least `least`."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: {value!r} is not a whole number of at least {least}")


def check_above_0(name: str, value: object, *, finite: bool = True) -> None:
    """Raise ValueError unless the value is a number above 0, finite unless infinity is allowed."""
    if not _is_number(value) or not 0.0 < value or (finite and value == math.inf):  # type: ignore[operator]
        raise ValueError(f"{name}: {value!r} is not a number above 0")


def check_at_least_0(name: str, value: object, *, finite: bool = True) -> None:
    """Raise ValueError unless the value is a number of at least 0, finite unless infinity is allowed."""
    if not _is_number(value) or not 0.0 <= value or (finite and value == math.inf):  # type: ignore[operator]
        raise ValueError(f"{name}: {value!r} is not a number of at least 0")


def check_share(name: str, value: object, *, below_1: bool = False) -> None:
    """Raise ValueError unless the value is a number from 0 to 1, or `below_1`."""
    if not _is_number(value) or not 0.0 <= value <= 1.0 or (below_1 and value == 1.0):  # type: ignore[operator]
        allowed = "of at least 0 and below 1" if below_1 else "from 0 to 1"
        raise ValueError(f"{name}: {value!r} is not a number {allowed}")


def check_range(name: str, value: object) -> None:
    """Raise ValueError unless the value is two finite numbers above 0 that ascend."""
    pair = value if isinstance(value, (tuple, list)) else ()
    if len(pair) != 2 or not all(map(_is_number, pair)) or not 0.0 < pair[0] <= pair[1] < np.inf:
        raise ValueError(f"{name}: {value!r} is not two numbers above 0 that ascend")


def _is_number(value: object) -> bool:
    return isinstance(value, (Real, np.number)) and not isinstance(value, bool)


def warn_renamed(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Emit the DeprecationWarning of a former name, which is accepted until 0.2.0.

    Args:
        old: The former name, as the message shows it.
        new: The name that replaces it.
        stacklevel: As of `warnings.warn`: 2 is the caller of this function, 3 the caller of that one.
    """
    message = f"{old} is now {new}; the old name is removed in 0.2.0"
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel)
