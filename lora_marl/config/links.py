"""Measured path losses of a file: a matrix of nodes by gateways, or a list of pairs.

A list has the columns `node`, `gateway` and `loss_db`; a matrix has a column for each gateway, and may have a column
`node`, without which its rows are the nodes in order. Nodes and gateways go by their ids where their files have some,
else by their numbers from 0. A pair that is missing, or whose cell is empty, has no link.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl.config.ids import Names, numbers_of
from lora_marl.config.tabular import TextTable, read_table
from lora_marl.core.checks import RANGES, check_in_range

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
            numbers_of(table, "node", table.texts("node"), nodes),
            numbers_of(table, "gateway", table.texts("gateway"), gateways),
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
    warn_of_silence(table.place, nodes, gateways, loss_db)
    return loss_db


def warn_of_silence(place: str, nodes: Sequence[str], gateways: Sequence[str], loss_db: NDArray[np.float64]) -> None:
    """Warn of nodes, and of gateways, that losses `[N, G]` leave without any link."""
    for kind, names, losses_db in (("nodes", nodes, loss_db), ("gateways", gateways, loss_db.T)):
        silent = [name for name, row in zip(names, losses_db, strict=True) if np.isinf(row).all()]
        if silent:
            named = ", ".join(silent[:5]) + (", ..." if len(silent) > 5 else "")
            warnings.warn(f"{place}: {len(silent)} {kind} without any link: {named}", WithoutLink, stacklevel=3)


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
        rows = numbers_of(table, "node", table.texts(of_nodes), nodes)
        if len(set(rows)) < len(rows):
            raise ValueError(f"{table.place}: column {of_nodes!r}: a node occurs twice")
    known = Names("gateway", gateways)
    for column in columns:
        gateway = known.number(f"{table.place}: column {column!r}", column)
        loss_db[rows, gateway] = table.numbers(column, empty=np.inf)


def _only(table: TextTable, names: Sequence[str]) -> str:
    column = next((name for name in names if name in table.header), None)
    if column is None:
        raise ValueError(f"{table.place}: the column {names[0]!r} is required; found: {', '.join(table.header)}")
    return column
