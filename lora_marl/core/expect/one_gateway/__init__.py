"""Delivery in expectation at one gateway: log-normal shadowing, capture and every reception rule but energies.

`OneGateway` evaluates whole allocations; `OneGatewayIncremental` keeps one up to date while single nodes move.
`closed_form` is written in NumPy and is also the reference of the compiled `incremental`.
"""

from lora_marl.core.expect.one_gateway.closed_form import OneGateway
from lora_marl.core.expect.one_gateway.incremental import OneGatewayIncremental

__all__ = ["OneGateway", "OneGatewayIncremental"]
