"""TorchRL: the replicas of an environment as one batched environment, stepped as arrays.

    from lora_marl.adapters.torchrl import ReplicaEnv

    env = ReplicaEnv("uplink_v0", replicas=8, action_format="discrete", max_cycles=100)
    steps = env.rollout(100)  # [B, T]; steps["node", "observation"] is [B, T, N, D]

All agents are one group, called `node`, `server` or `group`: `(group, "observation")` `[B, N, D]`,
`(group, "action")` `[B, N]` or `[B, N, F]`, `(group, "action_mask")` `[B, N, K]`, `(group, "reward")` `[B, N, 1]`; for
all agents together `state` `[B, N D]`, `done`, `terminated`, `truncated` `[B, 1]`. All replicas end together, by
truncation.

Shape letters: `B` replicas, `N` agents, `F` factors of an action, `D` features, `K` entries of a mask, `T` steps.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium.spaces import Discrete
from tensordict import TensorDict, TensorDictBase
from torchrl.data import Binary, Bounded, Categorical, Composite, MultiCategorical, Unbounded
from torchrl.envs import EnvBase

import lora_marl
from lora_marl.envs.codec import sizes_of
from lora_marl.envs.game import Seeds, seeds_of


class ReplicaEnv(EnvBase):
    """An environment of `lora_marl.ENVS` as a batch of replicas.

    Args:
        name: The environment's name.
        replicas: B.
        **settings: The environment's settings; discrete actions have masks for `torchrl.modules.MaskedCategorical`.

    Attributes:
        group: Name of the group of all agents.
        env: The environment itself.
    """

    def __init__(self, name: str, replicas: int = 1, **settings: Any) -> None:
        super().__init__(batch_size=torch.Size([replicas]))
        if settings.get("remove_dead"):
            raise ValueError("remove_dead: True; arrays keep all agents")
        self.env = lora_marl.make(name, replicas=replicas, **{"info_level": "none", **settings})
        self.group = self.env.possible_agents[0].rpartition("_")[0]
        self._seeds: list[int] | None = None
        self._make_specs()

    def _make_specs(self) -> None:
        (replicas,), agents = self.batch_size, len(self.env.possible_agents)
        box, space = self.env.single_observation_space, self.env.single_action_space
        low, high = torch.as_tensor(box.low), torch.as_tensor(box.high)
        shape, lead, sizes = (replicas, agents), self.batch_size, sizes_of(space)
        observation = Bounded(low.expand(*shape, -1), high.expand(*shape, -1), (*shape, len(low)), dtype=torch.float32)
        mask = Binary(self.env.game.masks().shape[-1], (*shape, self.env.game.masks().shape[-1]), dtype=torch.bool)
        action = (
            Categorical(int(sizes[0]), shape)
            if isinstance(space, Discrete)
            else MultiCategorical(sizes.tolist(), (*shape, len(sizes)))
        )
        state = Bounded(low.repeat(agents).expand(replicas, -1), high.repeat(agents).expand(replicas, -1))

        def group_specs(**specs: Any) -> Composite:
            return Composite({self.group: Composite(specs, shape=shape)}, shape=lead)

        self.observation_spec = group_specs(observation=observation, action_mask=mask)
        self.observation_spec["state"] = state
        self.action_spec = group_specs(action=action)
        self.reward_spec = group_specs(reward=Unbounded((*shape, 1)))
        ends = {name: Categorical(2, (replicas, 1), dtype=torch.bool) for name in ("done", "terminated", "truncated")}
        self.done_spec = Composite(ends, shape=lead)

    def _reset(self, tensordict: TensorDictBase | None = None, **_: Any) -> TensorDict:
        if tensordict is not None and not tensordict.get("_reset", torch.ones(())).all():
            raise ValueError("_reset: leaves out replicas; all end and begin together")
        observations = self.env.reset_array(self._seeds)
        self._seeds = None
        return self._data(observations, truncated=False)

    def _step(self, tensordict: TensorDictBase) -> TensorDict:
        actions = tensordict.get((self.group, "action")).cpu().numpy()
        observations, rewards, _, truncations, _ = self.env.step_array(actions)
        result = self._data(observations, truncated=bool(truncations.all()))
        result.set((self.group, "reward"), torch.from_numpy(rewards).float()[..., None])
        return result

    def _set_seed(self, seed: Seeds | None) -> None:
        """Set the seeds of the next reset (`seeds_of` in `lora_marl.envs.game`)."""
        self._seeds = None if seed is None else seeds_of(seed, self.batch_size[0])

    def _data(self, observations: Any, *, truncated: bool) -> TensorDict:
        """Observations, masks, state and ends of all replicas."""
        shape = observations.shape[:2]
        state = torch.from_numpy(observations.reshape(shape[0], -1).copy())
        group = {"observation": torch.from_numpy(observations), "action_mask": torch.from_numpy(self.env.mask_array())}
        ended = torch.full((*self.batch_size, 1), truncated)
        ends = {"done": ended, "terminated": torch.zeros_like(ended), "truncated": ended.clone()}
        values = {self.group: TensorDict(group, shape), "state": state, **ends}
        return TensorDict(values, self.batch_size)
