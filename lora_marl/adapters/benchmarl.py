"""BenchMARL: an environment as a task, through the batched environment of `lora_marl.adapters.torchrl`.

    from benchmarl.algorithms import MappoConfig
    from benchmarl.experiment import Experiment, ExperimentConfig
    from benchmarl.models.mlp import MlpConfig

    from lora_marl.adapters.benchmarl import ReplicaTask

    config = ExperimentConfig.get_from_yaml()
    config.max_n_frames, config.loggers, config.evaluation, config.create_json = 400, ["csv"], False, False
    config.on_policy_collected_frames_per_batch, config.on_policy_minibatch_size = 200, 100
    config.on_policy_n_minibatch_iters, config.prefer_continuous_actions = 5, False
    task = ReplicaTask("uplink_v0", {"max_cycles": 100})
    Experiment(task, MappoConfig.get_from_yaml(), MlpConfig.get_from_yaml(), seed=0, config=config).run()

Actions are discrete, with masks. BenchMARL 1.5 needs an older TorchRL than the extra `torchrl` installs, so install it
in a virtual environment of its own (`make recipe-benchmarl`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarl.environments.common import TaskClass
from torchrl.data import Composite

from lora_marl.adapters.torchrl import ReplicaEnv


class ReplicaTask(TaskClass):
    """An environment of `lora_marl.ENVS` as a BenchMARL task.

    Args:
        name: The environment's name.
        config: Its settings.
    """

    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        super().__init__(name, {"action_format": "discrete", **(config or {})})

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], ReplicaEnv]:
        """A function that makes the environment with `num_envs` replicas."""

        def make() -> ReplicaEnv:
            env = ReplicaEnv(self.name, num_envs, **self.config)
            env.set_seed(seed)
            return env.to(device)

        return make

    def supports_continuous_actions(self) -> bool:
        """Return False: actions are indices."""
        return False

    def supports_discrete_actions(self) -> bool:
        """Return True: all actions are discrete."""
        return True

    def max_steps(self, env: Any) -> int:
        """Steps of an episode."""
        return int(env.env.max_cycles)

    def has_render(self, env: Any) -> bool:
        """Return False: BenchMARL gets no pictures."""
        return False

    def group_map(self, env: Any) -> dict[str, list[str]]:
        """All agents, in one group."""
        return {env.group: env.env.possible_agents}

    def observation_spec(self, env: Any) -> Composite:
        """Specs of one replica's `(group, "observation")`."""
        return self._group_spec(env, "observation")

    def action_mask_spec(self, env: Any) -> Composite:
        """Specs of one replica's `(group, "action_mask")`."""
        return self._group_spec(env, "action_mask")

    def state_spec(self, env: Any) -> Composite:
        """Specs of one replica's `state`."""
        return Composite({"state": env.full_observation_spec_unbatched["state"].clone()})

    def action_spec(self, env: Any) -> Composite:
        """Specs of one replica's `(group, "action")`."""
        return env.full_action_spec_unbatched

    def info_spec(self, env: Any) -> None:
        """Return None: steps carry no infos."""

    @staticmethod
    def env_name() -> str:
        """The name that all tasks of this package share."""
        return "lora_marl"

    @staticmethod
    def _group_spec(env: Any, key: str) -> Composite:
        """The group's observation spec with this key alone."""
        group = env.full_observation_spec_unbatched[env.group].clone()
        for other in [other for other in group.keys() if other != key]:  # noqa: SIM118 (a spec is no mapping)
            del group[other]
        return Composite({env.group: group})
