from __future__ import annotations

import pytest

pytest.importorskip("benchmarl", reason="needs benchmarl in an environment of its own")

from benchmarl.algorithms import IqlConfig, MappoConfig, QmixConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig

import lora_marl
from lora_marl.adapters.benchmarl import ReplicaTask
from tests.envs.small import SETTINGS

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", sorted(lora_marl.ENVS))
@pytest.mark.parametrize("algorithm", [MappoConfig, IqlConfig, QmixConfig])
def test_its_algorithms_run_on_the_task(name: str, algorithm: type, tmp_path) -> None:
    config = ExperimentConfig.get_from_yaml()
    config.loggers, config.create_json, config.save_folder, config.render = [], False, str(tmp_path), False
    config.max_n_iters, config.max_n_frames, config.prefer_continuous_actions = 2, None, False
    config.evaluation, config.evaluation_interval, config.evaluation_episodes = True, 20, 2
    config.on_policy_collected_frames_per_batch = config.off_policy_collected_frames_per_batch = 20
    config.on_policy_n_envs_per_worker = config.off_policy_n_envs_per_worker = 2
    config.on_policy_minibatch_size, config.on_policy_n_minibatch_iters = 10, 1
    config.off_policy_train_batch_size, config.off_policy_n_optimizer_steps, config.off_policy_memory_size = 8, 1, 100
    task = ReplicaTask(name, {**SETTINGS[name], "max_cycles": 5})
    experiment = Experiment(task, algorithm.get_from_yaml(), MlpConfig.get_from_yaml(), 0, config)
    experiment.run()
    assert experiment.total_frames == 40
    assert experiment.mean_return == experiment.mean_return  # not nan
