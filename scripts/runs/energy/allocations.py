"""Allocations: as CSV files, a node per row, and what they are worth by three judges.

The judges are the closed form that learners are trained on, its exact refinement, and packets on the air.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.planners.bounds import upper_bound
from lora_marl.core import metrics
from lora_marl.core.air import Air
from lora_marl.core.expect.rayleigh import Rayleigh
from scripts.runs.cli import UsageError
from scripts.runs.energy.experiment import Network
from scripts.runs.metrics import Row

FILE_NAME = "allocation.csv"
JUDGES = ("expect", "joint", "packets")
PACKETS_PER_NODE = 2000
_COLUMNS = ("node", "sf", "channel", "tp_dbm", "delivery")


def write(path: Path, network: Network, points: NDArray[np.int16], ids: Sequence[str] = ()) -> None:
    """Writes an allocation `[N, 4]`, and what the closed form expects each node to deliver.

    Args:
        path: The file.
        network: The network.
        points: The allocation. `[N, 4]`
        ids: Names of the nodes `[N]`, for a column `id`; empty: they have none.
    """
    region, delivery = network.closed_form.scenario.region, network.closed_form.delivery(points)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_COLUMNS, *(["id"] if ids else [])])
        for node, (sf, _, channel, tp) in enumerate(points.tolist()):
            name = [ids[node]] if ids else []
            row = [node, region.spreading_factors[sf], channel, region.tp_dbm[tp], f"{delivery[node]:.6f}"]
            writer.writerow(row + name)


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


def scores(network: Network, points: NDArray[np.int16], least_delivery: float) -> Row:
    """The worth of an allocation to each judge, and the `bound` that none without violations exceeds.

    Args:
        network: The network.
        points: The allocation. `[N, 4]`
        least_delivery: D_th, what every node should deliver. 0 to 1

    Returns:
        `bound`, and by judge `ee_<judge>` (sum of the nodes' EE, bits/mJ), `share_<judge>` (of the bound),
        `pdr_<judge>` (mean over nodes) and `violations_<judge>` (nodes below `least_delivery`; by packets: below it by
        more than two standard errors of `PACKETS_PER_NODE` packets).
    """
    closed_form = network.closed_form
    delivery = {
        "expect": closed_form.delivery(points),
        "joint": Rayleigh(closed_form.scenario, variant="joint", rate=closed_form.rate).delivery(points),
        "packets": simulated_delivery(network, points),
    }
    two_errors = 2.0 * np.sqrt(least_delivery * (1.0 - least_delivery) / PACKETS_PER_NODE)
    sf, _, _, tp = points.T
    bits_per_mj = closed_form.tables.bits_per_mj[np.arange(len(points)), sf, tp]
    row = {"bound": upper_bound(closed_form, least_delivery)}
    for judge in JUDGES:
        short = delivery[judge] < least_delivery - (two_errors if judge == "packets" else 0.0)
        row[f"ee_{judge}"] = float(metrics.ee_sum_bits_per_mj(bits_per_mj * delivery[judge]))
        row[f"share_{judge}"] = row[f"ee_{judge}"] / row["bound"]
        row[f"pdr_{judge}"] = float(delivery[judge].mean())
        row[f"violations_{judge}"] = float(short.sum())
    return row


def simulated_delivery(network: Network, points: NDArray[np.int16]) -> NDArray[np.float64]:
    """Share of each node's packets that the air delivers, of `PACKETS_PER_NODE` from the slowest. `[N]`"""
    scenario = network.closed_form.scenario
    slowest_s = PACKETS_PER_NODE / float(network.closed_form.expect(points).packets_per_s.min())
    outcome = Air(scenario, [network.seed]).advance(points[None], slowest_s)
    return np.asarray(metrics.pdr(outcome.sent[0], outcome.delivered[0]))
