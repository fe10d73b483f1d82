"""Former place of `lora_marl.envs.energy.reward`, kept until 0.2.0."""

from __future__ import annotations

import warnings

from lora_marl.envs.energy.reward import REWARDS, TERMS, gain, harm, own, reward_of, system

__all__ = ["REWARDS", "TERMS", "gain", "harm", "own", "reward_of", "system"]

warnings.warn(
    f"{__name__} is now lora_marl.envs.energy.reward; the old name goes with 0.2.0", DeprecationWarning, stacklevel=2
)
