"""Validated configuration of runs: the one place where what a user writes becomes records of the core."""

from lora_marl.config.coexistence import CoexistenceConfig
from lora_marl.config.energy import EnergyConfig
from lora_marl.config.errors import ConfigError
from lora_marl.config.load import dump, load, parse
from lora_marl.config.run import (
    SCHEMA_VERSION,
    CoexistenceRun,
    EnergyRun,
    EnvironmentConfig,
    LearnerConfig,
    PacketRun,
    TrainConfig,
)
from lora_marl.config.scenario import ScenarioConfig

__all__ = [
    "SCHEMA_VERSION",
    "CoexistenceConfig",
    "CoexistenceRun",
    "ConfigError",
    "EnergyConfig",
    "EnergyRun",
    "EnvironmentConfig",
    "LearnerConfig",
    "PacketRun",
    "ScenarioConfig",
    "TrainConfig",
    "dump",
    "load",
    "parse",
]
