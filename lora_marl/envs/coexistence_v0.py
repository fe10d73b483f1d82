"""Networks that share the air: each network server chooses channel, data rate and power of its groups of nodes.

```python
from lora_marl.core.presets.ccs import ccs_study
from lora_marl.envs import coexistence_v0

env = coexistence_v0.parallel_env(coexistence=ccs_study(2), max_cycles=5)
observations, infos = env.reset(seed=0)
while env.agents:
    actions = {agent: env.action_space(agent).sample() for agent in env.agents}
    observations, rewards, terminations, truncations, infos = env.step(actions)
```

Several operators have deployed networks in the same place and on the same channels. Each has gateways, nodes and a
server of its own, which knows what its own gateways received and nothing of the others. A node's packets disturb all
gateways and count where its own receive them. Frames are confirmed: one that is not acknowledged is sent again, up to
four times, while the next ones wait in a queue. Bursts of other technologies keep some channels busy, and move. A step
is a control interval; a server sets one operating point for each group of its nodes, which holds for every attempt that
starts in the interval. Networks that do not learn take part, too, without agents.

`env()` and `raw_env()` are the same game by turns. `reset_array` and `step_array` of the parallel environment play `B`
replicas in one call.

## Agents

`server_0` ..., one for each network that learns, by the network's number; with `decider="group"` `group_0` ..., the
groups of the first learning network, then those of the next. Groups are equal parts of a network's nodes, from the best
links to its own gateways to the worst.

## Actions

A group's action is a number below 48, (channel * 3 + offset) * 2 + power: one of 8 channels, 0 to 2 steps above each
node's least spreading factor (the first that leaves 8 dB over sensitivity at 14 dBm; SF12 is the highest), 8 or 14 dBm.
Groups choose from `Discrete(48)` (or, with `action_format="multidiscrete"`, from `MultiDiscrete([8, 3, 2])`), servers
from `MultiDiscrete([48] * 4)`, a number for each group. With
`operating_points="per_packet"` a group's action is a weight for each of the 48, `Box(0, 1, (48,))`, and every attempt
draws its own. No action is ever masked.

## Observations

What the server knows of its own network; averages over intervals give the newest a weight of 0.5. With
`interference_indicator="none"` the levels stay 0. A server sees:

| observation | name | unit | min | max | meaning |
|---|---|---|---|---|---|
| 0 to 7 | received_channel_0 ... received_channel_7 | 2 x - 1 | -1 | 1 | received share by channel |
| 8 to 15 | share_channel_0 ... share_channel_7 | 2 x | 0 | 2 | share of own attempts by channel |
| 16 to 23 | busy_channel_0 ... busy_channel_7 | level / 2.5 | 0 | 2 | how busy others keep the channel, levels 0 to 5 |
| 24 to 26 | received_offset_0 ... received_offset_2 | 2 x - 1 | -1 | 1 | received share by steps above least SF |
| 27 to 29 | share_offset_0 ... share_offset_2 | share | 0 | 1 | share of own attempts by steps above it |
| 30 | prr | 2 x - 1 | -1 | 1 | received share of all attempts |
| 31 | trend | 4 x | -4 | 4 | the same minus its slow average (weight 0.1) |
| 32 | queue | 2 frames | 0 | 2 | frames that wait at the end of the interval, mean per node |
| 33 | repeats | attempts | 0 | 3 | attempts per delivered frame (at most 4) minus 1 |
| 34 to 37 | group_0_is_0 ... group_0_is_3 | flag | 0 | 1 | which group it is, from the best links to the worst |
| 38 | group_0_received | 2 x - 1 | -1 | 1 | received share of the group's attempts |
| 39 | group_0_energy | ratio - 1 | -1 | 16 | its energy per attempt over that at least SF, 14 dBm |
| 40 to 43 | group_1_is_0 ... group_1_is_3 | flag | 0 | 1 | which group it is, from the best links to the worst |
| 44 | group_1_received | 2 x - 1 | -1 | 1 | received share of the group's attempts |
| 45 | group_1_energy | ratio - 1 | -1 | 16 | its energy per attempt over that at least SF, 14 dBm |
| 46 to 49 | group_2_is_0 ... group_2_is_3 | flag | 0 | 1 | which group it is, from the best links to the worst |
| 50 | group_2_received | 2 x - 1 | -1 | 1 | received share of the group's attempts |
| 51 | group_2_energy | ratio - 1 | -1 | 16 | its energy per attempt over that at least SF, 14 dBm |
| 52 to 55 | group_3_is_0 ... group_3_is_3 | flag | 0 | 1 | which group it is, from the best links to the worst |
| 56 | group_3_received | 2 x - 1 | -1 | 1 | received share of the group's attempts |
| 57 | group_3_energy | ratio - 1 | -1 | 16 | its energy per attempt over that at least SF, 14 dBm |

A group (`decider="group"`) sees the first 34 and the six of its own, named without `group_0_`.

## Rewards

The sum of `reward`'s terms, each times its weight, for each group; a server's are the means of its groups', by
attempts.

| term | formula |
|---|---|
| `delivery` | received / attempts |
| `energy` | -(energy / attempts) / (energy of an attempt at least SF and 14 dBm) |
| `delay` | -(delay / delivered frames) / interval, at least -1, from a frame's generation to its first reception |

By default 1, 0.1 and 0. A group without attempts has reward 0. Infos carry `attempts`, `received`, `energy_mj`,
`frames_delivered`, `frames_lost` (given up, or generated at a full queue), `delay_s` (summed over delivered frames) and
each term, times its weight, as `reward_<term>`.

## Starting state

Positions, shadowing and which channels are busy are drawn at every reset; no frame waits. `reset(seed=...)` determines
everything after it, over any number of episodes.

## Episode end

Truncation of all agents after `max_cycles` steps.

## Arguments

Of `parallel_env`, `raw_env` and `env`:

- `coexistence`: The networks, a `lora_marl.core.coexistence.Coexistence`, or the name of a preset, with two networks;
  None: `ccs_eu868`, lawful networks of 1,000 nodes whose acknowledgements are downlinks. `ccs_study` has 100 nodes each
  and free acknowledgements.
- `decider`: `server` or `group`; None: groups where `action_format` is `discrete`, else servers.
- `action_format`: `discrete` (groups only) or `multidiscrete`; None: `discrete` for groups, else `multidiscrete`.
- `operating_points`: `per_interval`, or `per_packet` for deciders that give a distribution (groups).
- `interval_s`: Length of a step.
- `groups`: Q, groups of each network.
- `tp_dbm`: Powers that may be chosen, ascending; any of the region's.
- `interference_indicator`: What `busy_channel` measures: `external` bursts, `all` (also packets of other networks that
  the network's gateways can hear), or `none`.
- `reward`: Weight by name of term, or by the import path of a function of yours, `"my_module:my_term"`, or
  the function itself, which takes an `Interval` of `lora_marl.envs.coexistence.reward` and gives `[B, S, Q]`; or one
  such mapping for each learning network.
- `success`: What the term `delivery` counts: attempts `received`, or `acknowledged`.
- `threads`: Threads that share the replicas; results are the same for any number.
- `max_cycles`: Steps of an episode; interference and alarms are drawn for as many at `reset`.
- `obs_format`: `box`, or `dict` with `observation` and int8 `action_mask` (`action_mask_flat` for `MultiDiscrete`).
- `mask_in_info`: Whether infos carry `action_mask`; for discrete actions.
- `info_level`: `full`, or `none` for empty infos.
- `episode_log`: CSV file that gets a row for each finished episode: return and means of infos
  (`lora_marl/envs/episode_log.py`); None: none.
- `remove_dead`: Without effect: no agent leaves; a silent network keeps its agents.
- `replicas`: Episodes played together through `reset_array(seeds)` and `step_array(actions)`; dicts show one.
- `render_mode`: `ansi` (text), `rgb_array` (channel by time for every network) or `human` (that in a
  window; an error where there is no display).

## Source

M. A. Haque, A. Saifullah, H. Zhang, "Coordinating coexisting learning agents in shared spectrum via parameter space
complementarity" (the CCS paper): the setting, KPIs and servers. It gives no radio, no sizes and no spaces; those are
ours, in the presets `ccs_study` and `ccs_eu868` and on this page.

## Differences from the paper

1. Everything that the paper does not give: see `lora_marl.core.presets.ccs`.
2. Commands to nodes cost no airtime and arrive at once, as by multicast to a group; acknowledgements do cost airtime
   where the scenario's feedback is `downlink`.
3. Servers know their nodes' attempts, those lost as well, from a counter in the frame.
4. Attempts count in the interval in which they end. Frames that wait when a network falls silent count as lost.
5. Acknowledgements do not disturb uplinks, nor uplinks them (their I/Q orientation differs), but other downlinks.
6. `success="acknowledged"` changes the reward alone: observations count what gateways received. An acknowledgement
   counts in the interval in which it is heard, which may be the one after its attempt's.

## Versions

- v0: first version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from pettingzoo import AECEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import parallel_to_aec_wrapper

from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.envs.coexistence.game import CoexistenceGame
from lora_marl.envs.coexistence.settings import CoexistenceSettings
from lora_marl.envs.game import RENDER_MODES

__all__ = ["Coexisting", "CoexistenceSettings", "env", "parallel_env", "raw_env"]


class Coexisting(ArrayParallelEnv):
    """The parallel environment, described on the page of this module."""

    metadata = {
        "name": "lora_coexistence_v0",
        "render_modes": list(RENDER_MODES),
        "is_parallelizable": True,
        "render_fps": 4,
    }

    game: CoexistenceGame

    def __init__(self, **settings: Any) -> None:
        game = CoexistenceGame(CoexistenceSettings.of(settings))
        super().__init__(game, game.settings)

    def state_dict(self) -> dict[str, NDArray]:
        """Return everything that changes within an episode, as plain arrays by name."""
        return self.game.state_dict()

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continue an episode, bit for bit; one with the same seeds must have begun by `reset_array`.

        Raises:
            ValueError: an array is missing or has another shape or type, or the state is of other seeds or networks.
        """
        self.game.load_state_dict(state)
        self._cycle = self.game.cycle
        self._running = self._cycle < self.max_cycles


def parallel_env(**settings: Any) -> Coexisting:
    """The environment in which all servers move at once; arguments as on the page of this module."""
    return Coexisting(**settings)


def raw_env(**settings: Any) -> AECEnv:
    """The same game by turns: servers move one after another, and the step runs when all have."""
    return parallel_to_aec_wrapper(Coexisting(**settings))


def env(**settings: Any) -> wrappers.BaseWrapper:
    """The environment by turns, wrapped in PettingZoo's checks of actions and of the order of calls."""
    turns = raw_env(**settings)
    # Before PettingZoo 1.26 the check of actions knew discrete spaces alone; the game checks all of them itself.
    single = turns.env.settings.decider == "group" and turns.env.settings.operating_points == "per_interval"
    return wrappers.OrderEnforcingWrapper(wrappers.AssertOutOfBoundsWrapper(turns) if single else turns)
