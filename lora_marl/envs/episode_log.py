"""Training curves for every library: an environment that appends a row to a CSV file for each finished episode.

    env = lora_marl.make("uplink_v0", episode_log="runs/first/episodes.csv")

| column | meaning |
|---|---|
| `process` | number of the process, where a library has several |
| `steps` | steps of this environment so far, summed over its replicas |
| `replica`, `length` | number of the replica, and steps of its episode |
| `return`, `reward` | sum over steps of the agents' mean reward, and its mean by step |
| `pdr` | packets delivered per packet sent, in environments whose infos have both |
| others | infos of the environment, each the mean over agents and steps |

Episodes that a library stops before their end leave no row. `scripts/curves.py` of a clone draws such a file.

Shape letters: `B` replicas, `N` agents.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.metrics import pdr


class EpisodeLog:
    """The rows of one environment.

    Args:
        path: Of the file; its folder is made, and rows are added to those that are there.
        replicas: `B`.

    Attributes:
        means: The values of the last finished episode by column, each the mean over replicas; empty: there was none.
    """

    def __init__(self, path: str | Path, replicas: int) -> None:
        self._path, self._steps = Path(path), 0
        self.means: dict[str, float] = {}
        self._replicas = replicas
        self.begin()

    def begin(self) -> None:
        """Start an episode in every replica."""
        self._length, self._return = 0, np.zeros(self._replicas)
        self._sums: dict[str, NDArray[np.float64]] = {}

    def add(self, rewards: NDArray[np.float64], infos: Mapping[str, NDArray]) -> None:
        """Count a step.

        Args:
            rewards: `[B, N]`
            infos: `[B, N]` by name
        """
        self._length += 1
        self._steps += len(rewards)
        self._return += rewards.mean(axis=1)
        for name, values in infos.items():
            self._sums[name] = self._sums.get(name, 0.0) + values.mean(axis=1)

    def end(self) -> None:
        """Write the row of every replica.

        Raises:
            ValueError: the file holds another table.
        """
        values = {"return": self._return, "reward": self._return / self._length}
        if {"sent", "delivered"} <= self._sums.keys():
            values["pdr"] = pdr(self._sums["sent"], self._sums["delivered"])
        values |= {name: total / self._length for name, total in self._sums.items()}
        self.means = {name: float(by_replica.mean()) for name, by_replica in values.items()}
        columns = {
            "process": np.full(self._replicas, os.getpid()),
            "steps": np.full(self._replicas, self._steps),
            "replica": np.arange(self._replicas),
            "length": np.full(self._replicas, self._length),
            **values,
        }
        self._append(list(columns), zip(*(values.tolist() for values in columns.values()), strict=True))

    def _append(self, header: list[str], rows: object) -> None:
        """Add rows in one go, so that processes can share the file; the first writer adds the header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._path.open("x", encoding="utf-8") as new:
                new.write(",".join(header) + "\n")
        except FileExistsError:
            with self._path.open(encoding="utf-8") as file:
                present = file.readline().rstrip("\n")
            if present != ",".join(header):
                raise ValueError(f"episode_log: {self._path} holds another table; give another file") from None
        writer.writerows(rows)  # type: ignore[arg-type]
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())
