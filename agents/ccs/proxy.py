"""A differentiable proxy of the air that coexisting networks share.

Letters: M worlds, S networks, Q groups of a network, C channels, O offsets above a node's minimum SF, T powers, V
spreading factors (SF7 to SF12), A = C O T actions, numbered (channel * O + offset) * T + power.

The chance that an attempt of group q at SF s, power t on channel c is received is

    (exp(-w_q load_s(c)) * exp(-o_c / burst_s * T_s f_qs) (1 - o_c f_qs)) ** w_t * link,
    load_s(c) = sum_v F_sv (T_s + T_v) a_v(c),  f_qs = f_s b_q,

with a_v(c) attempts per second at SF v on the channel, each weighed by how loud its group and power are: those of every
other group of every network weighed by its policy, and the group's own as if all were on this channel at this offset,
since one operating point per group and interval is in force. A frame takes (1 - (1 - p)^n) / p attempts, which p
depends on: a fixed point. Where frames come faster than nodes can serve them they are dropped as by a queue of
exponential service (M/M/1/k).

Where acknowledgements are downlinks, a gateway that is asked for r per second answers a share 1 / (1 + r answer_s), as
one line without a queue does (M/M/1/1), and listens with chance exp(-deaf_s * those sent per second). What is received
and not answered is sent again.

The numbers are `agents.ccs.constants.Constants`: by hand w = b = 1 and all are equally loud; `scripts/fit_proxy.py`
fits them to packet runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from agents.ccs.constants import Constants
from agents.ccs.worlds import Worlds

ENERGY_WEIGHT = 0.1
"""Of the energy relative to the reference in a utility."""

START_ATTEMPTS = 1.25
"""Per frame: where the fixed point starts."""


class Expected(NamedTuple):
    """What the proxy expects.

    Attributes:
        success: Attempts received over attempts. `[M, S, Q]`
        by_action: The same had the group chosen this action alone, all else equal. `[M, S, Q, A]`
        attempts_hz: `[M, S, Q]`
        frames_hz: Frames served, that is not dropped by the queue. `[M, S, Q]`
        energy_mj: Of one attempt. `[M, S, Q]`
        utility: Of a network: success - 0.1 energy / reference, weighed by attempts. `[M, S]`
        prr: Of a network. `[M, S]`
        epn_mj: Energy per delivered frame of a network. `[M, S]`
    """

    success: Tensor
    by_action: Tensor
    attempts_hz: Tensor
    frames_hz: Tensor
    energy_mj: Tensor
    utility: Tensor
    prr: Tensor
    epn_mj: Tensor


@dataclass(frozen=True)
class Proxy:
    """The proxy with its parameters.

    Attributes:
        constants: Fitted to packet runs, or by hand.
        burst_s: Mean length of an external burst.
        queue_frames: That wait, the one in service included.
        max_attempts: Of a frame.
        iterations: Of the fixed point.
        per_packet: Whether every attempt draws its own action, so that own load is spread as the policy is.

    Source: section 4 of the notes on paper 000; queue: L. Kleinrock, Queueing Systems, volume 1, Eq. (3.43); one line
        without a queue: Erlang's loss formula.
    """

    constants: Constants = field(default_factory=Constants)
    burst_s: float = 0.5
    queue_frames: int = 4
    max_attempts: int = 4
    iterations: int = 2
    per_packet: bool = False

    def __call__(self, policy: Tensor, worlds: Worlds) -> Expected:
        """What comes of policies.

        Args:
            policy: Chance of every action; that of legacy networks is ignored. `[M, S, Q, A]`
            worlds: Where.
        """
        mixture = with_legacy(policy, worlds)
        energy = (mixture * worlds.energy_mj[:, :, :, None]).sum((-1, -2, -3))
        per_frame = torch.full_like(energy, START_ATTEMPTS)
        listens = torch.ones_like(energy[..., :1])
        for _ in range(self.iterations):
            attempts_hz = self._served_hz(per_frame, worlds) * per_frame
            success = listens * self._success(mixture, worlds, attempts_hz)[0]
            answered, listens = self._answers((attempts_hz * success).sum(-1, keepdim=True))
            per_frame = self.attempts_per_frame(success * answered)
        frames_hz = self._served_hz(per_frame, worlds)
        attempts_hz = frames_hz * per_frame
        success, by_action = self._success(mixture, worlds, attempts_hz)
        success, by_action = listens * success, listens[..., None, None, None] * by_action
        utility = success - ENERGY_WEIGHT * energy / worlds.reference_mj.clamp(min=1e-6)
        total = attempts_hz.sum(-1).clamp(min=1e-9)
        received = (attempts_hz * success).sum(-1)
        return Expected(
            success,
            by_action.flatten(3),
            attempts_hz,
            frames_hz,
            energy,
            utility=(attempts_hz * utility).sum(-1) / total,
            prr=received / total,
            epn_mj=(attempts_hz * energy).sum(-1) / received.clamp(min=1e-9),
        )

    def attempts_per_frame(self, success: Tensor) -> Tensor:
        """Mean attempts of a frame that is given up after `max_attempts`, where each is answered with this chance."""
        success = success.clamp(0.02, 0.999)
        return (1.0 - (1.0 - success) ** self.max_attempts) / success

    def _answers(self, asked_hz: Tensor) -> tuple[Tensor, Tensor]:
        """Chances that a gateway answers what it has received, and that it listens. `[M, S, 1]` each"""
        answered = 1.0 / (1.0 + asked_hz * self.constants.answer_s)
        return answered, torch.exp(-self.constants.deaf_s * answered * asked_hz)

    def _served_hz(self, per_frame: Tensor, worlds: Worlds) -> Tensor:
        """Frames that the queues of a group take `[M, S, Q]`."""
        demand = worlds.rate_hz / worlds.nodes.clamp(min=1.0) * per_frame * self.constants.gap_s
        powers = torch.stack([demand**k for k in range(self.queue_frames + 1)])
        return worlds.rate_hz * (powers[:-1].sum(0) / powers.sum(0))

    def _success(self, mixture: Tensor, worlds: Worlds, attempts_hz: Tensor) -> tuple[Tensor, Tensor]:
        """Chance of a group's attempts `[M, S, Q]`, and by action `[M, S, Q, C, O, T]`."""
        by, airtime = self.constants, worlds.airtime_s[:, None, None, None]
        harm = (by.collision * (airtime.mT + airtime)).mT  # [M, 1, 1, V interferer, V wanted]
        loud_hz = attempts_hz * by.loud
        by_sf_hz = loud_hz[..., None, None] * worlds.sf_share  # [M, S, Q, O, V], had it this offset alone
        mixed_hz = (mixture * by.loud_power).sum(-1) @ by_sf_hz  # [M, S, Q, C, V]
        alone = 1.0 - 1.0 / worlds.nodes.clamp(min=1.0)[..., None, None]  # a node does not meet itself
        spread = (worlds.legacy | self.per_packet)[:, :, None, None, None]
        others = mixed_hz.sum((1, 2), keepdim=True) - mixed_hz + torch.where(spread, alone * mixed_hz, 0.0)
        own = torch.where(spread, 0.0, alone * by_sf_hz)
        occupancy, weak = worlds.occupancy[:, None, None, :, None], by.weak[:, None, None]
        burst = by.burst * by.weak_in_bursts[:, None, None]
        external = torch.exp(-occupancy / self.burst_s * airtime * burst) * (1.0 - occupancy * burst)
        survives = external * torch.exp(-weak * (others @ harm))  # [M, S, Q, C, V]
        chance = survives @ (worlds.sf_share * torch.exp(-weak * (own @ harm))).mT  # [M, S, Q, C, O]
        by_action = chance[..., None] ** by.weak_power * worlds.link[:, :, :, None]
        return (mixture * by_action).sum((-1, -2, -3)), by_action


def with_legacy(policy: Tensor, worlds: Worlds) -> Tensor:
    """Policies as `[M, S, Q, C, O, T]`, those of legacy networks replaced by what legacy networks do."""
    shape = (worlds.occupancy.shape[-1], *worlds.link.shape[3:])
    fixed = policy.new_zeros(shape)
    fixed[:, 0, -1] = 1.0 / shape[0]
    return torch.where(worlds.legacy[:, :, None, None, None, None], fixed, policy.unflatten(-1, shape))
