"""The game of `lora_marl.envs.energy_v0`: nodes choose spreading factor and power for energy efficiency."""
