"""Errors of files of tensors (safetensors with JSON in their metadata) that are damaged, hostile or something else."""

from __future__ import annotations

from safetensors import SafetensorError

FILE_ERRORS = (
    OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError,
    RecursionError, RuntimeError, MemoryError,
)  # fmt: skip
"""What safetensors, JSON and torch raise for a file that is none of ours, or whose parts do not fit together."""
