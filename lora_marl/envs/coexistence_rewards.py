"""Former place of `lora_marl.envs.coexistence.reward`, until 0.2.0."""

from __future__ import annotations

from lora_marl.core.checks import warn_renamed
from lora_marl.envs.coexistence.reward import TERMS, Interval, delay, delivery, energy

__all__ = ["TERMS", "Interval", "delay", "delivery", "energy"]

warn_renamed(__name__, "lora_marl.envs.coexistence.reward")
