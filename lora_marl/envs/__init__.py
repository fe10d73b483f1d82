"""Environments: decisions in, observations and rewards out. The air is `lora_marl.core`; here it is only translated."""
