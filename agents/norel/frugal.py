"""NoReL that spends downlinks sparingly: the server learns, commands only changes, and lets rounds grow.

| NoReL | here |
|---|---|
| a downlink after every round of 10 packets | one when the action drawn differs from the one in use |
| rounds of equal length | round t of a node lasts `round_packets` times `growth`^(t - 1) packets received |
| actions of all powers | at the highest power alone, unless `powers="all"` |
| draws from the strategy | from strategy^`sharpness`, which keeps the likeliest action more often |

The network server counts what a node sent by its frame counter, so it needs no help of the node to learn for it. A
command that is lost or refused leaves the node with its action, and the next round is learned for that one.

Rounds that grow keep the sum of packets that exploration wastes small: what is drawn early is tried briefly, and late
rounds are long enough for their utility to tell actions apart that differ by a few points (the standard deviation of
ten packets' share at 95 % is 7 points).

Source: ours; the rule is NoReL's (`agents.norel.norel`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.norel.norel import NoReL
from lora_marl.core.outcome import Decisions

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

POWERS = ("highest", "all")


class FrugalNoReL(NoReL):
    """See the module's page.

    Args:
        scenario, seeds, **parameters: See `NoReL`; the server decides.
        growth: Factor from one round's length to the next one's, at least 1.
        longest: Packets of the longest round.
        powers: See the page.
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
        if powers not in POWERS:
            raise ValueError(f"powers = {powers!r} is not one of {', '.join(POWERS)}")
        super().__init__(scenario, seeds, **({"decides": "server"} | parameters))
        self.growth, self.longest, self.sharpness = float(growth), float(longest), float(sharpness)
        if powers == "highest":
            by_power = self.actions.reshape(self.replicas, self.nodes, -1, len(self.region.tp_dbm))
            by_power[..., :-1] = False
        self._round = np.zeros((self.replicas, self.nodes, 2), np.int64)
        self._ended = np.zeros((self.replicas, self.nodes), np.int64)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Adds packets to the nodes' rounds; new actions for those whose round is over.

        Packets sent before a command arrived are of no round: while the node's action is not the one drawn, the command
        stands.
        """
        own = decisions.records
        drawn = (own["point"] == points[own["replica"], own["node"]]).all(axis=1) | (own["sent"] == 0)
        over = self._over(own[drawn])
        super().decide(Decisions(over), points)

    def played(self, replica: int, state: int) -> NDArray[np.float64]:
        """As NoReL's, sharpened `[N, K]`."""
        weight = super().played(replica, state) ** self.sharpness
        return weight / np.maximum(weight.sum(axis=-1, keepdims=True), np.finfo(float).tiny)

    def state_arrays(self) -> dict[str, NDArray]:
        """NoReL's; packets of the open rounds, sent and delivered `[B, N, 2]`, and rounds that ended `[B, N]`."""
        return super().state_arrays() | {"round": self._round, "ended": self._ended}

    def _over(self, records: NDArray[np.void]) -> NDArray[np.void]:
        """Books packets; the rows of rounds that are over, with all their packets `[M]`."""
        b, n = records["replica"], records["node"]
        self._round[b, n, 0] += records["sent"]
        self._round[b, n, 1] += records["delivered"]
        length = np.minimum(self.round_packets * self.growth ** self._ended[b, n], self.longest)
        over = records[(self._round[b, n, 1] >= length) | (records["sent"] == 0)].copy()
        b, n = over["replica"], over["node"]
        over["sent"], over["delivered"] = self._round[b, n].T
        self._ended[b, n] += over["sent"] > 0
        self._round[b, n] = 0
        return over
