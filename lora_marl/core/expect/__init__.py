"""The closed-form air: delivery in expectation, without playing packets. So far: one gateway, shadowing, capture."""

from lora_marl.core.expect.one_gateway import Expectation, OneGateway

__all__ = ["Expectation", "OneGateway"]
