"""Closed forms of the air: delivery in expectation, without simulating packets.

| class | gateways | channel model | interference | kept up to date by |
|---|---|---|---|---|
| `OneGateway` | one | log-normal shadowing | capture and every reception rule but energies | `OneGatewayIncremental` |
| `LogNormal` | any | log-normal shadowing | pairs of packets: NoReL's model and an exact one | `LogNormalIncremental` |
| `Rayleigh` | any | Rayleigh fading | pairs of packets: MMALoRa's model and an exact one | `RayleighIncremental` |

All answer with an `Expectation`.
"""

from lora_marl.core.expect.expectation import Expectation
from lora_marl.core.expect.lognormal import LogNormal, LogNormalIncremental
from lora_marl.core.expect.one_gateway import OneGateway, OneGatewayIncremental
from lora_marl.core.expect.physics import Rate
from lora_marl.core.expect.rayleigh import Rayleigh, RayleighIncremental

__all__ = [
    "Expectation",
    "LogNormal",
    "LogNormalIncremental",
    "OneGateway",
    "OneGatewayIncremental",
    "Rate",
    "Rayleigh",
    "RayleighIncremental",
]
