"""Simulators of published code, restated to replay its numbers; the package's own air is `lora_marl.core.air`."""
