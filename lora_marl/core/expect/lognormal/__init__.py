"""Delivery in expectation under log-normal shadowing with any number of gateways: NoReL's model and an exact one.

`LogNormal` evaluates whole allocations; `LogNormalIncremental` keeps one up to date while single nodes move.
`reference` states the pairwise model in NumPy, `pairwise` and `joint` have the variants compiled.
"""

from lora_marl.core.expect.lognormal.closed_form import LogNormal, Variant
from lora_marl.core.expect.lognormal.incremental import LogNormalIncremental

__all__ = ["LogNormal", "LogNormalIncremental", "Variant"]
