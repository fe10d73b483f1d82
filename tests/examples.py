"""Examples of pages and docstrings, run as they stand wherever the libraries are that they need."""

from __future__ import annotations

import re
import sys

import pytest
from gymnasium.error import DependencyNotInstalled

LIBRARIES = (
    "agilerl", "benchmarl", "minari", "moviepy", "ray", "sb3_contrib", "skrl", "stable_baselines3", "supersuit",
    "tensordict", "tianshou", "torch", "torchrl",
)  # fmt: skip
"""Whose absence skips an example; that of anything else fails it."""


def example(code: str, name: str) -> object:
    """A parameter of a test; `external` where a library is named."""
    named = re.search(rf"\b({'|'.join(LIBRARIES)})\b", code)
    return pytest.param(code, id=name, marks=[pytest.mark.external] if named else [])


def run(code: str) -> None:
    try:
        exec(compile(code, "example", "exec"), {"__name__": "example"})
    except (ModuleNotFoundError, DependencyNotInstalled) as error:
        missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        library = str(getattr(missing, "name", None)).partition(".")[0]
        if library not in LIBRARIES:
            raise
        pytest.skip(f"needs {library}")
    finally:
        if "ray" in sys.modules:
            sys.modules["ray"].shutdown()
