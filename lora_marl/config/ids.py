"""Nodes, gateways and channels as the cells of a table name them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lora_marl.config.quantities import in_field_unit
from lora_marl.config.tabular import TextTable
from lora_marl.core.checks import suggest

_LEAST_HZ = 1e6
"""A channel's name that is this large is a frequency, a smaller one a number. Hz"""


class Names:
    """Names of nodes or gateways, and the numbers that they stand for.

    Args:
        kind: `node` or `gateway`: `node_3` is accepted for `3`.
        names: In order.
    """

    def __init__(self, kind: str, names: Sequence[str]) -> None:
        self._kind, self._names = kind, names
        self._exact = {name: number for number, name in enumerate(names)}
        alike = Counter(name.casefold() for name in names)
        self._any_case = {name.casefold(): n for name, n in self._exact.items() if alike[name.casefold()] == 1}

    def number(self, place: str, text: str) -> int:
        """The number of the one that a file names, in any case where that tells them apart.

        Raises:
            ValueError: a name that none has.
        """
        lower = text.casefold()
        for spelling, known in (
            (text, self._exact),
            (lower, self._any_case),
            (lower.removeprefix(f"{self._kind}_"), self._any_case),
        ):
            if spelling in known:
                return known[spelling]
        allowed = f"; allowed are 0 to {len(self._names) - 1}" if "0" in self._exact else suggest(text, self._names)
        raise ValueError(f"{place}: {text!r} is no {self._kind}{allowed}")


def numbers_of(table: TextTable, kind: str, texts: Sequence[str], names: Sequence[str]) -> list[int]:
    """Numbers of the nodes or gateways (`kind`) that the cells of a column name, by their ids or numbers.

    Raises:
        ValueError: a cell that names none, with its line.
    """
    known = Names(kind, names)
    return [known.number(f"{table.place} line {line}", text) for text, line in zip(texts, table.lines, strict=True)]


def channels_of(table: TextTable, texts: Sequence[str], channels_hz: Sequence[float]) -> list[int]:
    """Numbers of the channels that the cells of a column name, by number from 0 or by frequency (`868.1 MHz`, Hz).

    Raises:
        ValueError: a cell that names none, with its line.
    """
    known = {str(number): number for number in range(len(channels_hz))}
    return [
        known[text] if text in known else _channel_of(f"{table.place} line {line}", text, channels_hz)
        for text, line in zip(texts, table.lines, strict=True)
    ]


def _channel_of(place: str, text: str, channels_hz: Sequence[float]) -> int:
    try:
        frequency_hz = float(in_field_unit("channel_hz", text))
    except ValueError:
        frequency_hz = 0.0
    if frequency_hz >= _LEAST_HZ:
        for number, channel_hz in enumerate(channels_hz):
            if round(channel_hz) == round(frequency_hz):
                return number
    listed = ", ".join(f"{channel_hz / 1e6:.10g}" for channel_hz in channels_hz)
    raise ValueError(f"{place}: {text!r} is no channel; allowed are 0 to {len(channels_hz) - 1}, or {listed} MHz")
