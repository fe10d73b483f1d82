"""Measured path losses of a file: a matrix of nodes by gateways, or a list of pairs.

A list has the columns `node`, `gateway` and `loss_db`; a matrix has a column for each gateway, and may have a column
`node`, without which its rows are the nodes in order. Nodes and gateways go by their ids where their files have some,
else by their numbers from 0. A pair that is missing, or whose cell is empty, has no link.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl.config.tabular import TextTable, read_table
from lora_marl.core.checks import RANGES, check_in_range, suggest

LOSSES = ("loss_db", "path_loss_db")
"""Names of the column of a list that has the losses."""

NODES = ("node", "id", "dev_eui")
"""Names of the column that has the nodes; a list has `node`."""


class WithoutLink(UserWarning):
    """A file of path losses leaves nodes without any gateway, or gateways without any node."""


def read_path_loss_db(key: str, path: Path, nodes: Sequence[str], gateways: Sequence[str]) -> NDArray[np.float64]:
    """Path loss of every node to every gateway.

    Args:
        key: The configuration key that names the file.
        path: The file.
        nodes, gateways: Their ids, or their numbers as text. `[N]`, `[G]`

    Returns:
        `[N, G]` dB; infinite where there is no link.

    Raises:
        ValueError: a node, gateway or loss that is none, a pair that occurs twice, or a column that is missing.
    """
    table = read_table(key, path, columns=[name.casefold() for name in gateways])
    loss_db = np.full((len(nodes), len(gateways)), np.nan)
    if "node" in table.header and "gateway" in table.header:
        column = _only(table, LOSSES)
        places = zip(
            _numbers_of(table, "node", table.texts("node"), nodes),
            _numbers_of(table, "gateway", table.texts("gateway"), gateways),
            strict=True,
        )
        for (node, gateway), line, loss in zip(places, table.lines, table.numbers(column, empty=np.inf), strict=True):
            if not np.isnan(loss_db[node, gateway]):
                raise ValueError(f"{table.place} line {line}: {nodes[node]} and {gateways[gateway]} occur twice")
            loss_db[node, gateway] = loss
        table.ignore_others(("node", "gateway", column), LOSSES)
    else:
        _fill_from_matrix(table, loss_db, nodes, gateways)
    loss_db[np.isnan(loss_db)] = np.inf
    check_in_range(table.place, loss_db, RANGES["path_loss_db"])
    for kind, names, losses_db in (("nodes", nodes, loss_db), ("gateways", gateways, loss_db.T)):
        silent = [name for name, row in zip(names, losses_db, strict=True) if np.isinf(row).all()]
        if silent:
            named = ", ".join(silent[:5]) + (", ..." if len(silent) > 5 else "")
            warnings.warn(f"{table.place}: {len(silent)} {kind} without any link: {named}", WithoutLink, stacklevel=2)
    return loss_db


def _fill_from_matrix(
    table: TextTable, loss_db: NDArray[np.float64], nodes: Sequence[str], gateways: Sequence[str]
) -> None:
    of_nodes = next((name for name in NODES if name in table.header), None)
    columns = [name for name in table.header if name != of_nodes]
    if of_nodes is None:
        if len(table.rows) != len(nodes):
            raise ValueError(
                f"{table.place}: {len(table.rows)} rows for {len(nodes)} nodes; a column 'node' says which are there"
            )
        rows = list(range(len(nodes)))
    else:
        rows = _numbers_of(table, "node", table.texts(of_nodes), nodes)
        if len(set(rows)) < len(rows):
            raise ValueError(f"{table.place}: column {of_nodes!r}: a node occurs twice")
    known = _Names("gateway", gateways)
    for column in columns:
        gateway = known.number(f"{table.place}: column {column!r}", column)
        loss_db[rows, gateway] = table.numbers(column, empty=np.inf)


def _only(table: TextTable, names: Sequence[str]) -> str:
    column = next((name for name in names if name in table.header), None)
    if column is None:
        raise ValueError(f"{table.place}: the column {names[0]!r} is required; found: {', '.join(table.header)}")
    return column


def _numbers_of(table: TextTable, kind: str, texts: Sequence[str], names: Sequence[str]) -> list[int]:
    known = _Names(kind, names)
    return [known.number(f"{table.place} line {line}", text) for text, line in zip(texts, table.lines, strict=True)]


class _Names:
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
