"""Files that are complete or absent, whenever the process or the machine stops."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Write a file, or leave what was there before.

    The content goes to `<name>.partial` in the same folder, is flushed to the disk and then takes the file's name.

    Args:
        path: The file; its folder exists.
        content: Text (UTF-8, line ends as they are), bytes, or a function that writes the file whose path it is given.
            That path has another suffix: libraries that choose a format by suffix need it stated.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        if callable(content):
            content(partial)
        else:
            partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
