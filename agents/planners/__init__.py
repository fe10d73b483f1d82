"""Planners: MMALoRa's baselines, which allocate its network by the closed form with everything known, and bounds.

| name | what it does | looks at D_th |
|---|---|---|
| `rcst` | channel, spreading factor and power at random | |
| `distance-sf` | spreading factor by distance to the nearest gateway, highest power | |
| `matching` | the same in the channels that swap matching gives (`agents.planners.matching`) | |
| `adr-mean`, `adr-max` | the network server's ADR by the mean RSSI, and by the highest of 20 uplinks | |
| `ef-lora` | the largest least energy efficiency, bottleneck first | |
| `energy-independent` | each node its best point as if it were alone | x |
| `table-bandit` | each node tries all points, then takes the one of its highest marginal reward | x |
| `energy-ascent` | coordinate ascent (LS), the reference of every table | x |

All choose spreading factor and power in given channels; `rcst`, `matching` and `ef-lora` choose channels, too.
`bounds.upper_bound` bounds them all, `bounds.summarise` gives the measures of an allocation, and `learners` makes
planners learners of the packet air. `best_assignment` plans the references of packet runs.

Source: MMALoRa, section VII, which names most of them only: `baselines` says what we took each to be.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents import learner_name
from agents.planners.baselines import (
    adr_max,
    adr_mean,
    distance_sf,
    ef_lora,
    energy_ascent,
    independent,
    matching,
    rcst,
    table_bandit,
)
from agents.planners.matching import balanced_channels
from lora_marl.core.checks import check_choice
from lora_marl.core.expect import Rayleigh
from lora_marl.core.random import stream_key

Planner = Callable[[Rayleigh, np.random.Generator, float, NDArray[np.int16]], NDArray[np.int16]]
"""From a closed form, random numbers, the least delivery D_th and channels `[N]` to operating points `[N, 4]`."""

PLANNERS: dict[str, Planner] = {
    "rcst": rcst,
    "distance-sf": distance_sf,
    "matching": matching,
    "adr-mean": adr_mean,
    "adr-max": adr_max,
    "ef-lora": ef_lora,
    "energy-independent": independent,
    "table-bandit": table_bandit,
    "energy-ascent": energy_ascent,
}


def plan(
    planner: str, closed_form: Rayleigh, seed: int, *, least_delivery: float = 0.7, channel: ArrayLike | None = None
) -> NDArray[np.int16]:
    """An allocation by a planner's name.

    Args:
        planner: A name of `PLANNERS`.
        closed_form: Closed form of the network.
        seed: From which everything is drawn.
        least_delivery: Delivery that every node should reach, D_th. 0 to 1
        channel: Index of each node's channel, for planners that do not choose it; None: random and balanced. `[N]`

    Returns:
        Operating points. int16 `[N, 4]`

    Raises:
        ValueError: an unknown planner, a delivery outside 0 to 1, channels that the region does not have, or the
            variant `joint` for a planner that asks for moves of single nodes.
    """
    planner = learner_name(planner)
    check_choice("planner", planner, PLANNERS)
    if not 0 <= least_delivery <= 1:
        raise ValueError(f"least_delivery = {least_delivery}: must lie in 0 to 1")
    nodes, channels = closed_form.scenario.nodes, len(closed_form.tables.meets)
    rng = np.random.default_rng(int(stream_key(seed, "learner")))
    indices = balanced_channels(rng, nodes, channels) if channel is None else np.asarray(channel)
    if indices.shape != (nodes,) or indices.dtype.kind not in "iu" or indices.min() < 0 or indices.max() >= channels:
        raise ValueError(f"channel: needs {nodes} indices from 0 to {channels - 1}")
    return PLANNERS[planner](closed_form, rng, least_delivery, indices.astype(np.int16))
