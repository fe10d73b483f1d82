"""Nodes and gateways of files: positions in metres or in degrees, names, and each node's own traffic."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl.config.tabular import TextTable, read_table
from lora_marl.core.geodesy import check_degrees, project_m

METRES = ("x_m", "y_m")
LATITUDES, LONGITUDES = ("lat", "latitude"), ("lon", "lng", "long", "longitude")
"""Names of the columns of positions, in metres, or in degrees on WGS84."""

TRAFFIC = ("payload_bytes", "interval_s")
"""Columns of nodes that replace the scenario's traffic."""

NAMES = ("id", "dev_eui", "node", "gateway", "name")
"""Columns that may name nodes and gateways; the first that a file has does."""


@dataclass(frozen=True)
class Places:
    """Nodes or gateways as a file has them.

    Attributes:
        positions: `[N, 2]`, in metres, or latitude and longitude in degrees.
        degrees: Whether they are in degrees.
        ids: Their names `[N]`; empty: the file has none.
        traffic: `payload_bytes` and `interval_s` `[N]`, where the file has them.
    """

    positions: NDArray[np.float64]
    degrees: bool = False
    ids: tuple[str, ...] = ()
    traffic: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def read_places(key: str, path: Path, *, traffic: bool) -> Places:
    """The nodes or gateways of a file.

    Args:
        key: The configuration key that names the file.
        path: The file.
        traffic: Whether it may have the columns of `TRAFFIC`.

    Raises:
        ValueError: a column that is missing, spelt almost right or filled with something else, naming file and line.
    """
    table = read_table(key, path)
    columns, degrees = _position_columns(table)
    positions = np.stack([table.numbers(name) for name in columns], axis=-1)
    ids, id_columns = _ids(table)
    own = {name: table.numbers(name) for name in TRAFFIC if traffic and name in table.header}
    table.ignore_others((*columns, *id_columns, *own), (*columns, *(TRAFFIC if traffic else ())))
    if degrees:
        for row, line in enumerate(table.lines):
            check_degrees(f"{table.place} line {line}", positions[row : row + 1])
    return Places(positions, degrees, ids, own)


def place_together(
    nodes: Places, gateways: Places, origin: tuple[float, float] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions of nodes and gateways on one plane.

    Args:
        nodes: Of a file.
        gateways: Of a file, or of the configuration.
        origin: Latitude and longitude of (0, 0); None: the middle of the gateways that are in degrees.

    Returns:
        `[N, 2]` and `[G, 2]` m

    Raises:
        ValueError: only one of both is in degrees and no origin is given.
    """
    if origin is None and nodes.degrees != gateways.degrees:
        one, other = ("nodes", "gateways") if nodes.degrees else ("gateways", "nodes")
        raise ValueError(
            f"origin_lat_lon: is required, since {one} are in degrees and {other} in metres; or give both in degrees "
            "(gateway_lat_lon, or columns lat and lon)"
        )
    at = origin or _middle(gateways)
    return in_metres(nodes, at), in_metres(gateways, at)


def in_metres(places: Places, origin: tuple[float, float] | None) -> NDArray[np.float64]:
    """Positions in metres `[N, 2]`; those in degrees around the origin, or around their own middle."""
    return project_m(places.positions, origin or _middle(places)) if places.degrees else places.positions


def _middle(places: Places) -> tuple[float, float]:
    """Latitude and longitude of the middle; longitudes on both sides of 180 degrees are 360 degrees nearer."""
    latitudes, longitudes = places.positions.T
    if np.ptp(longitudes) > 180.0:
        longitudes = longitudes % 360.0
    longitude = float(longitudes.mean())
    return float(latitudes.mean()), longitude - 360.0 if longitude > 180.0 else longitude


def _position_columns(table: TextTable) -> tuple[tuple[str, str], bool]:
    in_metres = all(name in table.header for name in METRES)
    degrees = [next((name for name in names if name in table.header), None) for names in (LATITUDES, LONGITUDES)]
    if in_metres and any(degrees):
        raise ValueError(f"{table.place}: has positions in metres and in degrees; remove x_m and y_m, or lat and lon")
    if in_metres:
        return METRES, False
    if degrees[0] is not None and degrees[1] is not None:
        return (degrees[0], degrees[1]), True
    table.ignore_others([name for name in table.header if name in METRES], METRES)
    missing = next((name for name in METRES if name not in table.header), METRES[0])
    raise ValueError(
        f"{table.place}: the column {missing!r} is required (or lat and lon, in degrees); "
        f"found: {', '.join(table.header) or 'nothing'}"
    )


def _ids(table: TextTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the rows, and the column that they stand in; a column `name` counts if it tells all rows apart."""
    column = next((name for name in NAMES if name in table.header), None)
    if column is None:
        return (), ()
    ids = table.texts(column)
    twice = next((name for name in ids if not name or ids.count(name) > 1), None) if len(set(ids)) < len(ids) else None
    twice = "" if "" in ids else twice
    if twice is None:
        return tuple(ids), (column,)
    if column == "name":
        return (), ()
    said = f"{twice!r} occurs twice" if twice else "is empty in a row"
    raise ValueError(f"{table.place}: column {column!r}: {said}; it must tell the rows apart")
