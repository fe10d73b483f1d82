"""lora_marl.core.expect.one_gateway.closed_form"""
