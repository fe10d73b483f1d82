"""NoReL's authors' simulator, restated to replay published numbers; the package's own air is `lora_marl.core.air`."""
