"""The game of `lora_marl.envs.coexistence_v0`: servers of networks that share the air choose for groups of nodes."""
