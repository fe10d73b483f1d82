"""Frames of coexisting networks: channel by time for every network, without a display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PANELS = 8
"""Networks that a picture shows; the text has all."""


@dataclass(frozen=True, kw_only=True)
class ChannelFrame:
    """What there is to see of one replica.

    Attributes:
        title: With the time.
        networks: Their names. `[S]`
        erlangs: Airtime per second of each interval so far, by network and channel. `[T, S, C]`
        occupancy: Share of time of external interference now. `[C]`
        received, attempts: Of the last interval. `[S]`
    """

    title: str
    networks: tuple[str, ...]
    erlangs: NDArray[np.float64]
    occupancy: NDArray[np.float64]
    received: NDArray[np.float64]
    attempts: NDArray[np.float64]

    def text(self) -> str:
        """What came of the last interval, and which channels each network used in it."""
        busy = " ".join(f"{share:4.0%}" for share in self.occupancy)
        lines = [self.title, f"external interference by channel: {busy}"]
        last = self.erlangs[-1] if len(self.erlangs) else np.zeros((len(self.networks), len(self.occupancy)))
        for s, name in enumerate(self.networks):
            share = f"{self.received[s] / self.attempts[s]:.1%}" if self.attempts[s] else "nothing sent"
            used = " ".join(f"{erlangs:4.2f}" for erlangs in last[s])
            lines.append(f"{name}: received {share}; airtime [s/s] by channel {used}")
        return "\n".join(lines)

    def draw(self, figure: Any) -> None:
        """A panel for each of the first networks, all of one scale."""
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
