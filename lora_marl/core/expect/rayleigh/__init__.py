"""MMALoRa's closed form: Rayleigh fading, pairwise interference, any number of gateways.

`Rayleigh` evaluates an allocation. `plain` states the formulas, `kernel` has them compiled.
"""

from lora_marl.core.expect.rayleigh.closed_form import Rayleigh, Variant

__all__ = ["Rayleigh", "Variant"]
