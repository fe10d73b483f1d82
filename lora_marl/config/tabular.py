"""Tables in text files, as spreadsheets and other programs write them.

Understood are commas, semicolons and tabs between columns; decimal commas where columns are not separated by commas;
UTF-8 with and without a byte order mark, UTF-16, and Windows' code page 1252; empty rows; quotes; comments, which begin
with `#`. The first row names the columns, in any case; a column that nobody asked for is ignored with a note.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import math
import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl.config.quantities import in_field_unit
from lora_marl.core.checks import range_of

LARGEST_FILE_BYTES = 256 * 2**20
"""Larger files are refused: a million nodes fit into a fifth of it."""

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEPARATORS = "\t;,"
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_COMMENT = "#"
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")
_NEAR = 0.8
"""Similarity from which a column is taken for a misspelt one instead of one that is to be ignored."""


class IgnoredColumns(UserWarning):
    """A file has columns that are not used."""


@dataclass(frozen=True)
class TextTable:
    """The cells of a file.

    Attributes:
        place: Configuration key and file, which begin every message.
        header: Names of the columns in lower case, each once.
        rows: Cells by row, as many as there are columns.
        lines: The line of the file in which each row ends.
        decimal_commas: Whether numbers may have a decimal comma.
    """

    place: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    decimal_commas: bool

    def texts(self, column: str) -> list[str]:
        """The cells of a column."""
        at = self.header.index(column)
        return [row[at] for row in self.rows]

    def numbers(self, column: str, *, empty: float | None = None) -> NDArray[np.float64]:
        """The cells of a column as finite numbers, in the unit of the column's name.

        Args:
            column: Its name.
            empty: What an empty cell stands for; None: it is refused.

        Raises:
            ValueError: a cell that is no finite number, naming line and column.
        """
        cells = self.texts(column)
        if self.decimal_commas:
            commas = [_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells]
            if any(commas) and any("." in cell for cell in cells):
                raise ValueError(f"{self.place}: column {column!r}: has decimal points and decimal commas; keep to one")
            cells = [cell.replace(",", ".") if comma else cell for cell, comma in zip(cells, commas, strict=True)]
        return np.array([self._number(row, column, cell, empty) for row, cell in enumerate(cells)])

    def ignore_others(self, used: Sequence[str], known: Sequence[str]) -> None:
        """Note the columns that are not used.

        Raises:
            ValueError: one of them is spelt almost like a known column that the file does not have.
        """
        others = [name for name in self.header if name not in used]
        missing = [name for name in known if name not in self.header]
        for name in others:
            meant = difflib.get_close_matches(name, missing, n=1, cutoff=_NEAR)
            if meant:
                unit = range_of(meant[0])
                what = repr(meant[0]) + ("" if unit is None else f", in {unit.unit}")
                raise ValueError(f"{self.place}: unknown column {name!r}; did you mean {what}? Rename or remove it")
        if others:
            warnings.warn(f"{self.place}: ignored columns: {', '.join(others)}", IgnoredColumns, stacklevel=2)

    def _number(self, row: int, column: str, cell: str, empty: float | None) -> float:
        if not cell and empty is not None:
            return empty
        place = f"{self.place} line {self.lines[row]}"
        try:
            number = float(in_field_unit(column, cell))
        except ValueError as error:
            if str(error).startswith(f"{column}: "):
                raise ValueError(f"{place}: {error}") from None
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{place}: {column}: {cell!r} is not a finite number")
        return number


def read_table(key: str, path: Path, *, columns: Collection[str] = ()) -> TextTable:
    """The table in a file.

    Args:
        key: The configuration key that names the file, for messages.
        path: The file.
        columns: Names that its columns may have even if they are numbers.

    Raises:
        ValueError: it cannot be read, is no text, has no rows, or rows of another length than its header, or a name of
            a column occurs twice.
    """
    place = f"{key}: {path}"
    text = _text(place, path)
    separator_line = _SEPARATOR_LINE.match(text)
    text = text[separator_line.end() :] if separator_line else text
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith(_COMMENT)), "")
    separator = separator_line[1] if separator_line else next((mark for mark in _SEPARATORS if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows: list[tuple[str, ...]] = []
    lines, skipped = [], 1 if separator_line else 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not _is_comment(cells, beside_columns=bool(rows)):
                rows.append(tuple(cell.strip() for cell in cells))
                lines.append(reader.line_num + skipped)
    except csv.Error as error:
        raise ValueError(f"{place} line {reader.line_num + skipped}: {error}") from None
    header = tuple(name.lower() for name in rows[0]) if rows else ()
    while header and not header[-1]:  # a separator ends every line of some programs' files
        header = header[:-1]
    _check_header(place, header, columns)
    if header and len(rows) < 2:
        raise ValueError(f"{place}: has no rows below its header")
    width = len(header)
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if len(row) < width or any(row[width:]):
            raise ValueError(f"{place} line {line}: {len(row)} values for {width} columns")
    return TextTable(place, header, tuple(row[:width] for row in rows[1:]), tuple(lines[1:]), separator != ",")


def _is_comment(cells: list[str], *, beside_columns: bool) -> bool:
    """Whether a row is a comment. Among rows of cells it has one cell alone: a name may begin with the same mark."""
    return cells[0].startswith(_COMMENT) and not (beside_columns and any(cell.strip() for cell in cells[1:]))


def _check_header(place: str, header: tuple[str, ...], columns: Collection[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{place}: the column {', '.join(map(repr, twice))} occurs twice; remove or rename one")
    numbers = all(re.fullmatch(r"[-+\d.,eE ]*", name) for name in header)
    if header and numbers and not set(header) <= set(columns):
        raise ValueError(f"{place}: has no header; the first row must name the columns, not hold {', '.join(header)}")


def _text(place: str, path: Path) -> str:
    try:
        if not path.is_file() and path.exists():
            raise ValueError(f"{place}: is not a regular file")
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise ValueError(f"{place}: {size} bytes; allowed are {LARGEST_FILE_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"{place}: {reason} (a relative path counts from the configuration's folder)") from None
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace") if encoding == "utf-8" else "\0"
    if "\0" in text:
        raise ValueError(f"{place}: is not a text file; save it as CSV (UTF-8)")
    return text
