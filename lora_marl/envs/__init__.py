"""Environments: they translate decisions for the air of `lora_marl.core`, and its outcomes to observations and rewards.

The page of each environment is its module `*_v0`; the folder of the same name has its game, observation and reward.
"""
