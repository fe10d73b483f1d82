"""energy_v0: nodes choose spreading factor and power for energy efficiency, in expectation.

    from lora_marl.envs import energy_v0

    env = energy_v0.parallel_env()

**Task.** The nodes of a LoRaWAN with Rayleigh fading and any number of gateways keep their channels and choose
spreading factor (SF) and transmit power (TP), so that the sum of all energy efficiencies is high and every node is
still delivered often enough. A step is an allocation whose expected outcome is given in closed form: no packet is
drawn, and what comes of a joint action is the same at every step. Agents are `node_0` to `node_{N-1}`, or those of one
channel under the same names, all with equal spaces; they move at once.

## Actions

`Discrete` flat indices of SF and TP, taken apart by `np.unravel_index(action, sizes)`, or `MultiDiscrete` with one
index of each. In the default network, `Discrete(42)` or `MultiDiscrete([6, 7])`:

| index | factor | values |
|---|---|---|
| 0 | SF | 7, 8, 9, 10, 11, 12 |
| 1 | TP | 2, 5, 8, 11, 14, 17, 20 dBm |

Powers are the scenario's: J of them in equal steps, J one of 2, 3, 4, 7, 10 and 19 (`mmalora_network(power_levels=J)`).

`action_masks()` (bool `[N, K]`) tells which actions would be delivered with `least_delivery` if nobody else sent; where
none would, the strongest alone stays, so that an infeasible node has one action. With `multidiscrete`, `K` are the
values of both factors one after another, and a value stays if it does so together with some value of the other. Masked
actions are poor, not illegal: the environment plays them.

## Observations

A `Box` of float32 `[D]`; `feature_names` names each entry. In the default network:

| observation | name | unit | min | max | meaning |
|---|---|---|---|---|---|
| 0 | delivery | probability | 0 | 1 | D_i of the last step |
| 1 | ee | 10 bits/mJ | 0 | 4 | EE_i of the last step |
| 2 to 4 | distance_0 ... distance_2 | 12 km | 0 | 4 | to each gateway, at most the maximum |

`state()` is the observations of all agents one after another, float32 `[N D]`.

## Rewards

Sums of named terms (`lora_marl.envs.energy.reward` has them), in bits per mJ. gamma_i is 1 where D_i is at least
`least_delivery`, else 0; EE_c is the sum of EE_i over the node's channel, which has N_c nodes; EE_{c,-i} is what the
others of the channel would have if the node were not there.

| reward | formula | terms |
|---|---|---|
| `marginal` | gamma_i (EE_c - EE_{c,-i}) | `own` + `harm` |
| `printed` | gamma_i ((2 - 1 / N_c) EE_c - EE_{c,-i}) / N_c: Eq. (23), its weight at 1 / N_c | `system` + `gain` |
| `team` | gamma_i EE_c / N_c | `system` |

Infos carry `delivery` (D_i), `ee_bits_per_mj` (EE_i), `channel_ee_bits_per_mj` (EE_c), `violation` (1 - gamma_i) and
each term, without its weight, as `reward_<term>`, at reset too.

## Starting state

`reset` plays one allocation, uniform over the actions that masks leave, which the first observations and infos are of.
Positions are the scenario's, in every episode, unless `redraw` is given. `reset(seed=...)` determines everything after
it, over any number of episodes.

## Episode end

Truncation of all nodes after `max_cycles` steps.

## Arguments

Of `parallel_env`, `raw_env` and `env`:

- `scenario`: The network, with one bandwidth and one placement; None: MMALoRa's, 160 nodes, 3 gateways, 4 channels.
- `channel`: Of each node, indices `[N]`; None: node number modulo C.
- `only_channel`: The nodes of this channel alone are agents and play; None: all. Channels do not disturb each other, so
  their numbers are those of the whole game.
- `action_format`: `discrete` or `multidiscrete`.
- `masks`: Whether masks leave anything out; False is the paper's setting.
- `least_delivery`: D_th, 0 to 1.
- `reward`: `marginal`, `printed` or `team`; or weight by name of term, or by the import path of a function of yours,
  `"my_module:my_term"`, or the function itself, which takes `Counterfactuals` and N_c `[N]` as those of
  `lora_marl.envs.energy.reward` and gives `[B, N]`; it is multiplied by gamma_i.
- `energy`: `supply` (LoRaSim's supply currents at 3 V) or `radiated` power; None: the scenario's, by default `supply`.
- `variant`: Of the closed form, `expect` or `meang` (Eq. 11 with the interferers' fading at its mean).
- `rate`: How often nodes send under their duty cycle, `linear`, `linear_clipped` or `renewal`; above one packet per 99
  airtimes, where the linear ones have such a node disturb nobody, use `renewal`.
- `redraw`: Called with a random generator at every reset, gives the positions `[N, 2]` in m of all nodes; None:
  positions stay. All replicas share them: they are drawn from the first one's random stream.
- `max_cycles`: Steps of an episode; a plain attribute of the environment as well.
- `obs_format`: `box`, or `dict` with `observation` and int8 `action_mask` (`action_mask_flat` for `MultiDiscrete`).
- `mask_in_info`: Whether infos carry `action_mask`; for discrete actions.
- `info_level`: `full`, or `none` for empty infos.
- `episode_log`: CSV file that gets a row for each finished episode: return and means of infos
  (`lora_marl/envs/episode_log.py`); None: none.
- `remove_dead`: Without effect: no agent leaves.
- `replicas`: Games played together through `reset_array(seeds)` and `step_array(actions)`; dicts show one.
- `render_mode`: `ansi` (text), `rgb_array` (a map: nodes coloured by SF, links by whether D_i is enough) or `human`
  (that map in a window; an error where there is no display).

## Source

MMALoRa, section VI-A: observation Eq. (20), powers Eq. (21), actions Eq. (22), reward Eq. (23) and (24). The physics
are those of `lora_marl.core.expect.rayleigh`, each formula with its source.

## Differences from the paper

1. The default reward is `marginal`: for a feasible node, nearly all variation of Eq. (23) is caused by the others.
2. In Eq. (23) N is the number of nodes of the channel, and EE_{c,-i} counts the node as removed; its weight, not given
   as a number, is 1 / N_c.
3. Masks, which `masks=False` switches off.
4. Not in the paper: the number of powers, the energy accounting, what an episode starts from, and the constants by
   which observations are scaled.

## Versions

- v0: first version.
"""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import parallel_to_aec_wrapper

from lora_marl.envs.base import ArrayParallelEnv
from lora_marl.envs.energy.game import EnergyGame, EnergySettings
from lora_marl.envs.game import RENDER_MODES

__all__ = ["Energy", "EnergySettings", "env", "parallel_env", "raw_env"]


class Energy(ArrayParallelEnv):
    """The parallel environment, described on the page of this module."""

    metadata = {
        "name": "lora_energy_v0",
        "render_modes": list(RENDER_MODES),
        "is_parallelizable": True,
        "render_fps": 4,
    }

    def __init__(self, **settings: Any) -> None:
        game = EnergyGame(EnergySettings.of(settings))
        super().__init__(game, game.settings)


def parallel_env(**settings: Any) -> Energy:
    """The environment in which all nodes move at once; arguments as on the page of this module."""
    return Energy(**settings)


def raw_env(**settings: Any) -> AECEnv:
    """The same game by turns: nodes move one after another, and the step runs when all have."""
    return parallel_to_aec_wrapper(Energy(**settings))


def env(**settings: Any) -> wrappers.BaseWrapper:
    """The environment by turns, wrapped in PettingZoo's checks of actions and of the order of calls."""
    turns = raw_env(**settings)
    # Before PettingZoo 1.26 the check of actions knew discrete spaces alone; the game checks all of them itself.
    inner = wrappers.AssertOutOfBoundsWrapper(turns) if turns.env.settings.action_format == "discrete" else turns
    return wrappers.OrderEnforcingWrapper(inner)
