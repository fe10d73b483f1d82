"""Actions of nodes: their spaces and masks, and their translation to operating points.

Shape letters: `B` replicas, `N` nodes, `F` chosen factors, `A` flat actions, `K` entries of a mask.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.checks import check_choice
from lora_marl.core.factors import checked_points, chosen_factors
from lora_marl.core.region import CHANNEL, FACTORS, HOP, Region
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import MOST_TRANSMISSIONS

ActionFormat = Literal["multidiscrete", "discrete"]


def pick_allowed(draws: NDArray[np.float64], masks: NDArray[np.bool_], sizes: ArrayLike) -> NDArray[np.int64]:
    """Pick one of the allowed values of each factor, all as likely, in every row.

    Args:
        draws: Uniform random numbers, from 0 up to but not including 1. `[..., F]`
        masks: Allowed values, one factor after another. `[..., K]`
        sizes: Number of values of each factor; K is their sum. `[F]`

    Returns:
        Index of the value of each factor. `[..., F]`
    """
    parts = np.split(masks, np.cumsum(sizes)[:-1], axis=-1)
    places = (np.floor(draws[..., i] * part.sum(axis=-1)) for i, part in enumerate(parts))
    chosen = [(part.cumsum(axis=-1) > place[..., None]).argmax(axis=-1) for part, place in zip(parts, places)]
    return np.stack(chosen, axis=-1)


class ActionCodec:
    """A translation between actions and operating points.

    Args:
        region: The values of each factor.
        factors: The factors that are chosen, of `FACTORS`; None: those with more than one value.
        action_format: `multidiscrete`: one index per chosen factor, in the order of `FACTORS`; `discrete`: their flat
            index, which `np.unravel_index(action, codec.sizes)` takes apart.
        fixed_point: Indices of the factors that are not chosen, and of all before the first action `[4]`; None: the
            first value of each factor, highest power, and `HOP` where the channel is not chosen.
        nb_trans: Largest NbTrans that is chosen, as one more factor behind the others, whose values begin with 1; None:
            it is not chosen.

    Attributes:
        factors: The chosen factors, in the order of `FACTORS`.
        nb_trans: As given.
        sizes: Number of values of each chosen factor, NbTrans included. `[F]`

    Raises:
        ValueError: an unknown factor or format, a fixed point outside the region, one that hops where actions choose
            the channel, or an NbTrans outside 1 to 15.
    """

    def __init__(
        self,
        region: Region,
        *,
        factors: Sequence[str] | None = None,
        action_format: ActionFormat = "multidiscrete",
        fixed_point: Sequence[int] | None = None,
        nb_trans: int | None = None,
    ) -> None:
        check_choice("action_format", action_format, get_args(ActionFormat))
        self.factors = chosen_factors(region, factors)
        self.flat = action_format == "discrete"
        self._columns = [FACTORS.index(name) for name in self.factors]
        if nb_trans is not None and nb_trans not in range(1, MOST_TRANSMISSIONS + 1):
            raise ValueError(f"nb_trans: {nb_trans!r}; allowed is None, or 1 to {MOST_TRANSMISSIONS}")
        self.nb_trans = nb_trans
        self.sizes = tuple(region.factor_sizes[column] for column in self._columns)
        if nb_trans is not None:
            self.sizes += (nb_trans,)
        self.fixed_point = checked_points(region, fixed_point, ())
        if "channel" in self.factors and self.fixed_point[CHANNEL] == HOP:
            if fixed_point is not None:
                last = len(region.channels_hz) - 1
                raise ValueError(f"fixed_point: channel is hop, but actions choose the channel; allowed is 0 to {last}")
            self.fixed_point[CHANNEL] = 0
        actions = np.unravel_index(np.arange(math.prod(self.sizes) if self.flat else 1), self.sizes)
        self._choices = np.stack(actions, axis=-1).astype(np.int16)

    @property
    def action_sizes(self) -> tuple[int, ...]:
        """Number of values of each number of an action: `sizes`, or A alone."""
        return (math.prod(self.sizes),) if self.flat else self.sizes

    @property
    def mask_size(self) -> int:
        """K: the number of flat actions, or under `multidiscrete` of values of all chosen factors."""
        return math.prod(self.sizes) if self.flat else sum(self.sizes)

    def space(self) -> Discrete | MultiDiscrete:
        """A new action space of one node."""
        return Discrete(math.prod(self.sizes)) if self.flat else MultiDiscrete(list(self.sizes))

    def encode(self, points: NDArray[np.int16], nb_trans: NDArray[np.int8] | None = None) -> NDArray[np.int64]:
        """The actions that choose operating points: from `[..., 4]` to `[..., F]`, or to flat indices `[...]`.

        Args:
            points: Operating points. `[..., 4]`
            nb_trans: What is chosen with them, where actions choose it; None: 1. `[...]`
        """
        choices = points[..., self._columns].astype(np.int64)
        if self.nb_trans is not None:
            repeats = np.zeros(choices.shape[:-1], np.int64) if nb_trans is None else nb_trans - np.int64(1)
            choices = np.concatenate([choices, repeats[..., None]], axis=-1)
        if not self.flat:
            return choices
        return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(choices, -1, 0)), self.sizes), np.int64)

    def write(self, actions: ArrayLike, points: NDArray[np.int16], nb_trans: NDArray[np.int8] | None = None) -> None:
        """Write the chosen factors into operating points, in place, and the chosen NbTrans.

        Args:
            actions: Integers `[..., F]`, or flat indices `[...]`.
            points: Operating points, indices into the region's lists. `[..., 4]`
            nb_trans: Written where actions choose it. `[...]`

        Raises:
            ValueError: actions of another type or shape, or outside the action space.
        """
        array = np.asarray(actions)
        shape = points.shape[:-1] if self.flat else (*points.shape[:-1], len(self.sizes))
        if array.dtype.kind not in "iu" or array.shape != shape:
            raise ValueError(f"actions: {array.dtype} {array.shape}; expected are integers {shape}")
        limits = np.array(len(self._choices) if self.flat else self.sizes)
        outside = (array < 0) | (array >= limits)
        if outside.any():
            place = tuple(np.argwhere(outside)[0].tolist())
            limit = int(np.broadcast_to(limits, array.shape)[place])
            raise ValueError(f"actions: {array[place]} at {list(place)} is outside 0 to {limit - 1}")
        choices = self._choices[array] if self.flat else array
        for i, column in enumerate(self._columns):
            points[..., column] = choices[..., i]
        if self.nb_trans is not None and nb_trans is not None:
            nb_trans[...] = choices[..., -1] + 1

    def masks(self, scenario: Scenario, min_margin_db: float | None) -> NDArray[np.bool_]:
        """Mask of the actions that leave the mean received power at the best gateway a margin above the sensitivity.

        The best action is always allowed. Under `multidiscrete` a value is allowed if it leaves the margin together
        with the best values of the other chosen factors.

        Args:
            scenario: The network as it is now.
            min_margin_db: The margin; None: all actions are allowed. dB

        Returns:
            `[N, K]`, or `[B, N, K]` where positions differ per replica.
        """
        if min_margin_db is None:
            return np.ones((scenario.nodes, self.mask_size), np.bool_)
        point_margins_db = np.repeat(self._point_margins_db(scenario).ravel(), self.nb_trans or 1)
        margins_db = scenario.mean_gain_db().max(axis=-1)[..., None] + point_margins_db
        return self.mask_of(margins_db >= np.minimum(min_margin_db, margins_db.max(axis=-1, keepdims=True)))

    def mask_of(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The mask of allowed actions, in the action format.

        Args:
            allowed: Which flat actions are allowed. `[..., A]`

        Returns:
            The same, or under `multidiscrete` the values that are part of an allowed action. `[..., K]`
        """
        if self.flat:
            return allowed
        grid, axes = allowed.reshape(*allowed.shape[:-1], *self.sizes), range(-len(self.sizes), 0)
        return np.concatenate([grid.any(axis=tuple(other for other in axes if other != axis)) for axis in axes], -1)

    def _point_margins_db(self, scenario: Scenario) -> NDArray[np.float64]:
        """Transmitted power minus sensitivity and the channel's loss, by chosen factor `[size, ...]`. dB

        The loss is the mean of all channels where nodes hop.
        """
        region = scenario.region
        sensitivity_dbm = scenario.reception.sensitivities_dbm(
            np.array(region.spreading_factors), np.array(region.bandwidths_hz)
        )
        channel_loss_db = np.zeros(len(region.channels_hz))
        if scenario.channel_loss_db is not None:
            channel_loss_db = np.asarray(scenario.channel_loss_db, np.float64)
        if self.fixed_point[CHANNEL] == HOP:
            channel_loss_db = channel_loss_db.mean(keepdims=True)
        margin_db = np.array(region.tp_dbm) - channel_loss_db[:, None] - sensitivity_dbm[:, :, None, None]
        chosen = tuple(
            slice(None) if column in self._columns else self.fixed_point[column] for column in range(len(FACTORS))
        )
        return margin_db[chosen]


def sizes_of(space: Discrete | MultiDiscrete) -> NDArray[np.int64]:
    """Number of values of each number of an action. `[F]`, or `[1]` for flat actions

    Raises:
        ValueError: actions that are no indices, as those of `coexistence_v0` with `operating_points="per_packet"`.
    """
    if not isinstance(space, (Discrete, MultiDiscrete)):
        needed = "rows of arrays need indices (operating_points='per_interval')"
        raise ValueError(f"operating_points: actions are {space}; {needed}")
    return np.atleast_1d(space.n if isinstance(space, Discrete) else space.nvec).astype(np.int64)
