"""lora_marl.envs.uplink"""
