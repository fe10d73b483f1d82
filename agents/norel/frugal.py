"""NoReL with few downlinks: the server learns, commands only changes, and lets rounds grow.

| NoReL | here |
|---|---|
| a downlink after every round of 10 packets | one when the action drawn differs from the one in use |
| rounds of equal length | round t of a node lasts `round_packets` times `growth`^(t - 1) packets received |
| actions of all powers | at the highest power alone, unless `powers="all"` |
| draws from the strategy | from strategy^`sharpness`, which keeps the likeliest action more often |

The network server counts what a node sent by its frame counter, so it can learn for the node. A command that is lost or
refused leaves the node with its action, and the next round is learned for that action.

Growing rounds waste few packets on exploration: actions drawn early are tried briefly, and late rounds are long enough
for their utility to tell actions apart that differ by a few points (the standard deviation of the share of ten packets
at 95 % is 7 points).

Source: ours; the rule is NoReL's (`agents.norel.norel`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.norel.norel import NoReL
from lora_marl.core.checks import check_choice
from lora_marl.core.outcome import Decisions

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

POWERS = ("highest", "all")


class FrugalNoReL(NoReL):
    """NoReL with growing rounds and sharpened draws, commanded by the network server; the module's page has the rule.

    Args:
        scenario, seeds, **parameters: As of `NoReL`; the server decides.
        growth: Factor from one round's length to the next one's, at least 1.
        longest: Packets of the longest round, at least 1.
        powers: Actions at the `highest` power alone, or at `all`.
        sharpness: Actions are drawn as likely as strategy^sharpness, above 0; NoReL's 1 keeps drawing poor ones.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "norel-frugal"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        growth: float = 1.2,
        longest: int = 200,
        powers: str = "highest",
        sharpness: float = 4.0,
        **parameters: Any,
    ) -> None:
        if not growth >= 1.0:
            raise ValueError(f"growth = {growth}: must be at least 1")
        if not 0.0 < sharpness < np.inf:
            raise ValueError(f"sharpness = {sharpness}: must be above 0")
        if not longest >= 1:
            raise ValueError(f"longest = {longest}: must be at least 1")
        check_choice("powers", powers, POWERS)
        super().__init__(scenario, seeds, **({"decides": "server"} | parameters))
        self.growth, self.longest, self.sharpness = float(growth), float(longest), float(sharpness)
        if powers == "highest":
            by_power = self.actions.reshape(self.replicas, self.nodes, -1, len(self.region.tp_dbm))
            by_power[..., :-1] = False
        self._round = np.zeros((self.replicas, self.nodes, 2), np.int64)
        self._ended = np.zeros((self.replicas, self.nodes), np.int64)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Adds packets to the nodes' rounds, and draws new actions for nodes whose round is over.

        Packets sent before a command arrived belong to no round: while a node's action is not the one drawn, the
        command stands.
        """
        records = decisions.records
        commanded = points[records["replica"], records["node"]]
        obeyed = (records["point"] == commanded).all(axis=1) | (records["sent"] == 0)
        super().decide(Decisions(self._ended_rounds(records[obeyed])), points)

    def played(self, replica: int, state: int) -> NDArray[np.float64]:
        """Probabilities of the actions in a state, sharpened; all 0 for nodes that have not learned in it `[N, K]`."""
        weight = super().played(replica, state) ** self.sharpness
        return weight / np.maximum(weight.sum(axis=-1, keepdims=True), np.finfo(float).tiny)

    def state_arrays(self) -> dict[str, NDArray]:
        """The arrays of NoReL; packets sent and delivered in open rounds `[B, N, 2]`; ended rounds `[B, N]`."""
        return super().state_arrays() | {"round": self._round, "ended": self._ended}

    def _ended_rounds(self, records: NDArray[np.void]) -> NDArray[np.void]:
        """Counts packets; the records of rounds that are over, with all their packets `[M]`."""
        b, n = records["replica"], records["node"]
        self._round[b, n, 0] += records["sent"]
        self._round[b, n, 1] += records["delivered"]
        length = np.minimum(self.round_packets * self.growth ** self._ended[b, n], self.longest)
        ended = records[(self._round[b, n, 1] >= length) | (records["sent"] == 0)].copy()
        b, n = ended["replica"], ended["node"]
        ended["sent"], ended["delivered"] = self._round[b, n].T
        self._ended[b, n] += ended["sent"] > 0
        self._round[b, n] = 0
        return ended
