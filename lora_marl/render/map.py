"""Frames of a network: a map of its nodes, coloured by spreading factor, and their links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.reception import FATES, Fate
from lora_marl.core.scenario import Scenario
from lora_marl.core.topology import distances_m

SF_COLOURS = {7: "#440154", 8: "#414487", 9: "#2a788e", 10: "#22a884", 11: "#7ad151", 12: "#fde725"}
FATE_COLOURS = {
    Fate.DELIVERED: "#2ca02c",
    Fate.BELOW_SENSITIVITY: "#7f7f7f",
    Fate.INTERFERED: "#ff7f0e",
    Fate.COLLIDED: "#d62728",
    Fate.NO_DEMODULATOR: "#9467bd",
}
_BAR = 40
"""Characters of the longest bar in the text."""


@dataclass(frozen=True, kw_only=True)
class MapFrame:
    """A network: where nodes are, what they send with, and the result of the last step.

    Attributes:
        scenario: The network as it is now.
        when: The time, such as `at 60 s`.
        node_xy_m: Positions of the nodes. `[N, 2]` m
        points: Operating points, indices into the region's lists. `[N, 4]`
        active: Whether each node is part of the network. `[N]`
        result: Result of the last step, in short.
        lines: The same in full, for the text.
        links: Kinds of links to the nearest gateway: name, colour, and which nodes have such a link `[N]`.
    """

    scenario: Scenario
    when: str
    node_xy_m: NDArray[np.float64]
    points: NDArray[np.int16]
    active: NDArray[np.bool_]
    result: str
    lines: tuple[str, ...]
    links: tuple[tuple[str, str, NDArray[np.bool_]], ...]

    @property
    def gateway_xy_m(self) -> NDArray[np.float64]:
        """Positions of the gateways. `[G, 2]` m"""
        return self.scenario.gateway_xy_m.reshape(-1, self.scenario.gateways, 2)[0]

    @property
    def sf(self) -> NDArray[np.int64]:
        """Spreading factor of each node. `[N]`"""
        return np.array(self.scenario.region.spreading_factors)[self.points[:, 0]]

    def text(self) -> str:
        """The result of the last step, and how many nodes use each spreading factor."""
        nodes, scenario = int(self.active.sum()), self.scenario
        size = f"{nodes} of {len(self.points)} nodes, {scenario.gateways} gateway(s)"
        lines = [f"{scenario.name} {self.when}: {size}", *self.lines]
        for sf in scenario.region.spreading_factors:
            count = int((self.sf[self.active] == sf).sum())
            lines.append(f"SF{sf:<2} {count:6d} {'#' * round(_BAR * count / max(nodes, 1))}".rstrip())
        return "\n".join(lines)

    def draw(self, figure: Any) -> None:
        """Gateways, nodes coloured by spreading factor, links to the nearest gateway."""
        axes = figure.add_subplot(aspect="equal")
        _draw_links(axes, self)
        _draw_sites(axes, self)
        axes.set(xlabel="x (m)", ylabel="y (m)")
        axes.set_title(f"{self.scenario.name} {self.when}: {self.result}")
        figure.legend(loc="outside lower center", ncols=4, fontsize="x-small", frameon=False)


def packet_frame(
    scenario: Scenario, *, time_s: float, fates: NDArray[np.int8], sent: int, delivered: int, **shown: Any
) -> MapFrame:
    """A frame of the packet air, with links coloured by the fates of packets.

    Args:
        scenario: The network as it is now.
        time_s: Time of the air. s
        fates: `Fate` of each node's last packet. `[N]`
        sent: Packets that ended in the last step.
        delivered: Packets among them that were received.
        shown: The frame's `node_xy_m`, `points` and `active`.
    """
    share = f" ({delivered / sent:.1%})" if sent else ""
    counts = (f"{_in_words(fate)} {int((fates == fate).sum())}" for fate in FATES)
    return MapFrame(
        scenario=scenario,
        when=f"at {time_s:g} s",
        result=f"{delivered} of {sent} delivered",
        lines=(
            f"last step: {sent} packets ended, {delivered} delivered{share}",
            f"last packets: {', '.join(counts)}",
        ),
        links=tuple((_in_words(fate), colour, fates == fate) for fate, colour in FATE_COLOURS.items()),
        **shown,
    )


def _draw_links(axes: Any, frame: MapFrame) -> None:
    from matplotlib.collections import LineCollection

    nearest = distances_m(frame.node_xy_m, frame.gateway_xy_m).argmin(axis=-1)
    links = np.stack([frame.node_xy_m, frame.gateway_xy_m[nearest]], axis=1)
    for name, colour, which in frame.links:
        drawn = frame.active & which
        if drawn.any():
            axes.add_collection(LineCollection(list(links[drawn]), colors=colour, linewidths=0.8, label=name))


def _draw_sites(axes: Any, frame: MapFrame) -> None:
    for sf, colour in SF_COLOURS.items():
        x_m, y_m = frame.node_xy_m[frame.active & (frame.sf == sf)].T
        if len(x_m):
            axes.scatter(x_m, y_m, s=22, color=colour, edgecolors="black", linewidths=0.4, zorder=2, label=f"SF{sf}")
    x_m, y_m = frame.node_xy_m[~frame.active].T
    axes.scatter(x_m, y_m, s=10, color="lightgrey", zorder=2)
    x_m, y_m = frame.gateway_xy_m.T
    axes.scatter(x_m, y_m, s=90, color="black", marker="^", zorder=3, label="gateway")


def _in_words(fate: Fate) -> str:
    return fate.name.lower().replace("_", " ")
