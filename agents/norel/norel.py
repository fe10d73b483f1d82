"""NoReL: every node learns a mixed strategy by regret, one for each channel state of the network.

A round is `round_packets` packets sent with one action a = (SF, power), answered by the share u of them that was
delivered and the channel state of the network (`agents.channel_state`). In that state, t its rounds so far:

    kappa <- kappa + t^2
    U_a <- U_a + t^-0.8 (u - U_a)
    R_k <- R_k + t^-0.9 (U_k - u - R_k)                 for every action k of the node
    beta = softmax(kappa max(0, R))
    pi <- pi + t^-1 (beta - pi),                        next action ~ pi

| paper | name |
|---|---|
| A_n, K_n | `agents.link_margin.feasible` with `margin_db`; their number |
| u-hat, r-hat, pi | `utility`, `regret`, `strategy` `[B, N, states, K]` |
| nu_t, gamma_t, mu_t = t^-p | `exponents`: 0.8, 0.9, 1.0 |
| psi(t) = t^2 | sum kappa |
| c = 10 packets | `round_packets` |
| delta = 0.01 of Definition 2 | `delta` |
| omega, the random state | channel state |

With `decides="node"`, as printed, a downlink after every round carries the answer. With `decides="server"` the network
server learns for the nodes from frame counters, and commands an action only when it differs from the one in use.

Source: NoReL, Algorithm 1 and the section on the evaluation; exponents and psi from its authors' code.
Differences: the utility of a round is delivered / sent (`utility="unbiased"`); the authors' code divides by 10 what
arrived up to the first packet received at or after the tenth (`"compat"`), which adds (1 - p) / 10 to a true share p.
The channel state is estimated from what a server can hear; the authors' code uses packets that no server has heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.channel_state import STATES, ChannelState, state_of, true_state
from agents.learner import Learner
from agents.link_margin import feasible, least_sf
from agents.norel.equilibrium import epsilons
from agents.norel.kernel import choose, decide, empty_table, learn, uniforms
from lora_marl.core.allowed import Allowed
from lora_marl.core.checks import check_choice, warn_renamed
from lora_marl.core.downlink import NEVER, Feedback
from lora_marl.core.random import stream_key
from lora_marl.core.region import CHANNEL, SF, TP

if TYPE_CHECKING:
    from lora_marl.core.outcome import Decisions, Heard
    from lora_marl.core.scenario import Scenario

UTILITIES = ("unbiased", "compat")
CHANNEL_STATES = ("heard", "none")


class NoReL(Learner):
    """NoReL for all nodes of `B` replicas; the module's page has the rule.

    Args:
        scenario, seeds: As in `Learner`.
        round_packets: Packets of a round, at least 1.
        utility: Utility of a round: `unbiased`, or `compat` as in the authors' code.
        channel_state: `heard`: estimated from what the network receives; `none`: one state for all times.
        margin_db: Link margin of the action sets, for all nodes or for each `[N]`; None: a standard deviation of the
            shadowing. dB
        exponents: Exponents p of the steps t^-p of utilities, regrets and strategies, each above 0 and at most 1.
        delta: Mean change of a strategy that counts as none, for `restless_h`.
        decides: Who learns and decides, the `node` or the network `server`.
        epsilon: Whether learning curves have Definition 1's epsilon, which takes some 0.1 ms per node, replica and row.
        random_state: The old name of `channel_state`, until 0.2.0.

    Attributes:
        actions: Actions (SF by power) that a node may choose `[B, N, K]`.
        table: Utilities, regrets and strategies learned so far.
        channel_state: Estimates of the channel state; None with `channel_state="none"`.

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    name: ClassVar[str] = "norel"
    whole_rounds: ClassVar[bool] = True

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        round_packets: int = 10,
        utility: str = "unbiased",
        channel_state: str = "heard",
        margin_db: ArrayLike | None = None,
        exponents: Sequence[float] = (0.8, 0.9, 1.0),
        delta: float = 0.01,
        decides: Literal["node", "server"] = "node",
        epsilon: bool = False,
        random_state: str | None = None,
    ) -> None:
        if random_state is not None:
            warn_renamed("random_state", "channel_state")
            channel_state = random_state
        _check(utility, channel_state, exponents)
        replicas, region = len(seeds), scenario.region
        first = np.zeros((replicas, scenario.nodes, 4), np.int16)
        first[..., SF] = least_sf(scenario, replicas, margin_db)
        first[..., CHANNEL] = np.arange(scenario.nodes) % len(region.channels_hz)
        first[..., TP] = len(region.tp_dbm) - 1
        super().__init__(scenario, seeds, fixed_point=first)
        self.feedback = Feedback(
            decides=decides, packets=round_packets, patience=NEVER, listens=channel_state == "heard"
        )
        self.round_packets, self.utility, self.delta = int(round_packets), utility, float(delta)
        self.actions = feasible(scenario, replicas, margin_db).reshape(replicas, scenario.nodes, -1)
        self.channel_state = ChannelState(scenario, replicas) if channel_state == "heard" else None
        self.sharpness, self.epsilon = 1.0, bool(epsilon)
        self._exponents = np.asarray(exponents, np.float64)
        self._keys = np.array([stream_key(seed, "learner") for seed in seeds], np.uint64)
        self._drawn = np.zeros((replicas, scenario.nodes), np.int64)
        self.table = empty_table(self.actions.shape, STATES if self.channel_state else 1)

    @property
    def operations(self) -> int:
        """Per action a regret (4), an exponential (3) and a strategy (4); the utility, kappa and the draw."""
        return round(11 * self.actions.sum(axis=-1).mean()) + 12

    def hear(self, heard: Heard) -> None:
        """Takes in packets received, for the channel state."""
        if self.channel_state is not None:
            self.channel_state.hear(heard)

    def decide(self, decisions: Decisions, points: NDArray[np.int16]) -> None:
        """Update, select and write the choices into `points` `[B, N, 4]` in one compiled pass.

        Rounds are learned whole, not packet by packet.
        """
        records = decisions.records
        numbers = uniforms(self._keys, records, self._drawn)
        packets = 0 if self.utility == "unbiased" else self.round_packets
        decide(
            records, points, self.fixed_points, len(self.region.tp_dbm), packets, numbers, self._states(decisions),
            self.actions, self._exponents, self.delta, self.sharpness, self.table,
        )  # fmt: skip

    def update(self, decisions: Decisions) -> None:
        """Learn from the rounds that ended; with `select`, the same rule as `decide`, to which tests hold both."""
        sent = np.where(decisions.sent > 0, decisions.sent, np.nan)
        packets = sent if self.utility == "unbiased" else np.where(sent > 0, self.round_packets, sent)
        share = np.minimum(decisions.delivered / packets, 1.0)
        powers = len(self.region.tp_dbm)
        learn(
            decisions.records, powers, share, self._states(decisions), self.actions, self._exponents, self.delta,
            self.table,
        )  # fmt: skip

    def select(self, decisions: Decisions) -> NDArray[np.int16]:
        """Operating points drawn from the strategies `[M, 4]`; a node's first point where it has no strategy yet."""
        b, n = decisions.replica, decisions.node
        numbers = uniforms(self._keys, decisions.records, self._drawn)
        actions = choose(numbers, decisions.records, self._states(decisions), self.table.strategy, self.sharpness)
        points = self.fixed_points[b, n]
        has_strategy = actions >= 0
        points[has_strategy, SF], points[has_strategy, TP] = np.divmod(actions[has_strategy], len(self.region.tp_dbm))
        return points

    def diagnostics(self, scenario: Scenario) -> dict[str, NDArray[np.float64]]:
        """Columns of learning curves, by name `[B]`.

        - `estimated_sigma_db`, `estimated_rate_per_s`, `estimated_offset_db`, `estimated_slope` and `state`: the
          estimates of `agents.channel_state` and the state that they give.
        - `windows` and `windows_right`: windows since the last call, and those of them in the true state.
        - `restless_h` and `restless95_h`: time of the last round in which any node's strategy for the state in force,
          and those of 95 % of the nodes, moved by more than `delta` (Definition 2).
        - `epsilon` and `epsilon_mean`: the largest and the mean over nodes of what leaving the strategy would gain
          (Definition 1), if asked for.
        """
        state = np.zeros(self.replicas, np.int64)
        columns: dict[str, NDArray[np.float64]] = {}
        if self.channel_state is not None:
            sigma_db, rate_per_s, offset_db, slope = self.channel_state.estimates.T
            state = state_of(sigma_db, rate_per_s)
            windows, right = self.channel_state.take_windows(np.full(self.replicas, true_state(scenario)))
            columns |= {
                "estimated_sigma_db": sigma_db,
                "estimated_rate_per_s": rate_per_s,
                "state": state.astype(np.float64),
                "estimated_offset_db": offset_db,
                "estimated_slope": slope,
                "windows": windows.astype(np.float64),
                "windows_right": right.astype(np.float64),
            }
        restless_h = self.table.restless_s[np.arange(self.replicas), :, state] / 3600.0
        columns["restless_h"], columns["restless95_h"] = np.quantile(restless_h, [1.0, 0.95], axis=1)
        if self.epsilon:
            gains = [self._epsilons(scenario, b, state[b]) for b in range(self.replicas)]
            columns["epsilon"], columns["epsilon_mean"] = np.array([[gain.max(), gain.mean()] for gain in gains]).T
        return columns

    def played(self, replica: int, state: int) -> NDArray[np.float64]:
        """Probabilities of the actions in a state; all 0 for nodes that have not learned in it `[N, K]`."""
        return self.table.strategy[replica, :, state]

    def _epsilons(self, scenario: Scenario, b: int, state: int) -> NDArray[np.float64]:
        """Gain of each active node by leaving its strategy; nan without strategies or a closed form."""
        strategy = self.played(b, state)
        active = np.ones(self.nodes, np.bool_) if scenario.active is None else scenario.active
        if not strategy[active].any(axis=-1).all():
            return np.full(1, np.nan)
        try:
            return epsilons(scenario.replica(b), strategy, self.actions[b])[active]
        except ValueError:
            return np.full(1, np.nan)

    def modes(self, state: int = 0) -> NDArray[np.int16]:
        """The likeliest action of every node in a state; the first point where it has none `[B, N, 4]`."""
        points, strategy = self.fixed_points.copy(), self.table.strategy[:, :, state]
        has_strategy = strategy.any(axis=-1)
        sf, tp = np.divmod(strategy.argmax(axis=-1), len(self.region.tp_dbm))
        points[has_strategy, SF], points[has_strategy, TP] = sf[has_strategy], tp[has_strategy]
        return points

    def state_arrays(self) -> dict[str, NDArray]:
        """The table, draws so far, and the arrays of the channel state."""
        arrays: dict[str, NDArray] = {**self.table._asdict(), "drawn": self._drawn}
        return arrays | ({} if self.channel_state is None else self.channel_state.state_arrays())

    def state_limits(self) -> dict[str, Allowed]:
        """Those of the channel state."""
        return {} if self.channel_state is None else self.channel_state.state_limits()

    def _states(self, decisions: Decisions) -> NDArray[np.int64]:
        """The channel states in force at decisions `[M]`."""
        if self.channel_state is None:
            return np.zeros(len(decisions), np.int64)
        return self.channel_state.at(decisions.replica, decisions.time_s)


def _check(utility: str, channel_state: str, exponents: Sequence[float]) -> None:
    check_choice("utility", utility, UTILITIES)
    check_choice("channel_state", channel_state, CHANNEL_STATES)
    if len(exponents) != 3 or not all(0 < exponent <= 1 for exponent in exponents):
        raise ValueError(f"exponents = {list(exponents)}: must be three numbers above 0 and at most 1")
