"""Validated configuration of runs: the one place where what a user writes becomes records of the core."""

from lora_marl.config.coexistence import CoexistenceConfig
from lora_marl.config.energy import EnergyConfig
from lora_marl.config.errors import ConfigError
from lora_marl.config.load import dump, load, parse
from lora_marl.config.scenario import ScenarioConfig
from lora_marl.config.train import SCHEMA_VERSION, EnvironmentConfig, LearnerConfig, TrainConfig

__all__ = [
    "SCHEMA_VERSION",
    "CoexistenceConfig",
    "ConfigError",
    "EnergyConfig",
    "EnvironmentConfig",
    "LearnerConfig",
    "ScenarioConfig",
    "TrainConfig",
    "dump",
    "load",
    "parse",
]
