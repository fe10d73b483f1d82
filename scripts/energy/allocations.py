"""Allocations as CSV files, a node per row."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.cli import UsageError
from scripts.energy.networks import Network

NAME = "allocation.csv"
_COLUMNS = ("node", "sf", "channel", "tp_dbm", "delivery")


def write(path: Path, network: Network, points: NDArray[np.int16]) -> None:
    """Writes an allocation `[N, 4]`, and what the closed form expects each node to deliver."""
    region, delivery = network.closed_form.scenario.region, network.closed_form.delivery(points)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for node, (sf, _, channel, tp) in enumerate(points.tolist()):
            writer.writerow([node, region.spreading_factors[sf], channel, region.tp_dbm[tp], f"{delivery[node]:.6f}"])


def read(path: Path, network: Network) -> NDArray[np.int16]:
    """The allocation in a file `[N, 4]`.

    Raises:
        UsageError: the file is missing, damaged, or of another network.
    """
    region, nodes = network.closed_form.scenario.region, network.closed_form.scenario.nodes
    points = np.zeros((nodes, 4), np.int16)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if len(rows) != nodes:
            raise ValueError(f"{len(rows)} nodes; the network has {nodes}")
        for node, row in enumerate(rows):
            points[node, 0] = region.spreading_factors.index(int(row["sf"]))
            points[node, 2] = range(len(region.channels_hz))[int(row["channel"])]
            points[node, 3] = region.tp_dbm.index(float(row["tp_dbm"]))
    except (OSError, KeyError, ValueError, IndexError, TypeError) as error:
        raise UsageError(
            f"{path}: no allocation of this network ({error}); train it, or again with --overwrite"
        ) from None
    return points
