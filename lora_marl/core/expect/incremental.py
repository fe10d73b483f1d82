"""Former place of the incremental closed form of one gateway, kept until 0.2.0."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lora_marl.core.checks import warn_renamed

_EXPECTATION = "lora_marl.core.expect.expectation"
_NEW = {
    "Incremental": ("lora_marl.core.expect", "OneGatewayIncremental"),
    **{name: (_EXPECTATION, name) for name in ("BITS", "DELIVERED", "ENERGY", "PACKETS")},
}
"""Module and name of each former name today."""


def __getattr__(name: str) -> Any:
    """Return what a former name of this module stands for, with a DeprecationWarning."""
    if name not in _NEW:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, new = _NEW[name]
    warn_renamed(f"{__name__}.{name}", f"{module}.{new}")
    return getattr(import_module(module), new)
