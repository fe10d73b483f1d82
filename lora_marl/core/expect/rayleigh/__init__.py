"""MMALoRa's closed form: Rayleigh fading, pairwise interference, any number of gateways.

`Rayleigh` evaluates allocations (`plain` states the formulas, `kernel` has them compiled) and what nodes would have
without each of them (`counterfactual`); `Incremental` keeps one up to date while nodes change
(`moves`, `swaps`).
"""

from lora_marl.core.expect.rayleigh.closed_form import Rayleigh, Variant
from lora_marl.core.expect.rayleigh.incremental import Incremental, Swap, Totals, Trial
from lora_marl.core.expect.rayleigh.kernel import Counterfactuals

__all__ = ["Counterfactuals", "Incremental", "Rayleigh", "Swap", "Totals", "Trial", "Variant"]
