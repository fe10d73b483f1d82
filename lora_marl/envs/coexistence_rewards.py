"""Former place of `lora_marl.envs.coexistence.reward`, kept until 0.2.0."""

from __future__ import annotations

import warnings

from lora_marl.envs.coexistence.reward import TERMS, Interval, delay, delivery, energy

__all__ = ["TERMS", "Interval", "delay", "delivery", "energy"]

warnings.warn(
    f"{__name__} is now lora_marl.envs.coexistence.reward; the old name goes with 0.2.0",
    DeprecationWarning,
    stacklevel=2,
)
