"""An exported policy of `uplink_v0` as a learner that decides after every packet and learns nothing more.

    {name: "scripts.runs.policy:ExportedPolicy", parameters: {path: runs/sb3/first}}

A node's observation is the environment's (`lora_marl.envs.uplink.observation`), with packets in place of windows: the
features `sent` and `packets` cover the packets since its last decision. Nodes choose independently of each other. Masks
are those of the scenario at its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.learner import Learner
from lora_marl.adapters.policy import Policy
from lora_marl.adapters.policy import digest as digest_of
from lora_marl.core.random import stream_key, uniform
from lora_marl.core.reception import Fate
from lora_marl.envs.codec import ActionCodec
from lora_marl.envs.uplink.observation import NodeFeatures

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions
    from lora_marl.core.scenario import Scenario


class ExportedPolicy(Learner):
    """All nodes follow one exported policy.

    Args:
        scenario, seeds: As of `Learner`.
        path: Folder of the policy.
        digest: Expected `digest` of its files; None: any.
        greedy: Whether the best action is chosen or one is drawn; None: as the policy's files say.

    Raises:
        ValueError: no policy that can be read, other files than `digest` says, a policy of another environment, or one
            whose observations or actions are not those of this scenario.
    """

    name: ClassVar[str] = "policy"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        path: str,
        digest: str | None = None,
        greedy: bool | None = None,
    ) -> None:
        self.policy = Policy.read(Path(path))
        if digest is not None and digest_of(Path(path)) != digest:
            raise ValueError(f"{path}: is another policy than it was ({digest})")
        spaces = self.policy.spaces
        if spaces.environment != "uplink_v0":
            raise ValueError(
                f"{path}: was trained on {spaces.environment}; packets are decided on by those of uplink_v0"
            )
        settings = spaces.settings
        self._codec = ActionCodec(
            scenario.region,
            factors=settings["factors"],
            action_format=settings["action_format"],
            fixed_point=settings["fixed_point"],
            nb_trans=settings.get("nb_trans"),
        )
        super().__init__(scenario, seeds, factors=self._codec.factors, fixed_point=self._codec.fixed_point)
        if self._codec.nb_trans is not None:
            self.nb_trans = np.ones((self.replicas, self.nodes), np.int8)
        self._features = NodeFeatures(scenario, self.factors, 1.0, nb_trans=self._codec.nb_trans)
        self._memory = settings["memory"]
        if self._features.names != spaces.feature_names or self.policy.spaces.sizes != self._codec.action_sizes:
            raise ValueError(
                f"{path}: observes {len(spaces.feature_names)} features and chooses of {list(spaces.sizes)}; "
                f"this scenario has {len(self._features.names)} and {list(self._codec.action_sizes)}"
            )
        self._greedy = greedy
        masks = self._codec.masks(scenario, settings["min_margin_db"]) if spaces.masked else None
        self._masks = None if masks is None else np.broadcast_to(masks, (self.replicas, self.nodes, masks.shape[-1]))
        self._first = np.cumsum((0, *self.region.factor_sizes[:-1]))
        self._keys = np.array([stream_key(seed, "learner") for seed in seeds], np.uint64)
        cells, values = (self.replicas, self.nodes), sum(self.region.factor_sizes)
        self._sent, self._delivered = np.zeros((*cells, values)), np.zeros((*cells, values))
        self._chosen, self._decided = self.fixed_points.copy(), np.zeros(cells, np.int64)

    @property
    def operations(self) -> int:
        """Operations of a decision: two for each weight, one for each bias and for each compared value."""
        return sum(2 * weight.size + len(bias) for weight, bias in self.policy.layers) + sum(self.policy.spaces.sizes)

    def update(self, decisions: Decisions) -> None:
        """Count the packets that ended, by the factor values that they were sent with."""
        ended = decisions.fate != Fate.NONE
        replica, node = decisions.replica[ended, None], decisions.node[ended, None]
        arms = self._first + decisions.point[ended]
        if self._memory < 1.0:
            self._sent[replica[:, 0], node[:, 0]] *= self._memory
            self._delivered[replica[:, 0], node[:, 0]] *= self._memory
        self._sent[replica, node, arms] += 1
        self._delivered[replica, node, arms] += (decisions.fate[ended] == Fate.DELIVERED)[:, None]

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The policy's operating point for each node that decides. `[M, 4]`"""
        replica, node = decisions.replica, decisions.node
        draws = np.empty((len(decisions), len(self.policy.spaces.sizes)))
        _draw(self._keys[replica], node, self._decided[replica, node], draws)
        masks = None if self._masks is None else self._masks[replica, node]
        actions = self.policy.choose(self._observations(decisions), draws, masks, greedy=self._greedy)
        points = self._chosen[replica, node]
        nb_trans = None if self.nb_trans is None else self.nb_trans[replica, node]
        self._codec.write(actions[:, 0] if self._codec.flat else actions, points, nb_trans)
        self._chosen[replica, node] = points
        if self.nb_trans is not None and nb_trans is not None:
            self.nb_trans[replica, node] = nb_trans
        self._decided[replica, node] += 1
        return points

    def state_arrays(self) -> dict[str, NDArray]:
        """Packets by factor value `[B, N, K]`, points and NbTrans chosen last, decisions so far `[B, N]`."""
        arrays: dict[str, NDArray] = {
            "sent": self._sent, "delivered": self._delivered, "chosen": self._chosen, "decided": self._decided,
        }  # fmt: skip
        return arrays if self.nb_trans is None else arrays | {"nb_trans": self.nb_trans}

    def _observations(self, decisions: Decisions) -> NDArray[np.float32]:
        """The observations of the nodes that decide. `[M, D]`"""
        replica, node = decisions.replica, decisions.node
        return self._features.rows(
            self._chosen[replica, node],
            decisions.fate,
            decisions.point,
            np.nan_to_num(decisions.rssi_dbm),
            self._sent[replica, node],
            self._delivered[replica, node],
            decisions.sent,
            np.ones(len(decisions), np.bool_),
            None if self.nb_trans is None else self.nb_trans[replica, node],
        )


@njit(nogil=True)  # no disk cache: it would not notice an edited generator
def _draw(keys, nodes, decided, draws):  # type: ignore[no-untyped-def]
    """Uniform draws, pure functions of seed, node and number of the decision, into `draws` `[M, F]`."""
    factors = draws.shape[1]
    for m in range(draws.shape[0]):
        for factor in range(factors):
            draws[m, factor] = uniform(keys[m], nodes[m], decided[m] * factors + factor)
