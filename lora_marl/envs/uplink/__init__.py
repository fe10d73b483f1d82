"""The game of `lora_marl.envs.uplink_v0`: nodes choose the parameters of their packets."""
