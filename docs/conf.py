"""Settings of Sphinx for `make docs`, which needs no network and takes a warning for an error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from pages import to_generated, unbroken, write_all  # noqa: E402

import lora_marl  # noqa: E402

project = "lora_marl"
author = "The lora_marl authors"
project_copyright = f"2026 {author}"
version = release = lora_marl.__version__
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"lora_marl {version}"
html_copy_source = False


def setup(app: Any) -> None:
    """Lead links to pages that are made here, and keep a number with its interval in one line of a table's cell."""
    app.connect("source-read", lambda app, name, source: source.__setitem__(0, unbroken(to_generated(source[0]))))


write_all(HERE / "generated")
