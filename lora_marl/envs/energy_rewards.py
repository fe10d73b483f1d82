"""Former place of `lora_marl.envs.energy.reward`, until 0.2.0."""

from __future__ import annotations

from lora_marl.core.checks import warn_renamed
from lora_marl.envs.energy.reward import REWARDS, TERMS, gain, harm, own, reward_of, system

__all__ = ["REWARDS", "TERMS", "gain", "harm", "own", "reward_of", "system"]

warn_renamed(__name__, "lora_marl.envs.energy.reward")
