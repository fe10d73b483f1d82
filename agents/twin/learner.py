"""The twin: a network server that learns a model of its own air, plans on it, and commands what the plan changes.

It starts with all nodes at the largest spreading factor and the highest power, and knows no positions, no path loss,
no rates and no fates of packets that it did not receive (`Twin.knowledge` lists what it reads of a scenario). Now and
then:

1. It updates its beliefs by the last 128 frames of every node: how often nodes send, the mean gain of every link, one
   standard deviation sigma of the shadowing, interference from outside (`agents.twin.beliefs`, `rates`, `gains`).
2. It plans: the operating points that serve its goal best under a model of the air with these beliefs. The model is the
   closed form of one gateway, written as fields so that trying a move does not cost more in a larger network
   (`agents.twin.fields`); plans are found by coordinate ascent (`agents.twin.goals`).
3. It commands nodes that do not use their point of the plan, one downlink each, with their next frames.

A command costs packets: the gateway is deaf while it sends. A node leaves its point only for a plan that wins back,
within `horizon_h`, the lambda (T_downlink + T_uplink) packets of the network that meet one downlink. So the plans of a
network that does not change soon move few nodes, and a changed one moves many.

With `restarts`, a sudden change of the channel makes it begin anew from what it knew (`agents.twin.changes`), and a
command must then pay within the time that the last state of the channel has held.

The first plan is made after `FIRST_PLAN_H`, and each next one after `GROWTH` times as long, until they are `every_h`
apart: a crowded network of new nodes, all at the largest spreading factor, must thin out before it can be learned.

| symbol | name |
|---|---|
| E, W | `fields.Fields.left`, `value` |
| mu, sigma | `beliefs.gain_db`, `sigma_db` |
| eta, hazard of outside interference | `beliefs.hazard_per_s` |
| theta, nu, the prices of packets and energy | `fields.Objective.theta`, `price` |

Limits:
    1. Of several gateways, a node's two strongest are judged together, any further ones as independent given the node.
    2. Nodes keep one channel each (a channel mask of one), the first bandwidth, and NbTrans 1.
    3. One sigma for all links; fading counts as a part of it. A node that stays below the floor at its spreading factor
       is lost without `backoff`.
    4. Demodulators and the gateway's own downlinks are not in the model; their losses are in its measured bias.

Source: ours.

Shape letters: `B` replicas, `N` nodes, `M` decisions of one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.learner import Learner, most_robust_point
from agents.twin.beliefs import Beliefs
from agents.twin.changes import CHECK_S
from agents.twin.frames import FrameRing
from agents.twin.goals import GOALS, Planner
from agents.twin.knowledge import KNOWLEDGE, public_scenario
from lora_marl.core.checks import check_choice
from lora_marl.core.downlink import Feedback
from lora_marl.core.random import stream_key
from lora_marl.core.region import CHANNEL, SF, TP

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard
    from lora_marl.core.scenario import Scenario

FIRST_PLAN_H = 0.5
"""Time of the first plan. h"""
GROWTH = 1.5
"""Ratio of the times of successive plans, until they are `every_h` apart."""
SETTLED = 0.95
"""Share of the nodes heard that must use the points of a plan before frames measure it."""
THINNED_OUT = 0.75
"""The same share before a first change of the channel is looked for."""
LEAST_KNOWN_S = 3600.0
"""Time after a change of the channel before another one is looked for, and between plans. s"""
PACKETS = 4
"""Frames of a node between two questions whether a plan is due."""
FREE_MOVE = 1e-9
"""Cost of a command where commands are free: just enough to keep a point that another one equals. 1/s"""


class Twin(Learner):
    """A network server with a model of its own air; the module's page has the rule.

    Args:
        scenario, seeds: As in `Learner`. Of the scenario, it reads the fields of `knowledge` alone.
        goal: `pdr`, `energy`, `ee`, `log` or `worst`: see `agents.twin.goals`.
        least_pdr: PDR that the goals `energy` and `ee` keep. 0 to 1
        every_h: From one plan to the next; the first ones are closer. h
        horizon_h: Time in which a command must pay for the airtime of its downlink. h
        backoff: Whether nodes back off (`Feedback.backoff`).
        restarts: Whether it begins anew when the channel changes suddenly (`agents.twin.changes`). Else the window of
            frames forgets by itself, which is worth more where the channel changes to and fro.

    Attributes:
        beliefs: What the servers believe.

    Raises:
        ValueError: a parameter outside its range, or a network that the twin has no model of, naming the field.
    """

    name: ClassVar[str] = "twin"
    whole_rounds: ClassVar[bool] = True
    knowledge: ClassVar[tuple[str, ...]] = KNOWLEDGE

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        goal: str = "pdr",
        least_pdr: float = 0.9,
        every_h: float = 24.0,
        horizon_h: float = 72.0,
        backoff: bool = False,
        restarts: bool = False,
    ) -> None:
        check_choice("goal", goal, GOALS)
        if not 0.0 <= least_pdr <= 1.0:
            raise ValueError(f"least_pdr = {least_pdr}: must lie in 0 to 1")
        for name, value in {"every_h": every_h, "horizon_h": horizon_h}.items():
            if not 0.0 < value < np.inf:
                raise ValueError(f"{name} = {value}: must be above 0")
        public = public_scenario(scenario)
        first = np.tile(most_robust_point(public.region), (len(seeds), public.nodes, 1))
        first[..., CHANNEL] = np.arange(public.nodes) % len(public.region.channels_hz)
        super().__init__(public, seeds, fixed_point=first)
        self.feedback = Feedback(decides="server", packets=PACKETS, backoff=backoff, listens=True)
        self.goal, self.least_pdr, self._restarts = goal, float(least_pdr), bool(restarts)
        self._every_s, self._horizon_s = 3600.0 * every_h, 3600.0 * horizon_h
        self._downlink_s = float(public.downlink_airtime_s()[:, 0].max()) if public.feedback == "downlink" else 0.0
        self._keys = np.array([stream_key(seed, "learner") for seed in seeds], np.uint64)
        self._first = first[..., [SF, CHANNEL, TP]].astype(np.int64)
        self._ring = FrameRing(self.replicas, self.nodes, np.array(public.region.tp_dbm, np.float64))
        self.beliefs = Beliefs(public, self.replicas, self._first)
        self._wanted = first
        self._plans = np.zeros(self.replicas, np.int64)
        self._due_s = np.full(self.replicas, 3600.0 * FIRST_PLAN_H)
        self._promised = np.full(self.replicas, np.nan)
        self._checked_s = np.zeros(self.replicas)
        self._changed_s = np.full(self.replicas, np.inf)
        self._regime_s = np.full(self.replicas, np.inf)
        self._price = np.zeros(self.replicas)

    def hear(self, heard: Heard) -> None:
        """Take in the frames that the gateways received."""
        self._ring.add(heard, self._plans)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Plan where a plan is due; its commands go out with the nodes' next frames."""
        for b, now_s in zip(decisions.replica.tolist(), decisions.time_s.tolist(), strict=True):
            if self._restarts and now_s >= self._checked_s[b] + CHECK_S:
                self._check(b, now_s)
            if now_s >= self._due_s[b]:
                self._plan(b, now_s)
                points[b] = self._wanted[b]

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """The points of the last plan. `[M, 4]`"""
        return self._wanted[decisions.replica, decisions.node]

    def diagnostics(self, scenario: Scenario) -> dict[str, NDArray[np.float64]]:
        """Columns of learning curves: sigma, the PDR promised by the last plan, the model's bias. `[B]` each"""
        return {
            "estimated_sigma_db": self.beliefs.sigma_db.copy(),
            "promised_pdr": self._promised.copy(),
            "model_bias": self.beliefs.bias.copy(),
        }

    def state_arrays(self) -> dict[str, NDArray]:
        """Frames, beliefs, the plan in force, and when the next one is due."""
        return {
            **self._ring.state_arrays(),
            **self.beliefs.state_arrays(),
            "wanted": self._wanted,
            "plans": self._plans,
            "due_s": self._due_s,
            "promised": self._promised,
            "checked_s": self._checked_s,
            "changed_s": self._changed_s,
            "regime_s": self._regime_s,
            "price": self._price,
        }

    def _check(self, b: int, now_s: float) -> None:
        """Look whether the channel has changed; if so, plan anew as soon as there are frames of what it is now."""
        since_s, self._checked_s[b] = float(self._checked_s[b]), now_s
        if np.isfinite(self._changed_s[b]) or since_s < self.beliefs.begin_s[b] + LEAST_KNOWN_S:
            return
        # A crowded network that thins out at first is no change of the channel.
        settled_s = self._settled_since_s(b, THINNED_OUT)
        watched = np.isfinite(self._regime_s[b]) or settled_s <= since_s
        if watched and self.beliefs.channel_changed(b, self._ring, since_s):
            self._changed_s[b] = now_s
            self._due_s[b] = now_s + CHECK_S

    def _plan(self, b: int, now_s: float) -> None:
        """Update the beliefs of a replica's server, and its plan."""
        self._plans[b] += 1
        if self._changed_s[b] <= now_s:
            self._regime_s[b] = self._changed_s[b] - self.beliefs.begin_s[b]
            self.beliefs.begin_anew(b, self._ring, float(self._changed_s[b]))
            self._changed_s[b] = np.inf
        begin_s = float(self.beliefs.begin_s[b])
        wait_s = (now_s - begin_s) * (GROWTH - 1.0)
        if begin_s > 0.0:  # nodes are where the last plan has put them; commands cost more than at first
            wait_s = max(wait_s, LEAST_KNOWN_S)
        self._due_s[b] = now_s + min(wait_s, self._every_s)
        settled_s = self._settled_since_s(b, SETTLED)
        if not self.beliefs.update(b, self._ring, int(self._plans[b]) - 1, now_s, settled_s):
            return
        if np.isfinite(self._promised[b]) and np.isfinite(settled_s):
            self.beliefs.correct_bias(b, self._ring, float(self._promised[b]), settled_s)
        planner = self._planner(b)
        least_pdr = min(self.least_pdr + float(self.beliefs.bias[b]), 1.0)
        plan = planner.plan(self.goal, least_pdr, float(self._price[b]))
        self._wanted[b][:, [SF, CHANNEL, TP]] = plan.points
        self._promised[b], self._price[b] = plan.pdr, plan.price
        if self._restarts:
            self.beliefs.expect_frames(b, plan.points, planner.fields(plan.points))

    def _settled_since_s(self, b: int, share: float) -> float:
        """Since when a share of the nodes heard has used the points of the last plan; infinite: they do not yet. s"""
        arrived_s = self._ring.arrived_s(b, self._wanted[b][:, [SF, CHANNEL, TP]].astype(np.int64))
        heard = arrived_s[self._ring.count[b] > 0]
        return float(np.quantile(heard, share, method="higher")) if len(heard) else np.inf

    def _planner(self, b: int) -> Planner:
        t, nodes = self.beliefs.tables(b), self.beliefs.nodes(b)
        in_force = self._ring.last_points(b, self._first[b])
        active = np.isfinite(nodes.interval_s)
        airtime_s = t.airtime_s[nodes.payload * len(t.floor) + in_force[:, 0]]
        packets_per_s = float((1.0 / (nodes.interval_s + t.airtimes * airtime_s))[active].sum())
        exposed_s = self._downlink_s + float(airtime_s[active].mean()) if active.any() else 0.0
        horizon_s = min(self._horizon_s, float(self._regime_s[b]))
        cost = packets_per_s * exposed_s / horizon_s if self._downlink_s else FREE_MOVE
        rng = np.random.default_rng([int(self._keys[b]), int(self._plans[b])])
        movable = self._ring.count[b] > 0
        return Planner(t, nodes, self.beliefs.channels, in_force, np.full(self.nodes, cost), movable, rng)
