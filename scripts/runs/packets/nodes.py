"""What became of each node, as a CSV file with a node per row: what a deployment is read off.

| column | meaning |
|---|---|
| `node`, `id` | number, and name where the file of the nodes has one |
| `sf`, `bw_khz`, `channel`, `tp_dbm` | the operating point at the end; an empty channel hops |
| `sent`, `delivered`, `pdr` | packets of the last interval, and their share; empty where none was sent |
| `airtime_s`, `energy_mj` | of the last interval |
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.outcome import Outcome
from lora_marl.core.region import Region

FILE_NAME = "nodes.csv"
_COLUMNS = ("sf", "bw_khz", "channel", "tp_dbm", "sent", "delivered", "pdr", "airtime_s", "energy_mj")


def node_table(
    region: Region, outcome: Outcome, points: NDArray[np.int16], replica: int, ids: Sequence[str] = ()
) -> str:
    """The text of the file for one replica.

    Args:
        region: Of the operating points.
        outcome: Of the last interval.
        points: The operating points at its end. `[B, N, 4]`
        replica: Which replica.
        ids: Names of the nodes `[N]`; empty: they have none.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["node", *(["id"] if ids else []), *_COLUMNS])
    sent, delivered = outcome.sent[replica], outcome.delivered[replica]
    for node, (sf, bw, channel, tp) in enumerate(points[replica].tolist()):
        point = [region.spreading_factors[sf], f"{region.bandwidths_hz[bw] / 1000:g}", channel if channel >= 0 else ""]
        share = f"{delivered[node] / sent[node]:.6f}" if sent[node] else ""
        sums = [f"{values[replica, node]:.6g}" for values in (outcome.airtime_s, outcome.energy_mj)]
        name = [ids[node]] if ids else []
        writer.writerow([node, *name, *point, region.tp_dbm[tp], sent[node], delivered[node], share, *sums])
    return text.getvalue()
