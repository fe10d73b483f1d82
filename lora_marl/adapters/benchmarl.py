"""BenchMARL: an environment as a task, on the batched environment of `lora_marl.adapters.torchrl`.

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

BenchMARL 1.5 takes discrete actions only, with their masks, and needs an older TorchRL than the extra `torchrl` has:
give it an environment of its own (`make recipe-benchmarl`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarl.environments.common import TaskClass
from torchrl.data import Composite

from lora_marl.adapters.torchrl import ReplicaEnv


class ReplicaTask(TaskClass):
    """An environment of `lora_marl.ENVS`.

    Args:
        name: Of the environment.
        config: Its settings.
    """

    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        super().__init__(name, {"action_format": "discrete", **(config or {})})

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], ReplicaEnv]:
        """Makes `num_envs` replicas."""

        def make() -> ReplicaEnv:
            env = ReplicaEnv(self.name, num_envs, **self.config)
            env.set_seed(seed)
            return env.to(device)

        return make

    def supports_continuous_actions(self) -> bool:
        """No."""
        return False

    def supports_discrete_actions(self) -> bool:
        """Yes."""
        return True

    def max_steps(self, env: Any) -> int:
        """Of an episode."""
        return int(env.env.max_cycles)

    def has_render(self, env: Any) -> bool:
        """BenchMARL's pictures are not drawn."""
        return False

    def group_map(self, env: Any) -> dict[str, list[str]]:
        """The agents, one group."""
        return {env.group: env.env.possible_agents}

    def observation_spec(self, env: Any) -> Composite:
        """Of one replica: `(group, "observation")`."""
        return self._of(env, "observation")

    def action_mask_spec(self, env: Any) -> Composite:
        """Of one replica: `(group, "action_mask")`."""
        return self._of(env, "action_mask")

    def state_spec(self, env: Any) -> Composite:
        """Of one replica: `state`."""
        return Composite({"state": env.full_observation_spec_unbatched["state"].clone()})

    def action_spec(self, env: Any) -> Composite:
        """Of one replica: `(group, "action")`."""
        return env.full_action_spec_unbatched

    def info_spec(self, env: Any) -> None:
        """There is none."""

    @staticmethod
    def env_name() -> str:
        """Of all tasks of this package."""
        return "lora_marl"

    @staticmethod
    def _of(env: Any, key: str) -> Composite:
        group = env.full_observation_spec_unbatched[env.group].clone()
        for other in [other for other in group.keys() if other != key]:  # noqa: SIM118 (a spec is no mapping)
            del group[other]
        return Composite({env.group: group})
