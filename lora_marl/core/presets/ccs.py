"""Coexisting networks for the coordination service: those of our study, and those under the limits of EU868."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from lora_marl.core import tables
from lora_marl.core.checks import check_above_0, check_choice, check_count, warn_renamed
from lora_marl.core.coexistence import Coexistence, Deployment, Rule
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.region import REGIONS
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic

TrafficKind = Literal["poisson", "periodic"]

OCCUPANCY = (0.01, 0.05, 0.10, 0.15, 0.55, 0.60, 0.65, 0.70)
"""Share of time that external interference keeps the channels busy, in an order drawn for every replica."""

INTERVAL_S = 60.0
"""Length of a control interval. s"""

MOVES_S = 30 * INTERVAL_S
"""Time between two moves of interference. s"""

RECEIVE_MJ = 3.0
"""Energy of the receive windows of an attempt. mJ"""

_PERIOD_S = 20.0
"""Mean time between two frames of a node of `ccs_study`, at load 1. s"""

_EU868_FACTOR = 10
"""Factor of nodes and of the mean time between frames, `ccs_eu868` over `ccs_study`."""


def ccs_study(
    deployments: int | Sequence[Deployment] = 2,
    *,
    load: float = 1.0,
    interference: Literal["dynamic", "static", "none"] = "dynamic",
    traffic: TrafficKind = "poisson",
    **others: Any,
) -> Coexistence:
    """Return networks of 100 nodes that learn, with free acknowledgements and a duty cycle of 10 %.

    Args:
        deployments: The networks, or how many.
        load: Factor on the traffic of one frame every 20 s and node, in addition to each network's own.
        interference: `dynamic` moves every 30 minutes, `static` never.
        traffic: Frames of a node come at random (`poisson`), or in a fixed rhythm (`periodic`).
        others: Further fields of `Coexistence`.

    Raises:
        ValueError: an unknown interference or traffic, or no networks.

    Source: the CCS paper describes no radio; this is the scenario of our study of it.
    """
    return _coexistence("ccs_study", _radio(traffic), load, _listed(deployments), interference, others)


def ccs_eu868(
    deployments: int | Sequence[Deployment] = 2,
    *,
    load: float = 1.0,
    interference: Literal["dynamic", "static", "none"] = "dynamic",
    traffic: TrafficKind = "poisson",
    acknowledgements: Literal["free", "downlink"] = "downlink",
    **others: Any,
) -> Coexistence:
    """Return networks of 1,000 nodes under EU868's duty cycles, with the offered load of `ccs_study`.

    Acknowledgements of 13 bytes are downlinks that gateways may send 1 % of the time in RX1 and 10 % in RX2 (SF9), so
    at a load of 1 most are refused, and nodes repeat frames that were received. A gateway that has to send stops
    receiving, as concentrators do, and loses the packets that it was receiving. Downlinks have the opposite I/Q
    orientation: they do not disturb uplinks, nor uplinks them.

    Args: as of `ccs_study`, and
        acknowledgements: `free` ones arrive at once and always.
    """
    radio = replace(
        _radio(traffic, _EU868_FACTOR * _PERIOD_S),
        feedback=acknowledgements,
        downlink=replace(PAPERS_DOWNLINK, payload_bytes=13, rx2_sf=9, interference=False, priority="downlink"),
    )
    radio = radio.with_values({"traffic.duty_cycle": 0.01})
    return _coexistence("ccs_eu868", radio, load, _listed(deployments, nodes=1000), interference, others)


COEXISTENCES: Mapping[str, Callable[[], Coexistence]] = {"ccs_study": ccs_study, "ccs_eu868": ccs_eu868}
"""The presets by name, with two networks that learn."""


def _listed(deployments: int | Sequence[Deployment], nodes: int = 100) -> tuple[Deployment, ...]:
    if isinstance(deployments, Sequence):
        return tuple(deployments)
    check_count("deployments", deployments)
    return (Deployment(nodes=nodes),) * int(deployments)


def non_learning(rule: Rule = "uniform", nodes: int = 100) -> Deployment:
    """Return a network that does not learn.

    Args:
        rule: `uniform`: every attempt on any channel; `adr`: on the default channels, under adaptive data rate.
        nodes: How many.
    """
    return Deployment(nodes=nodes, rule=rule)


def legacy(rule: Rule = "uniform", nodes: int = 100) -> Deployment:
    """The former name of `non_learning`, until 0.2.0."""
    warn_renamed("presets.ccs.legacy", "presets.ccs.non_learning")
    return non_learning(rule, nodes)


def _radio(traffic: TrafficKind, interval_s: float = _PERIOD_S) -> Scenario:
    """The radio, traffic and energy that all networks have in common."""
    check_choice("traffic", traffic, get_args(TrafficKind))
    return Scenario(
        name="ccs",
        node_xy_m=np.zeros((1, 2)),
        region=replace(REGIONS["EU868"], tp_dbm=(2.0, 5.0, 8.0, 11.0, 14.0)),
        propagation=Propagation(shadowing_db=4.0, shadowing="link", shadowing_common_share=0.64, fading="rayleigh"),
        reception=Reception(
            spared_preamble_symbols=0.0,
            sensitivity_dbm=tables.SENSITIVITY_DBM["mmalora"],
            inter_sf="sir_energy",
            sir_db=tables.SIR_DB["norel"],
        ),
        traffic=Traffic(
            kind=traffic,
            interval_s=interval_s,
            after_end=False,
            payload_bytes=20,
            duty_cycle=0.1,
            queued=True,
            confirmed=True,
        ),
        energy="supply",
        supply="norel",
        receive_mj=RECEIVE_MJ,
    )


def _coexistence(
    name: str,
    radio: Scenario,
    load: float,
    deployments: tuple[Deployment, ...],
    interference: str,
    others: dict[str, Any],
) -> Coexistence:
    check_above_0("load", load)
    check_choice("interference", interference, ("dynamic", "static", "none"))
    fields: dict[str, Any] = {
        "name": name,
        "deployments": deployments,
        "radio": radio.with_values({"traffic.interval_s": np.asarray(radio.traffic.interval_s) / load}),
        "occupancy": None if interference == "none" else OCCUPANCY,
        "moves_s": MOVES_S if interference == "dynamic" else None,
    }
    return Coexistence(**fields | others)
