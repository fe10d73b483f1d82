"""Planners: allocations of MMALoRa's network from its closed form, with everything known: its baselines and bounds.

| name | what it does | sees D_th |
|---|---|---|
| `rcst` | channel, spreading factor and power at random | |
| `distance-sf` | spreading factor by distance to the nearest gateway, highest power | |
| `matching` | the same in the channels that swap matching finds (`agents.planners.matching`) | |
| `adr-mean`, `adr-max` | the network server's ADR by the mean RSSI, and by the highest of 20 uplinks | |
| `ef-lora` | the largest least energy efficiency, bottleneck first | |
| `energy-independent` | each node the best for itself as if it were alone | x |
| `table-bandit` | each node tries all and then takes what its marginal reward was highest at | x |
| `energy-ascent` | coordinate ascent (LS), the reference of every table | x |

All choose spreading factor and power in given channels; `rcst`, `matching` and `ef-lora` choose channels, too.
`alone.upper_bound` bounds them all, `summary.row` scores an allocation, `learners` puts them on the packet air.

Source: MMALoRa, section VII, where most of them are named only: their modules say what we took them to be.
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
from agents.planners.matching import balanced
from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.random import stream_key

Planner = Callable[[Rayleigh, np.random.Generator, float, NDArray[np.int16]], NDArray[np.int16]]
"""From the closed form, a source of draws, the delivery that every node should reach and channels `[N]` to points."""

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
        planner: One of `PLANNERS`.
        closed_form: Of the network.
        seed: Of all that is drawn.
        least_delivery: What every node should reach, D_th. 0 to 1
        channel: Index of each node's, for planners that do not choose it; None: random and balanced. `[N]`

    Returns:
        Points. int16 `[N, 4]`

    Raises:
        ValueError: an unknown planner, a delivery outside 0 to 1, channels that the region does not have, or the
            variant `joint` for a planner that asks for moves of single nodes.
    """
    planner = learner_name(planner)
    if planner not in PLANNERS:
        raise ValueError(f"planner: {planner!r} is not one of {', '.join(PLANNERS)}")
    if not 0 <= least_delivery <= 1:
        raise ValueError(f"least_delivery = {least_delivery}: must lie in 0 to 1")
    nodes, channels = closed_form.scenario.nodes, len(closed_form.tables.meets)
    rng = np.random.default_rng(int(stream_key(seed, "learner")))
    given = balanced(rng, nodes, channels) if channel is None else np.asarray(channel)
    if given.shape != (nodes,) or given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= channels:
        raise ValueError(f"channel: needs {nodes} indices from 0 to {channels - 1}")
    return PLANNERS[planner](closed_form, rng, least_delivery, given.astype(np.int16))
