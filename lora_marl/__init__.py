"""LoRaWAN parameter allocation as multi-agent reinforcement learning."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

import pettingzoo

__version__ = "0.1.0"
__all__ = ["ENVS", "__version__", "make"]

ENVS = {"energy_v0": "lora_marl.envs.energy_v0", "uplink_v0": "lora_marl.envs.uplink_v0"}
"""Names of the environments and the modules that hold them."""


def make(name: str, **kwargs: Any) -> Any:
    """The parallel environment of a name in `ENVS`; `kwargs` go to its `parallel_env`.

    Raises:
        ValueError: an unknown name, with the nearest known one.
    """
    if name not in ENVS:
        near = difflib.get_close_matches(name, ENVS, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"name: {name!r} is no environment of {sorted(ENVS)}{hint}")
    return importlib.import_module(ENVS[name]).parallel_env(**kwargs)


# PettingZoo's registries came with version 1.27.
if hasattr(pettingzoo, "register"):
    for _name, _module in ENVS.items():
        pettingzoo.register("parallel", f"lora/{_name}", f"{_module}:parallel_env")
        pettingzoo.register("aec", f"lora/{_name}", f"{_module}:env")
