"""What the allocations of a run are worth, by three judges (`scripts.runs.energy.evaluate`).

Allocations as CSV files, a node per row.

What an allocation is worth, by three judges: the closed form, its exact refinement, and packets on the air.
"""

from __future__ import annotations

import csv
from pathlib import Path
import numpy as np
from numpy.typing import NDArray
from scripts.runs.cli import UsageError
from scripts.runs.energy.stages import Network
from agents.planners.bounds import upper_bound
from lora_marl.core import metrics
from lora_marl.core.air import Air
from lora_marl.core.expect.rayleigh import Rayleigh
from scripts.runs.metrics import Row
from typing import Any
from rich.markup import escape
from rich.table import Table
from scripts.runs.cli import console, errors
from scripts.runs.energy.stages import energy_of, networks_of
from scripts.runs.statistics import estimate
from scripts.runs.report import number
from scripts.runs.folder import RunFolder


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


JUDGES = ("expect", "joint", "packets")
PACKETS_PER_NODE = 2000


def scores(network: Network, points: NDArray[np.int16], least_delivery: float) -> Row:
    """What each judge says, and the `bound` that no allocation without violations exceeds.

    `ee_<judge>` (sum of the nodes' EE, bits/mJ), `share_<judge>` (of the bound), `pdr_<judge>`, `violations_<judge>`.
    Violations by packets are nodes that are below by more than two standard errors of `PACKETS_PER_NODE` packets.
    """
    closed_form = network.closed_form
    delivery = {
        "expect": closed_form.delivery(points),
        "joint": Rayleigh(closed_form.scenario, variant="joint", rate=closed_form.rate).delivery(points),
        "packets": played(network, points),
    }
    slack = 2.0 * np.sqrt(least_delivery * (1.0 - least_delivery) / PACKETS_PER_NODE)
    sf, _, _, tp = points.T
    bits_per_mj = closed_form.tables.bits_per_mj[np.arange(len(points)), sf, tp]
    found = {"bound": upper_bound(closed_form, least_delivery)}
    for judge in JUDGES:
        short = delivery[judge] < least_delivery - (slack if judge == "packets" else 0.0)
        found[f"ee_{judge}"] = float(metrics.ee_sum_bits_per_mj(bits_per_mj * delivery[judge]))
        found[f"share_{judge}"] = found[f"ee_{judge}"] / found["bound"]
        found[f"pdr_{judge}"] = float(delivery[judge].mean())
        found[f"violations_{judge}"] = float(short.sum())
    return found


def played(network: Network, points: NDArray[np.int16]) -> NDArray[np.float64]:
    """Share of each node's packets that the air delivers `[N]`."""
    scenario = network.closed_form.scenario
    slowest_s = PACKETS_PER_NODE / float(network.closed_form.expect(points).packets_per_s.min())
    outcome = Air(scenario, [network.seed]).advance(points[None], slowest_s)
    return np.asarray(metrics.pdr(outcome.sent[0], outcome.delivered[0]))


_NUMBERS = {"ee": "EE [bits/mJ]", "share": "share of the bound", "pdr": "mean delivery", "violations": "violations"}


def evaluate(folder: RunFolder) -> list[dict[str, Any]]:
    """Prints a table of all labels; for machines: a record per label, number and judge.

    Raises:
        UsageError: an allocation is missing or damaged.
    """
    run, least = folder.config, energy_of(folder.config).least_delivery
    table = Table("learner", "judge", *map(escape, _NUMBERS.values()), title=f"{run.name}: {len(run.seeds)} networks")
    records: list[dict[str, Any]] = []
    networks = networks_of(run)
    for label in run.learners:
        paths = [folder.folder(label, seed) / NAME for seed in run.seeds]
        if not all(path.exists() for path in paths):
            errors.print(f"note: {folder.path}: {label} has not finished and is left out", style="yellow")
            continue
        rows = [
            scores(network, read(path, network), least)
            for network, path in zip(networks, paths, strict=True)
        ]
        for judge in JUDGES:
            found = {name: estimate([row[f"{name}_{judge}"] for row in rows]) for name in _NUMBERS}
            cells = [f"{number(each.mean)} ({number(each.spread)})" for each in found.values()]
            table.add_row(label if judge == JUDGES[0] else "", judge, *cells)
            records += [
                {
                    "learner": label,
                    "metric": name,
                    "judge": judge,
                    "mean": each.mean,
                    "sd": each.spread,
                    "seeds": each.seeds,
                }
                for name, each in found.items()
            ]
    console.print(table)
    console.print(
        "mean over networks (sd); violations by packets: below by more than two standard errors of 2,000 packets"
    )
    return records
