"""Random damage to bytes, arrays and texts: what a fault of a disk does, and what somebody would try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

WORD = 8

_STRANGE_WORDS = np.concatenate(
    [
        np.array([0.0, -0.0, 1.0, -1.0, 1e9, -1e9, 1e300, -1e300, np.inf, -np.inf, np.nan]).view(np.uint64),
        np.array([0, 1, -1, 2, 255, 2**31 - 1, -(2**31), 2**62, -(2**63)], np.int64).view(np.uint64),
    ]
)
"""Words that are strange as a float, as an integer, or as two integers of half the size."""


def damaged_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """A copy of bytes with one random damage: bits flipped, a strange word, a part cut out, doubled, zeroed, swapped.

    Args:
        data: At least a word.
        rng: Random numbers.
    """
    kind, size = rng.integers(8), len(data)
    first, second = sorted(int(place) for place in rng.integers(0, size, 2))
    array = np.frombuffer(data, np.uint8).copy()
    if kind == 0:
        for place in rng.integers(0, size, rng.integers(1, 4)):
            array[place] ^= np.uint8(1 << rng.integers(8))
    elif kind == 1:
        place = first - first % WORD
        word = rng.choice(_STRANGE_WORDS).tobytes()[: size - place]
        array[place : place + len(word)] = np.frombuffer(word, np.uint8)
    elif kind == 2:
        return data[:first]
    elif kind == 3:
        return data[:first] + data[second:]
    elif kind == 4:
        return data[:second] + data[first:]
    elif kind == 5:
        array[first : first + int(rng.integers(1, 64))] = 0
    elif kind == 6:
        array[first : first + int(rng.integers(1, 64))] = 0xFF
    else:
        array[first : first + WORD] = rng.integers(0, 256, len(array[first : first + WORD]))
    return array.tobytes()


def damaged_array(array: NDArray, rng: np.random.Generator) -> NDArray:
    """A copy of an array with one random damage within its shape and type."""
    words = np.frombuffer(array.tobytes(), np.uint8).copy()
    if not words.size:
        return array
    kind, size = rng.integers(5), len(words)
    width = int(rng.choice([1, 2, 4, WORD]))
    places = [int(place) - int(place) % width for place in rng.integers(0, size, 2)]
    first, second = (slice(place, min(place + width, size)) for place in places)
    if kind == 0:
        words[int(rng.integers(size))] ^= np.uint8(1 << rng.integers(8))
    elif kind == 1:
        word = np.frombuffer(rng.choice(_STRANGE_WORDS).tobytes(), np.uint8)
        words[first] = word[: first.stop - first.start]
    elif kind == 2 and first.stop - first.start == second.stop - second.start:
        words[first], words[second] = words[second].copy(), words[first].copy()
    elif kind == 3:
        words[places[0] : places[0] + int(rng.integers(1, 64))] = rng.choice([0, 0xFF])
    else:
        words[first] = rng.integers(0, 256, first.stop - first.start)
    return np.frombuffer(words.tobytes(), array.dtype).reshape(array.shape).copy()


def damaged_state(state: Mapping[str, NDArray], names: Sequence[str], rng: np.random.Generator) -> dict[str, NDArray]:
    """A state in which one of the named arrays is damaged."""
    name = names[int(rng.integers(len(names)))]
    return dict(state) | {name: damaged_array(state[name], rng)}


_STRANGE_VALUES = (
    "", "~", "null", "true", "nan", ".nan", ".inf", "-.inf", "-1", "0", "1e999", "1e-320", "9" * 50, "0x", "0b_",
    "1:30:00", "2001-13-45", "1_000", "1000000", "100000000000", "[]", "{}", "[[]]", "[1, [2]]", "[0, 0]", "{a: 1}",
    "'", '"', "&a [*a]", "*a", "!!int abc", "!!binary x", "!!python/none", "|", ">", "? x", "- - -", "%s%n",
    "../../../etc/passwd", "/dev/zero", "\0", "\ufffe", "\u202e", "hop", "region", "seed", "a" * 300,
)  # fmt: skip
"""Values of configurations that are of another type, range or meaning than most keys expect."""


def damaged_text(text: str, rng: np.random.Generator) -> str:
    """A YAML text with one random damage: a line moved, doubled or cut; a value replaced; letters changed."""
    lines = text.split("\n")
    kind, number = rng.integers(8), int(rng.integers(len(lines)))
    line = lines[number]
    if kind <= 2 and ":" in line:
        lines[number] = f"{line.split(':')[0]}: {rng.choice(_STRANGE_VALUES)}"
    elif kind == 3:
        del lines[number]
    elif kind == 4:
        lines.insert(int(rng.integers(len(lines))), line)
    elif kind == 5:
        lines[number] = " " * int(rng.integers(1, 5)) + line
    elif kind == 6 and line:
        place = int(rng.integers(len(line)))
        lines[number] = line[:place] + str(rng.choice(list(":[]{},#&*!|>'\"%@`-?\t0e.~"))) + line[place + 1 :]
    else:
        data = damaged_bytes(text.encode() + b"\n" * WORD, rng)
        return data.decode("utf-8", errors="replace")
    return "\n".join(lines)
