"""The closed-form air: delivery in expectation, without playing packets.

`OneGateway`: one gateway, shadowing, capture and every reception rule but energies; `Incremental` keeps it up to date.
`LogNormal`: any gateways, capture and pairwise interference: NoReL's model and an exact one; `LogNormalIncremental`
keeps the pairwise one up to date.
`Rayleigh`: any gateways, fading and pairwise interference: MMALoRa's model and an exact one.
"""

from lora_marl.core.expect.lognormal.closed_form import LogNormal
from lora_marl.core.expect.one_gateway.closed_form import Expectation, OneGateway
from lora_marl.core.expect.rayleigh import Rayleigh

__all__ = ["Expectation", "LogNormal", "OneGateway", "Rayleigh"]
