"""Frames of coexisting networks: the channels that each network used over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PANELS = 8
"""Most networks that a picture shows; the text shows all."""


@dataclass(frozen=True, kw_only=True)
class ChannelFrame:
    """The channels of one replica.

    Shape letters: `T` intervals so far, `S` networks, `C` channels.

    Attributes:
        title: Name and time.
        networks: Names of the networks. `[S]`
        erlangs: Airtime per second in each interval. `[T, S, C]`
        occupancy: Share of time that external interference keeps each channel busy now. `[C]`
        received, attempts: Packets received and sent in the last interval. `[S]`
    """

    title: str
    networks: tuple[str, ...]
    erlangs: NDArray[np.float64]
    occupancy: NDArray[np.float64]
    received: NDArray[np.float64]
    attempts: NDArray[np.float64]

    def text(self) -> str:
        """Deliveries in the last interval, and the airtime of each network by channel."""
        busy = " ".join(f"{share:4.0%}" for share in self.occupancy)
        lines = [self.title, f"external interference by channel: {busy}"]
        last = self.erlangs[-1] if len(self.erlangs) else np.zeros((len(self.networks), len(self.occupancy)))
        for s, name in enumerate(self.networks):
            share = f"{self.received[s] / self.attempts[s]:.1%}" if self.attempts[s] else "nothing sent"
            used = " ".join(f"{erlangs:4.2f}" for erlangs in last[s])
            lines.append(f"{name}: received {share}; airtime [s/s] by channel {used}")
        return "\n".join(lines)

    def draw(self, figure: Any) -> None:
        """A panel for each of the first networks, all on one colour scale."""
        shown = self.networks[:MOST_PANELS]
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        highest = max(float(self.erlangs.max(initial=0.0)), 1e-9)
        for s, (axes, name) in enumerate(zip(panels, shown, strict=True)):
            usage = self.erlangs[:, s].T if len(self.erlangs) else np.zeros((len(self.occupancy), 1))
            within = (0.5, usage.shape[1] + 0.5, -0.5, len(usage) - 0.5)  # intervals are numbered from 1
            image = axes.imshow(
                usage, aspect="auto", origin="lower", vmin=0.0, vmax=highest, cmap="viridis", extent=within
            )
            axes.locator_params(axis="x", integer=True)
            axes.set_ylabel(f"{name}\nchannel", fontsize="x-small")
        panels[-1].set_xlabel("interval")
        left_out = len(self.networks) - len(shown)
        panels[0].set_title(self.title + (f" ({left_out} more networks)" if left_out else ""))
        figure.colorbar(image, ax=list(panels), label="airtime [s/s]", shrink=0.8)
