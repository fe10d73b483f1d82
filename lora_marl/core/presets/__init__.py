"""Ready networks as plain constructors: those of the papers under default physics, coexisting ones, a single node."""

from lora_marl.core.presets.dlora import conference_network, journal_network
from lora_marl.core.presets.mmalora import mmalora_network
from lora_marl.core.presets.norel import norel_dynamic, norel_network

__all__ = ["conference_network", "journal_network", "mmalora_network", "norel_dynamic", "norel_network"]
