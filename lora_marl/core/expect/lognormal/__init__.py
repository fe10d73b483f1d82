"""lora_marl.core.expect.lognormal.closed_form"""
