"""LoRaWAN parameter allocation as multi-agent reinforcement learning."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium
import pettingzoo

__version__ = "0.1.0"
__all__ = ["ENVS", "__version__", "make"]

ENVS = {
    "coexistence_v0": "lora_marl.envs.coexistence_v0",
    "energy_v0": "lora_marl.envs.energy_v0",
    "uplink_v0": "lora_marl.envs.uplink_v0",
}
"""Names of the environments and the modules that hold them."""


def make(name: str, **kwargs: Any) -> Any:
    """The parallel environment of a name in `ENVS`; `kwargs` go to its `parallel_env`.

    Raises:
        ValueError: an unknown name, with the most similar known one.
    """
    if name not in ENVS:
        from lora_marl.core.checks import suggest

        raise ValueError(f"name: {name!r} is no environment{suggest(name, ENVS)}")
    return importlib.import_module(ENVS[name]).parallel_env(**kwargs)


# PettingZoo's registries came with version 1.27.
if hasattr(pettingzoo, "register"):
    for _name, _module in ENVS.items():
        pettingzoo.register("parallel", f"lora/{_name}", f"{_module}:parallel_env")
        pettingzoo.register("aec", f"lora/{_name}", f"{_module}:env")

# Gymnasium's ids of single deciders: see `lora_marl.views`.
for _name in ENVS:
    _stem, _, _version = _name.rpartition("_")
    for _view in ("agent", "central"):
        gymnasium.register(
            f"lora/{_stem}-{_view}-{_version}",
            entry_point=f"lora_marl.views:{_view}_env",
            vector_entry_point=f"lora_marl.views:{_view}_vector",
            kwargs={"name": _name},
        )
    gymnasium.register(
        f"lora/{_stem}-shared-{_version}",
        entry_point="lora_marl.views:shared_env",
        vector_entry_point="lora_marl.views:shared_vector",
        kwargs={"name": _name},
    )
