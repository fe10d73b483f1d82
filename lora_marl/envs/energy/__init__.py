"""lora_marl.envs.energy"""
