"""NoReL's networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lora_marl.core import tables
from lora_marl.core.checks import check_choice
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.duty_cycle import warn_about_duty_cycle
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.region import REGIONS
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.topology import uniform_discs
from lora_marl.core.traffic import Traffic, mean_interval_s
from lora_marl.core.units import DAY_S

NOREL_RECEIVE_MJ = 3.3 * 11.0 * 2 * 0.164
"""Two receive windows of 0.164 s at 11 mA and 3.3 V. mJ"""


def norel_network(
    nodes: int = 200,
    radius_m: float = 2000.0,
    *,
    gateway_xy_m: ArrayLike = ((0.0, 0.0),),
    packets_per_s: float = 0.001,
    feedback: Literal["free", "downlink"] = "downlink",
    seed: int = 0,
) -> Scenario:
    """The network of NoReL: one channel, SF7 to SF12, five powers, duty cycle, pairwise interference.

    Args:
        nodes: N, spread over discs around the gateways.
        radius_m: Of each disc. m
        gateway_xy_m: `[G, 2]`. m
        packets_per_s: Rate lambda of a node's packets: 100 airtimes after one began (1 % duty cycle), the next follows
            after an exponential time of mean 1 / lambda. 1/s
        feedback: See `Scenario`; downlinks as in all papers' networks (`PAPERS_DOWNLINK`).
        seed: Of the placement.

    Source: NoReL, section on the evaluation, and its authors' code; `configs/norel.yaml` says the same.
    """
    gateways = np.asarray(gateway_xy_m, np.float64)
    scenario = Scenario(
        name="norel",
        node_xy_m=uniform_discs(np.random.default_rng(seed), nodes, radius_m, gateways),
        gateway_xy_m=gateways,
        region=replace(REGIONS["EU868"], channels_hz=(868.1e6,), tp_dbm=(2.0, 5.0, 8.0, 11.0, 14.0)),
        propagation=Propagation(shadowing_db=3.54),
        reception=Reception(
            spared_preamble_symbols=7.25,
            sensitivity_dbm=tables.SENSITIVITY_DBM["norel"],
            capture_db=1.0,
            equality_survives=False,
            inter_sf="sir_pairwise",
            sir_db=tables.SIR_DB["norel"],
            noise_figure_db=0.0,
        ),
        traffic=Traffic(interval_s=mean_interval_s(packets_per_s), payload_bytes=20, duty_cycle=0.01),
        low_data_rate="off",
        coding_rate=4,
        energy="supply",
        supply="norel",
        receive_mj=NOREL_RECEIVE_MJ,
        feedback=feedback,
        downlink=PAPERS_DOWNLINK,
    )
    warn_about_duty_cycle(scenario, stacklevel=3)
    return scenario


def norel_dynamic(kind: Literal["nodes", "traffic", "channel"], nodes: int = 500, *, seed: int = 0) -> Scenario:
    """NoReL's networks that change: nodes within 4 km of one gateway, 15 days.

    Args:
        kind: `nodes`: a fifth as many nodes more, after ten days; `traffic`: five times the packets from day five to
            day ten; `channel`: path-loss exponent 3.32 and shadowing of 7.08 dB every other twelve hours.
        nodes: N, at the beginning.
        seed: Of the placement.

    Raises:
        ValueError: an unknown kind.

    Source: NoReL, dynamic scenarios; `configs/norel_nodes.yaml`, `norel_traffic.yaml` and `norel_channel.yaml`.
    """
    check_choice("kind", kind, ("nodes", "traffic", "channel"))
    more = nodes // 5 if kind == "nodes" else 0
    network = norel_network(nodes + more, 4000.0, seed=seed)
    if kind == "nodes":
        first = np.arange(nodes + more) < nodes
        joined = Change(at_s=10 * DAY_S, values={"active": np.ones(nodes + more, np.bool_)})
        return replace(network, name="norel_nodes", active=first, changes=(joined,))
    if kind == "traffic":
        intervals_s = ((5 * DAY_S, 200.0), (10 * DAY_S, 1000.0))
        changes = tuple(
            Change(at_s=at_s, values={"traffic.interval_s": interval_s}) for at_s, interval_s in intervals_s
        )
        return replace(network, name="norel_traffic", changes=changes)
    states = ({"exponent": 2.32, "shadowing_db": 3.54}, {"exponent": 3.32, "shadowing_db": 7.08})
    changes = tuple(
        Change(at_s=half * DAY_S / 2, values={f"propagation.{name}": value for name, value in states[half % 2].items()})
        for half in range(1, 30)
    )
    return replace(network, name="norel_channel", changes=changes)
