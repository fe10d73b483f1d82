"""The learner: it acts, remembers, and updates critics and actors of all groups.

Shape letters are those of `agents.maac.groups`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from agents.maac import state, training
from agents.maac.groups import Hyperparameters, Seed, groups_of
from agents.maac.replay import Replay
from agents.maac.training import Training
from agents.tensor_files import FILE_ERRORS
from agents.torch_utils import sample_actions
from lora_marl.core.checks import check_choice

DTYPES = ("float32", "float64")


class MAAC:
    """Attention critics and actors of all groups; the package's page has the method.

    Args:
        observation_size: Number of features D of an agent.
        actions: Number of arms K.
        group_mask: Seats that are taken; the others are padding. `[G, A]`
        action_mask: Arms that may be chosen; None: all. `[G, A, K]`
        seeds: One per group, from which alone its random numbers follow; a seed may have parts (run, channel).
        device: `auto`: a GPU where torch finds one, else the CPU; or a device of torch.
        dtype: `float32` or `float64`.
        **hyperparameters: Fields of `Hyperparameters`.

    Attributes:
        hyper, groups: Hyperparameters and groups that it was made with.
        training: Networks and their updates.
        replay: Buffers.
        acts: Number of calls of `act` that drew.

    Raises:
        ValueError: an argument or hyperparameter outside its range, naming it.
    """

    def __init__(
        self,
        observation_size: int,
        actions: int,
        group_mask: ArrayLike,
        *,
        action_mask: ArrayLike | None = None,
        seeds: Sequence[Seed],
        device: str = "auto",
        dtype: str = "float32",
        **hyperparameters: Any,
    ) -> None:
        check_choice("dtype", dtype, DTYPES)
        self.hyper = hyper = Hyperparameters(**hyperparameters)
        self.groups = groups = groups_of(observation_size, actions, group_mask, action_mask, seeds)
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.training = Training(groups, hyper, self.device, self.dtype)
        shape = (groups.mask.shape[0], groups.mask.shape[1])
        self.replay = Replay(shape, observation_size, hyper.capacity, hyper.mu > 0.0, self.dtype, self.device)
        self.acts = 0

    @classmethod
    def read(cls, path: Path, device: str = "auto") -> MAAC:
        """The learner in a file that `state.write` wrote; it continues exactly from there.

        Raises:
            ValueError: no such file, one that is truncated or damaged, or not of this kind, naming it.
        """
        arguments, arrays = state.read(path)
        try:
            learner = cls(**arguments, device=device)
            learner.load_state_dict(arrays)
        except FILE_ERRORS as error:
            raise state.damaged(path, error) from None
        return learner

    def act(self, observations: ArrayLike, explore: bool = True) -> NDArray[np.int64]:
        """Actions drawn from the policies, or without `explore` the likeliest ones `[..., G, A]`; 0 at padded seats.

        Args:
            observations: Observations of the agents. `[..., G, A, D]`
            explore: Whether to draw.
        """
        checked = self._array("observations", observations, (self.groups.observation_size,))
        actor, allowed = self.training.actor.eval(), self.training.allowed
        with torch.no_grad():
            probabilities = training.log_policy(actor(self._tensor(checked).movedim(0, 2).contiguous()), allowed).exp()
            if explore:
                actions = sample_actions(probabilities, self.training.uniform("action", self.acts, checked.shape[0]))
                self.acts += 1
            else:
                actions = probabilities.argmax(-1)
            actions = (actions * self.training.taken[..., None].long()).movedim(2, 0)
        return actions.cpu().numpy().reshape(np.shape(observations)[:-1])

    def greedy(self, observations: ArrayLike) -> NDArray[np.int64]:
        """The likeliest actions `[..., G, A]` for observations `[..., G, A, D]`."""
        return self.act(observations, explore=False)

    def observe(
        self,
        observations: ArrayLike,
        actions: ArrayLike,
        rewards: ArrayLike,
        next_observations: ArrayLike | None = None,
        done: ArrayLike = False,
    ) -> None:
        """Remembers a step of every replica.

        Args:
            observations: Observations before the step. `[..., G, A, D]`
            actions: Actions of the agents. `[..., G, A]`
            rewards: Rewards of the step. `[..., G, A]`
            next_observations: Observations after the step; not needed where mu = 0. `[..., G, A, D]`
            done: Whether an episode ended in a state without future (not by truncation). `[...]`

        Raises:
            ValueError: an array of another shape, an arm that may not be chosen, a reward that is not finite, or no
                next observations where mu > 0.
        """
        played = self._array("actions", actions, ()).astype(np.int64)
        self._check_actions(played)
        arrays = {
            "observation": self._array("observations", observations, (self.groups.observation_size,)),
            "action": played,
            "reward": self._array("rewards", rewards, ()),
        }
        if self.replay.keeps_next:
            if next_observations is None:
                raise ValueError(f"next_observations = None: needed with mu = {self.hyper.mu}")
            following = self._array("next_observations", next_observations, (self.groups.observation_size,))
            going_on = 1.0 - np.broadcast_to(np.ravel(done), len(played))
            by_group = np.broadcast_to(going_on[:, None, None], (*played.shape[:2], 1))
            arrays |= {"next_observation": following, "going_on": by_group}
        self.replay.add({name: torch.from_numpy(np.array(array)).movedim(0, 1) for name, array in arrays.items()})

    def update(self) -> dict[str, NDArray[np.floating]]:
        """Updates critics, actors and targets once the buffer holds a batch; else does nothing.

        Returns:
            Of the last update: `critic_loss`, `actor_loss` (sum over agents) and `entropy` of the policies `[G]`, and
            `attention_entropy` `[G, H]`, nats; empty before the first one.
        """
        report: dict[str, Tensor] = {}
        if self.replay.filled >= self.hyper.batch:
            for _ in range(self.hyper.updates_per_step):
                rows = self.groups.rows(self.training.updates, self.hyper.batch, self.replay.filled)
                report = self.training.update(self.replay.sample(rows))
        return {name: value.detach().cpu().numpy() for name, value in report.items()}

    def state_dict(self) -> dict[str, NDArray]:
        """A copy of everything that changes while learning, with the buffer; loading it resumes exactly."""
        return state.collect(self)

    def load_state_dict(self, arrays: Mapping[str, NDArray]) -> None:
        """Takes over a state of `state_dict`.

        Raises:
            ValueError: an array is missing, unknown, or of another shape or type than this learner's.
        """
        state.restore(self, arrays)

    def _tensor(self, array: NDArray) -> Tensor:
        return torch.from_numpy(array).to(self.device, self.dtype)

    def _array(self, name: str, values: ArrayLike, last: tuple[int, ...]) -> NDArray:
        """Checked values as `[E, G, A, *last]`: finite, and 0 at padded seats."""
        array, expected = np.asarray(values), (*self.groups.mask.shape, *last)
        if array.shape[array.ndim - len(expected) :] != expected:
            raise ValueError(f"{name} has shape {list(array.shape)}; expected [..., {', '.join(map(str, expected))}]")
        taken = self.groups.mask.reshape(*self.groups.mask.shape, *[1] * len(last))
        array = np.where(taken, array, np.zeros((), array.dtype)).reshape(-1, *expected)
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: must be finite")
        return array

    def _check_actions(self, played: NDArray[np.int64]) -> None:
        inside = (played >= 0) & (played < self.groups.actions)
        arms = np.where(inside, played, 0)[..., None]
        allowed = np.take_along_axis(self.groups.allowed[None], arms, axis=-1)[..., 0]
        wrong = np.argwhere(~(inside & allowed) & self.groups.mask)
        if len(wrong):
            _, group, agent = wrong[0]
            raise ValueError(f"actions: {played[tuple(wrong[0])]} of agent {agent} in group {group} may not be chosen")
