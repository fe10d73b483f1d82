"""Delivery in expectation under Rayleigh fading with any number of gateways: MMALoRa's model and an exact one.

`Rayleigh` evaluates whole allocations, and what the others of a channel would have without each node
(`Counterfactuals`); `RayleighIncremental` keeps one up to date while single nodes move or swap channels. `reference`
states the model in NumPy, `kernel` has it compiled, and `moves` what `RayleighIncremental` computes.
"""

from typing import Any

from lora_marl.core.checks import warn_renamed
from lora_marl.core.expect.rayleigh.closed_form import Rayleigh, Variant
from lora_marl.core.expect.rayleigh.incremental import RayleighIncremental, Swap, Totals, Trial
from lora_marl.core.expect.rayleigh.kernel import Counterfactuals

__all__ = ["Counterfactuals", "Rayleigh", "RayleighIncremental", "Swap", "Totals", "Trial", "Variant"]


def __getattr__(name: str) -> Any:
    """The old name of `RayleighIncremental`, until 0.2.0."""
    if name == "Incremental":
        warn_renamed(f"{__name__}.Incremental", "RayleighIncremental")
        return RayleighIncremental
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
