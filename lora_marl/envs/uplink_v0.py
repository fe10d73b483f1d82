"""uplink_v0: every node chooses the parameters of its own packets.

    from lora_marl.envs import uplink_v0

    env = uplink_v0.parallel_env()

**Task.** The nodes of a LoRaWAN send packets to their gateways without hearing each other. Each node chooses spreading
factor (SF), bandwidth (BW), channel and transmit power (TP), or any subset of them; whether a packet is delivered
depends on distance, on luck, and on what all others chose. Agents are `node_0` to `node_{N-1}`, all with equal spaces.
One step of `parallel_env` is a window of time: all nodes choose, the air is played to the window's end, and every
packet that starts in it is sent with its node's choice. In `env` and `raw_env` there are no windows: a node's turn is
when its last packet's fate is known and its next packet is due, and its reward is that packet's.

## Actions

`MultiDiscrete` with one index per chosen factor, or `Discrete` with their flat index, taken apart by
`np.unravel_index(action, sizes)`. The order is SF, BW, channel, TP. In the default network, `MultiDiscrete([6, 8, 7])`
or `Discrete(336)`:

| index | factor | values |
|---|---|---|
| 0 | SF | 7, 8, 9, 10, 11, 12 |
| 1 | channel | 868.1 to 869.5 MHz in steps of 200 kHz |
| 2 | TP | 2, 4, 6, 8, 10, 12, 14 dBm |

With `nb_trans=3`, say, one more index, the last, of 0 to 2: how often a frame is sent (NbTrans), less 1. Repeats are
packets of their own, seconds apart, and stop when a downlink is received.

`action_masks()` (bool `[N, K]`) tells which actions leave the mean received power `min_margin_db` above the sensitivity
at some gateway: `K` flat indices, or the values of all chosen factors one after another, where a value stays if it does
so together with the best values of the others. The best action always stays. Masked actions are poor, not illegal: the
environment plays them.

## Observations

A `Box` of float32 `[D]`, the same for every number of nodes; `feature_names` names each entry. In the default network:

| observation | name | unit | min | max | meaning |
|---|---|---|---|---|---|
| 0 | sf | highest index | 0 | 1 | spreading factor chosen last |
| 1 to 8 | channel_0 ... channel_7 | flag | 0 | 1 | channel chosen last |
| 9 | tp | highest index | 0 | 1 | power chosen last |
| 10 to 15 | fate_none ... fate_no_demodulator | flag | 0 | 1 | fate of the last packet |
| 16 to 21 | delivery_sf7 ... delivery_sf12 | share | 0 | 1 | delivered by spreading factor, (d + 1) / (n + 2) |
| 22 to 29 | delivery_channel_0 ... delivery_channel_7 | share | 0 | 1 | delivered by channel, (d + 1) / (n + 2) |
| 30 | snr_margin | 40 dB | -1 | 1 | SNR above the floor of the last packet; 0 if lost |
| 31 | packets | n / (n + 1) | 0 | 1 | packets that ended in the step |
| 32 | sent | flag | 0 | 1 | whether one ended in the step |
| 33 | active | flag | 0 | 1 | whether the node is part of the network now |

A node knows its last packet's fate and power at the gateway at once and for free (where the scenario's feedback is
`downlink`, choices are commands of the network server: a node goes on as before until a downlink has brought its new
parameters, which takes a packet that was received, a gateway that may send, and airtime in which it hears nobody; there
is one more fate then, and where the scenario has `links`: `fate_gateway_sending`). `d` and `n` count packets by the
value that they were sent with, over the episode (see `memory`). `state()` is the observations of all nodes one after
another, float32 `[N D]`.

## Rewards

A weighted sum of named terms, each over the packets that ended in the step (a packet counts where it ends, with the
parameters it was sent with) and 0 where none ended:

| term | meaning | range |
|---|---|---|
| `delivery` | share that was delivered | 0 to 1 |
| `frame_delivery` | share of frames of which a packet was delivered; for `nb_trans` and confirmed traffic | 0 to 1 |
| `dlora` | mean over packets of the sum over the F chosen factors of +1 or -1 plus a bonus | F (+-1) plus bonuses |
| `energy_efficiency` | bits delivered per energy spent, over that of the region's thriftiest operating point | 0 to 1 |
| `throughput` | bits delivered per second of airtime, over that of its fastest one | 0 to 1 |

The bonuses of `dlora` are xi w_SF, zeta BW / sum BW and eta (1 - TP / sum TP), for the value used, with
w_SF = (SF / 2^SF) / sum (SF / 2^SF); its indicator is +1 for a delivered packet, -1 for a lost one.

Infos carry `sent`, `delivered`, `energy_mj` and each term as `reward_<term>`, at reset too; with NbTrans also
`frames_delivered` and `frames_lost`; where the scenario has `energy: states`, also `battery_life_years` at the mean
power of the step (nan at reset).

## Starting state

The air is empty and no packet has been sent; every node has `fixed_point` in force. Positions are the scenario's, in
every episode, unless `redraw` is given. `reset(seed=...)` determines everything after it, over any number of episodes.

## Episode end

Truncation of all nodes after `max_cycles` windows; by turns, when that time has passed. Nodes that the scenario's
changes switch off or on stay in `agents`, with a no-op and the feature `active`; `remove_dead=True` terminates the
former, for the rest of the episode, and adds the latter when they join (by turns all stay). Wrappers that know the
agents of the first reset alone, such as SuperSuit's `black_death_v3`, need False where nodes join.

## Arguments

Of `parallel_env`, `raw_env` and `env`:

- `scenario`: The network; None: D-LoRa's journal network, 100 nodes, with one packet of 50 bytes per node and window.
- `factors`: What nodes choose, of `sf`, `bw`, `channel`, `tp`; None: the factors with more than one value.
- `fixed_point`: Indices `[4]` of what is not chosen; None: the first value of each factor, highest power, and `hop`
  where the channel is not chosen: nodes draw one of the region's for every packet, as LoRaWAN's devices do.
- `nb_trans`: Largest NbTrans that nodes choose, 1 to 15; None: as `traffic.nb_trans` says. With it, the observation
  has `nb_trans` behind the last choices.
- `action_format`: `multidiscrete` or `discrete`.
- `min_margin_db`: Margin that masks ask for; None: nothing is masked. dB
- `window_s`: Length of a step; in a window much shorter than the gap between packets most nodes have nothing to report
  (NoReL's nodes send every 1,000 s). s
- `max_cycles`: Steps of an episode; a plain attribute of the environment as well.
- `reward`: Weight by name of term, or by the import path of a function of yours, `"my_module:my_term"`, or
  the function itself, which takes an `Outcome` and the `Scales` of `lora_marl.envs.uplink.reward` and gives `[B, N]`.
- `xi`, `zeta`, `eta`: Metric factors of the term `dlora`.
- `memory`: Share of the packet counts behind the delivery averages that each step (by turns, each round of decisions)
  keeps: 1 averages over the episode, less forgets.
- `redraw`: Called with a random generator at every reset, gives the positions `[N, 2]` in m of a replica, e.g.
  `functools.partial(uniform_disc, nodes=100, radius_m=1000.0)`; None: positions stay.
- `obs_format`: `box`, or `dict` with `observation` and int8 `action_mask` (`action_mask_flat` for `MultiDiscrete`).
- `mask_in_info`: Whether infos carry `action_mask`; for discrete actions.
- `info_level`: `full`, or `none` for empty infos.
- `episode_log`: CSV file that gets a row for each finished episode: return and means of infos
  (`lora_marl/envs/episode_log.py`); None: none. Not by turns.
- `remove_dead`: See "Episode end".
- `replicas`: Independent networks, one seed each, played together through `reset_array(seeds)` and
  `step_array(actions)`; dicts show one.
- `threads`: Threads that share the replicas; results are the same for any number.
- `render_mode`: `ansi` (text), `rgb_array` (a map: nodes coloured by SF, links by fate) or `human` (that map in a
  window; an error where there is no display).

## Source

D-LoRa: conference paper (GLOBECOM 2025, arXiv 2501.12589) and its journal version. The physics are those of
`lora_marl.core.air`, each formula with its source.

## Differences from the papers

1. Windows: the papers' nodes decide after every packet, which is `env`; windows suit libraries for parallel agents.
2. The default traffic is one packet per node and window, so that every decision has its packet; the journal's traffic
   is `scenario=journal_network()`.
3. The indicator of D-LoRa's rewards is -1 or +1, where the papers print 0 or 1, which does not give their numbers.
4. The papers' learners see no state; the observation is this package's.

## Versions

- v0: first version. Where actions leave the channel out and `fixed_point` is not given, nodes hop over all channels;
  before, all were on channel 0.
"""

from __future__ import annotations

from typing import Any

from pettingzoo.utils import wrappers

from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.envs.game import RENDER_MODES
from lora_marl.envs.uplink.game import UplinkGame, UplinkSettings
from lora_marl.envs.uplink.turns import UplinkTurns

__all__ = ["Uplink", "UplinkSettings", "UplinkTurns", "env", "parallel_env", "raw_env"]


class Uplink(ArrayParallelEnv):
    """The parallel environment, described on the page of this module: one step is one window."""

    metadata = {
        "name": "lora_uplink_v0",
        "render_modes": list(RENDER_MODES),
        "is_parallelizable": True,
        "render_fps": 4,
    }

    def __init__(self, **settings: Any) -> None:
        game = UplinkGame(UplinkSettings.of(settings))
        super().__init__(game, game.settings)


def parallel_env(**settings: Any) -> Uplink:
    """The environment of windows, in which all nodes move at once; arguments as on the page of this module."""
    return Uplink(**settings)


def raw_env(**settings: Any) -> UplinkTurns:
    """The environment by turns, in which a node moves when its next packet is due."""
    return UplinkTurns(**settings)


def env(**settings: Any) -> wrappers.BaseWrapper:
    """The environment by turns, wrapped in PettingZoo's checks of actions and of the order of calls."""
    turns = raw_env(**settings)
    # Before PettingZoo 1.26 the check of actions knew discrete spaces alone; the game checks all of them itself.
    inner = wrappers.AssertOutOfBoundsWrapper(turns) if turns.game.settings.action_format == "discrete" else turns
    return wrappers.OrderEnforcingWrapper(inner)
