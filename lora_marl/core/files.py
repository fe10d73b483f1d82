"""Files that are complete or absent, whenever the process or the machine stops; errors of files on one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST_MESSAGE = 200
"""Of an error of a library about a file, in letters: it may quote what the file holds."""


def write_atomically(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Write a file, or leave what was there before.

    The content goes to `<name>.partial` in the same folder, is flushed to the disk and then takes the file's name.

    Args:
        path: The file; its folder exists.
        content: Text (UTF-8, line ends as they are), bytes, or a function that writes the file whose path it is given.
            That path has another suffix: libraries that choose a format by suffix need it stated.
    """
    partial = path.with_name(f"{path.name}.partial")
    with errors_named(path):
        try:
            if callable(content):
                content(partial)
            else:
                partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Gives errors of the system that name no file, such as those of a full disk, the name of one."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def one_line(error: BaseException) -> str:
    """What an error says, on one line of at most 200 letters, and without control characters."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} ..."


def require_regular(path: Path) -> None:
    """Refuse devices and pipes, which may have no end; a folder or a missing file is the reader's own error.

    Raises:
        OSError: the path is of something else than a file or a folder.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
