"""A differentiable proxy of the air that coexisting networks share.

Letters: `M` worlds, `S` networks, `Q` groups of a network, `C` channels, `O` offsets above a node's minimum SF, `T`
powers, `V` spreading factors (SF7 to SF12), `A` = C O T actions, numbered (channel * O + offset) * T + power.

The chance that an attempt of group q at SF s, power t on channel c is received is

    (exp(-w_q load_s(c)) * exp(-o_c / burst_s * T_s f_qs) (1 - o_c f_qs)) ** w_t * link,
    load_s(c) = sum_v F_sv (T_s + T_v) a_v(c),  f_qs = f_s b_q,

with a_v(c) attempts per second at SF v on the channel, each weighted by how loud its group and power are: those of
every other group of every network weighted by its policy, and the group's own as if all were on this channel at this
offset, since one operating point per group and interval is in force. A frame takes (1 - (1 - p)^n) / p attempts, which
p depends on: a fixed point. Where frames come faster than nodes can serve them, they are dropped as in a queue of
exponential service times (M/M/1/k).

Where acknowledgements are downlinks, a gateway that is asked for r per second answers a share 1 / (1 + r answer_s), as
one line without a queue does (M/M/1/1), and listens with chance exp(-deaf_s * those sent per second). What is received
and not answered is sent again.

`Constants` are the numbers that depend on radios and their rules: by hand w = b = 1 and all are equally loud;
`scripts/fit_proxy.py` fits them to packet runs (`agents.ccs.fitting`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs.dataset import Worlds
from agents.ccs.protocol import ENERGY_WEIGHT

SHAPES = {
    **dict.fromkeys(("same_sf", "other_sf", "burst"), "V"),
    **dict.fromkeys(("weak", "weak_in_bursts", "loud"), "Q"),
    **dict.fromkeys(("weak_power", "loud_power"), "T"),
    **dict.fromkeys(("gap_s", "answer_s", "deaf_s"), ""),
}
"""Letters of the axes of the constants, by name."""

LEAST_ENERGY_MJ, LEAST_RATE_HZ = 1e-6, 1e-9
"""Smaller energies and rates count as these in ratios, for groups without nodes or traffic."""

SUCCESS_RANGE = (0.02, 0.999)
"""Chances of success count as within it in mean attempts, whose fixed point is steep near 0."""

START_ATTEMPTS = 1.25
"""Attempts per frame where the fixed point starts."""


def _numbers(*values: float) -> Any:
    return field(default_factory=lambda: torch.tensor(values))


def _number(value: float) -> Any:
    return field(default_factory=lambda: torch.tensor(value))


@dataclass(frozen=True)
class Constants:
    """Numbers of the proxy; the defaults were set by hand for `ccs-study`, where groups and powers are alike.

    Its `repr` is stored in settings of trainings and in services, so that the names here are data. Numbers by group or
    power may also be one number for all of them.

    Attributes:
        same_sf: F of two frames of one SF, the chance that an overlap costs the wanted one, by SF. `[V]`
        other_sf: F of a frame of another SF, by the SF of the wanted one. `[V]`
        burst: f, the same for an overlap with an external burst, by SF. `[V]`
        weak: w_q, how much more a group's frames suffer from others', from the best link to the worst. `[Q]`
        weak_in_bursts: b_q, how much of f applies to a group. `[Q]`
        loud: How much more a group's frames disturb others'. `[Q]`
        weak_power: w_t, how much more frames suffer at a power. `[T]`
        loud_power: How much more frames disturb others at a power. `[T]`
        gap_s: From the start of an attempt to the earliest start of the next one of the same node, airtime aside; 0:
            nodes serve any number of frames. s `[]`
        answer_s: Time that a gateway takes per acknowledgement, until it may send the next one; 0: they are free. s
            `[]`
        deaf_s: Time around each acknowledgement in which the gateway receives nothing. s `[]`

    Raises:
        ValueError: a number that is not finite or below 0, naming its field.
    """

    same_sf: Tensor = _numbers(*[0.345] * 6)
    other_sf: Tensor = _numbers(*[0.01] * 6)
    burst: Tensor = _numbers(0.82, 0.79, 0.76, 0.70, 0.63, 0.55)
    weak: Tensor = _numbers(1.0)
    weak_in_bursts: Tensor = _numbers(1.0)
    loud: Tensor = _numbers(1.0)
    weak_power: Tensor = _numbers(1.0)
    loud_power: Tensor = _numbers(1.0)
    gap_s: Tensor = _number(4.0)
    answer_s: Tensor = _number(0.0)
    deaf_s: Tensor = _number(0.0)

    def __post_init__(self) -> None:
        for name, letters in SHAPES.items():
            values = getattr(self, name)
            if values.dim() != len(letters):
                raise ValueError(f"constants: {name} has shape {list(values.shape)}; expected [{letters}]")
            if not bool((values.isfinite() & (values >= 0.0)).all()):
                raise ValueError(f"constants: {name} = {values.tolist()}: expected numbers of at least 0")

    @property
    def collision(self) -> Tensor:
        """F by SF, rows the wanted frame, columns the interferer. `[V, V]`"""
        diagonal = torch.eye(len(self.same_sf))
        return diagonal * self.same_sf[:, None] + (1.0 - diagonal) * self.other_sf[:, None]

    def save(self, path: Path, command: str) -> None:
        """Writes a JSON file, with the command that made it."""
        numbers = {name: getattr(self, name).tolist() for name in SHAPES}
        path.write_text(json.dumps({"command": command, "constants": _rounded(numbers)}, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Constants:
        """Reads what `save` wrote; fields that are missing are those set by hand.

        Raises:
            ValueError: no such file, or not of this kind, naming it.
        """
        names = {field.name for field in fields(cls)}
        try:
            numbers = json.loads(path.read_text("utf-8"))["constants"]
            for name in sorted(set(numbers) - names):
                raise ValueError(f"{name!r} is unknown; expected some of {', '.join(sorted(names))}")
            return cls(**{name: torch.tensor(value, dtype=torch.float32) for name, value in numbers.items()})
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: no constants of the proxy ({error})") from None


def _rounded(numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers rounded to six digits, more than a fit is exact to."""
    return json.loads(json.dumps(numbers), parse_float=lambda text: float(f"{float(text):.6g}"))  # type: ignore[no-any-return]


class Expected(NamedTuple):
    """The expectation of the proxy for policies.

    Attributes:
        success: Attempts received over attempts. `[M, S, Q]`
        by_action: The same if the group chose this action alone, all else equal. `[M, S, Q, A]`
        attempts_hz: Attempts of a group per second. `[M, S, Q]`
        frames_hz: Frames per second that the queues do not drop. `[M, S, Q]`
        energy_mj: Energy of one attempt. mJ `[M, S, Q]`
        utility: Utility of a network: success - 0.1 energy / reference, weighted by attempts. `[M, S]`
        prr: PRR of a network. `[M, S]`
        epn_mj: Energy of a network per delivered frame. mJ `[M, S]`
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
    """The proxy of the air with its parameters.

    Attributes:
        constants: Fitted to packet runs, or by hand.
        burst_s: Mean length of an external burst.
        queue_frames: Frames that fit the queue of a node, the one in service included.
        max_attempts: Attempts after which a frame is given up.
        iterations: Iterations of the fixed point.
        per_packet: Whether every attempt draws its own action, so that a group's own load is spread like its policy.

    Source: M/M/1/k queue: L. Kleinrock, Queueing Systems, volume 1, Eq. (3.43); one line
        without a queue: Erlang's loss formula.
    """

    constants: Constants = field(default_factory=Constants)
    burst_s: float = 0.5
    queue_frames: int = 4
    max_attempts: int = 4
    iterations: int = 2
    per_packet: bool = False

    def __call__(self, policy: Tensor, worlds: Worlds) -> Expected:
        """Returns what is expected of policies.

        Args:
            policy: Chance of every action; that of networks that do not learn is not read. `[M, S, Q, A]`
            worlds: M worlds.
        """
        mixture = with_non_learning(policy, worlds)
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
        utility = success - ENERGY_WEIGHT * energy / worlds.reference_mj.clamp(min=LEAST_ENERGY_MJ)
        total = attempts_hz.sum(-1).clamp(min=LEAST_RATE_HZ)
        received = (attempts_hz * success).sum(-1)
        return Expected(
            success,
            by_action.flatten(3),
            attempts_hz,
            frames_hz,
            energy,
            utility=(attempts_hz * utility).sum(-1) / total,
            prr=received / total,
            epn_mj=(attempts_hz * energy).sum(-1) / received.clamp(min=LEAST_RATE_HZ),
        )

    def attempts_per_frame(self, success: Tensor) -> Tensor:
        """Mean attempts of a frame that is given up after `max_attempts`.

        Args:
            success: Chance that an attempt is answered. `[...]`

        Returns:
            (1 - (1 - p)^n) / p. `[...]`
        """
        success = success.clamp(*SUCCESS_RANGE)
        return (1.0 - (1.0 - success) ** self.max_attempts) / success

    def _answers(self, asked_hz: Tensor) -> tuple[Tensor, Tensor]:
        """Chances that a gateway answers what it has received, and that it listens. `[M, S, 1]` each

        Args:
            asked_hz: Acknowledgements that it is asked for per second. `[M, S, 1]`
        """
        answered = 1.0 / (1.0 + asked_hz * self.constants.answer_s)
        return answered, torch.exp(-self.constants.deaf_s * answered * asked_hz)

    def _served_hz(self, per_frame: Tensor, worlds: Worlds) -> Tensor:
        """Frames per second that the queues of a group take, of those that arise. `[M, S, Q]`"""
        demand = worlds.rate_hz / worlds.nodes.clamp(min=1.0) * per_frame * self.constants.gap_s
        powers = torch.stack([demand**k for k in range(self.queue_frames + 1)])
        return worlds.rate_hz * (powers[:-1].sum(0) / powers.sum(0))

    def _success(self, mixture: Tensor, worlds: Worlds, attempts_hz: Tensor) -> tuple[Tensor, Tensor]:
        """Chances that a group's attempts are received `[M, S, Q]`, and the same by action `[M, S, Q, C, O, T]`."""
        constants, airtime = self.constants, worlds.airtime_s[:, None, None, None]
        harm = (constants.collision * (airtime.mT + airtime)).mT  # [M, 1, 1, V interferer, V wanted]
        loud_hz = attempts_hz * constants.loud
        by_sf_hz = loud_hz[..., None, None] * worlds.sf_share  # [M, S, Q, O, V], had it this offset alone
        mixed_hz = (mixture * constants.loud_power).sum(-1) @ by_sf_hz  # [M, S, Q, C, V]
        alone = 1.0 - 1.0 / worlds.nodes.clamp(min=1.0)[..., None, None]  # a node does not meet itself
        spread = (worlds.non_learning | self.per_packet)[:, :, None, None, None]
        others_hz = mixed_hz.sum((1, 2), keepdim=True) - mixed_hz + torch.where(spread, alone * mixed_hz, 0.0)
        own_hz = torch.where(spread, 0.0, alone * by_sf_hz)
        occupancy, weak = worlds.occupancy[:, None, None, :, None], constants.weak[:, None, None]
        burst = constants.burst * constants.weak_in_bursts[:, None, None]
        external = torch.exp(-occupancy / self.burst_s * airtime * burst) * (1.0 - occupancy * burst)
        survives = external * torch.exp(-weak * (others_hz @ harm))  # [M, S, Q, C, V]
        chance = survives @ (worlds.sf_share * torch.exp(-weak * (own_hz @ harm))).mT  # [M, S, Q, C, O]
        by_action = chance[..., None] ** constants.weak_power * worlds.link[:, :, :, None]
        return (mixture * by_action).sum((-1, -2, -3)), by_action


def with_non_learning(policy: Tensor, worlds: Worlds) -> Tensor:
    """Policies `[M, S, Q, A]` with those of networks that do not learn filled in. `[M, S, Q, C, O, T]`"""
    shape = (worlds.occupancy.shape[-1], *worlds.link.shape[3:])
    fixed = policy.new_zeros(shape)
    fixed[:, 0, -1] = 1.0 / shape[0]
    return torch.where(worlds.non_learning[:, :, None, None, None, None], fixed, policy.unflatten(-1, shape))


def optimum(
    proxy: Proxy, worlds: Worlds, seeds: Sequence[int], *, steps: int = 200, learning_rate: float = 0.15
) -> Tensor:
    """Actions that a local search finds which knows everything: a reference rather than a bound.

    Adam on the logits of every (network, group) from one random start, maximising the mean utility; then argmax.

    Args:
        proxy: The model whose utility is maximised.
        worlds: M worlds; every one is a problem of its own.
        seeds: Seed of the start of each world, whatever other worlds there are. `[M]`
        steps: Steps of Adam.
        learning_rate: Learning rate of Adam.

    Returns:
        Actions; those of networks that do not learn have no meaning. int64 `[M, S, Q]`
    """
    channels, offsets, powers = worlds.occupancy.shape[-1], *worlds.link.shape[3:]
    shape = (*worlds.rate_hz.shape[1:], channels * offsets * powers)
    starts = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    logits = torch.stack(starts).requires_grad_()
    adam = torch.optim.Adam([logits], lr=learning_rate)
    for _ in range(steps):
        adam.zero_grad()
        (-proxy(logits.softmax(-1), worlds).utility.mean(1).sum()).backward()
        adam.step()
    return logits.detach().argmax(-1)


def best_actions(facts: Mapping[str, NDArray], seeds: Sequence[int], proxy: Proxy) -> NDArray[np.int64]:
    """Returns the `optimum` of worlds given by facts, by the names of `Worlds`. int64 `[B, S, Q]`"""
    return optimum(proxy, Worlds.of(facts), seeds).numpy()
