"""The training loop of all runs, and what it asks of them: an experiment per label, played segment by segment.

A segment is what one row of `metrics.csv` covers: an interval of packets, an episode on the closed form, an interval of
coexisting networks. A run may be stopped between two segments; a later call goes on to the same numbers, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from numpy.typing import NDArray

from scripts.runs.checkpoints import State
from scripts.runs.metrics import Row


class Experiment(Protocol):
    """A label of a run on all seeds at once."""

    @property
    def done(self) -> int:
        """Segments played so far."""

    @property
    def total(self) -> int:
        """Segments of the whole run."""

    @property
    def finished(self) -> bool:
        """Whether all segments have been played."""

    def play_next(self) -> list[Row]:
        """Plays the next segment and returns its row of `metrics.csv` for every seed, in the order of the seeds."""

    def state_dict(self) -> State:
        """Everything that later segments depend on, as plain arrays by name; random generators included."""

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from what `state_dict` returned, also in another process.

        Raises:
            ValueError: an array is missing, or belongs to another run; the message names it.
        """
