"""lora_marl.envs.coexistence"""
