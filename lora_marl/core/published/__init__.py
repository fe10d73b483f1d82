"""Code of one paper each, restated to replay published numbers; the package's own air is `lora_marl.core.air`."""
