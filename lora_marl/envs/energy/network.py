"""The network behind MMALoRa's game: which scenarios it takes, who plays on which channel, and with which actions.

Shape letters: `N` nodes, `P` nodes that play, `A` flat actions (spreading factor by power).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.expect.rayleigh import Rayleigh
from lora_marl.core.presets.mmalora import POWER_LEVELS
from lora_marl.core.scenario import Scenario
from lora_marl.envs.codec import pick_allowed
from lora_marl.envs.game import check_scenario_type


def check_scenario(scenario: Any) -> None:
    """Raise ValueError, naming the field, for what the game does not have; `Rayleigh` checks the physics."""
    check_scenario_type(scenario)
    levels_dbm = scenario.region.tp_dbm
    if len(levels_dbm) not in POWER_LEVELS or not np.allclose(np.diff(levels_dbm, 2), 0.0):
        allowed = ", ".join(map(str, POWER_LEVELS))
        raise ValueError(f"scenario.region.tp_dbm: J = {len(levels_dbm)}, {levels_dbm}; J is {allowed}, in equal steps")
    if scenario.placements > 1:
        raise ValueError(f"scenario: has {scenario.placements} placements; all replicas share one")
    if scenario.changes or scenario.feedback != "free":
        raise ValueError("scenario: has changes or downlinks, which its expectations leave out")
    if not np.isfinite(scenario.interval_s()).all():
        raise ValueError("scenario.active: has nodes that are off; all nodes of this game send")


def node_channels(scenario: Scenario, channel: Sequence[int] | None) -> NDArray[np.int16]:
    """The channel of each node.

    Args:
        scenario: The network.
        channel: Of each node `[N]`; None: node number modulo the number of channels.

    Returns:
        Indices into the region's channels. `[N]`

    Raises:
        ValueError: another shape, or a channel that the region lacks.
    """
    count = len(scenario.region.channels_hz)
    channels = np.arange(scenario.nodes) % count if channel is None else np.asarray(channel)
    if channels.shape != (scenario.nodes,) or channels.dtype.kind not in "iu":
        raise ValueError(f"channel: {channels.dtype} {channels.shape}; expected are integers {(scenario.nodes,)}")
    if channels.min() < 0 or channels.max() >= count:
        raise ValueError(f"channel: {channels.min()} to {channels.max()}; the region has 0 to {count - 1}")
    return channels.astype(np.int16)


def playing_nodes(channel: NDArray[np.int16], only: int | None) -> NDArray[np.intp]:
    """The nodes that play: all, or those of one channel. `[P]`

    Raises:
        ValueError: a channel without nodes.
    """
    nodes = np.arange(len(channel)) if only is None else np.flatnonzero(channel == only)
    if not len(nodes):
        used = ", ".join(map(str, np.unique(channel)))
        raise ValueError(f"only_channel: {only!r} has no nodes; channels with nodes are {used}")
    return nodes


def subnetwork(scenario: Scenario, nodes: NDArray[np.intp]) -> Scenario:
    """The network that has these nodes `[P]` alone, and all gateways."""
    network = scenario.replica(0)

    def selected(value: Any) -> Any:
        return np.asarray(value)[nodes] if np.ndim(value) > 0 else value

    traffic = network.traffic
    return replace(
        network,
        node_xy_m=selected(network.node_xy_m),
        path_loss_db=selected(network.path_loss_db),
        active=selected(network.active),
        traffic=replace(
            traffic, interval_s=selected(traffic.interval_s), payload_bytes=selected(traffic.payload_bytes)
        ),
    )


def with_positions(scenario: Scenario, node_xy_m: ArrayLike) -> Scenario:
    """The network with its nodes elsewhere.

    Raises:
        ValueError: positions of another shape than `[N, 2]`.
    """
    if np.shape(node_xy_m) != (scenario.nodes, 2):
        raise ValueError(f"redraw: positions of shape {np.shape(node_xy_m)}; expected is {(scenario.nodes, 2)}")
    return scenario.with_values({"node_xy_m": np.asarray(node_xy_m)})


def check_separate(model: Rayleigh) -> None:
    """Raise ValueError where channels overlap, so that leaving out the others' nodes would change the outcome."""
    if (model.tables.meets.sum(axis=1) > 1).any():
        raise ValueError("only_channel: the region's channels overlap, so the nodes of one are no game of their own")


def allowed_actions(model: Rayleigh, channel: NDArray[np.int16], least_delivery: float) -> NDArray[np.bool_]:
    """Mask of the actions that would be delivered often enough if nobody else sent.

    A node that has none keeps the action with the highest delivery.

    Args:
        model: The closed form of the nodes' network.
        channel: Of each node. `[P]`
        least_delivery: D_th, 0 to 1.

    Returns:
        `[P, A]`
    """
    delivery = model.undisturbed_delivery(channel)
    allowed = delivery.reshape(len(delivery), -1) >= least_delivery
    # The less power an action needs relative to what it sends, the higher its delivery, wherever the node is.
    best = (model.tables.sensitivity_mw[:, None] / model.tables.tp_mw).argmin()
    allowed[:, best] |= ~allowed.any(axis=1)
    return allowed


def draw_actions(rng: np.random.Generator, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """One allowed action for each node, all as likely: from `[P, A]` to flat indices `[P]`."""
    nodes, actions = allowed.shape
    return pick_allowed(rng.random((nodes, 1)), allowed, [actions])[:, 0]
