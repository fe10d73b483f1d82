"""Reading npz files that may be damaged or hostile: whatever is wrong is one error, and nothing is allocated for it.

An npz file is a zip archive of npy files. Each says how large its array is, and so could claim more than any memory, or
unfold from a megabyte to a gigabyte. Here sizes are compared with the file's own before an array is made.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.files import one_line

MOST_COMPRESSION = 100
"""How many times its size on the disk a compressed file may unfold to."""

LEAST_LIMIT_BYTES = 64 * 2**20
"""Files that unfold to no more than this are read whatever their size."""

MOST_HEADER_BYTES = 10_000
"""Of an npy file; NumPy's own limit."""

_ERRORS = (
    OSError, ValueError, EOFError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError,
    NotImplementedError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile, TokenError,
)  # fmt: skip
"""What zipfile and NumPy raise for files that are none of theirs."""


class DamagedFileError(ValueError):
    """A file is no archive of arrays, or a damaged one."""


def read_npz(path: str | Path) -> dict[str, NDArray]:
    """The arrays in an npz file, by name.

    Raises:
        DamagedFileError: the file is missing, truncated, damaged, encrypted, of an unknown compression, or larger
            inside than its size allows; something in it is no array, or one of objects. The message is one line.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_sizes(members, Path(path).stat().st_size)
            arrays = {_name(member): _read_array(archive, member) for member in members}
    except _ERRORS as error:
        raise DamagedFileError(one_line(error)) from None
    return arrays


def _check_sizes(members: list[zipfile.ZipInfo], size: int) -> None:
    """Raise ValueError for members that NumPy did not write, or that are larger than their file allows."""
    if len({member.filename for member in members}) < len(members):
        raise ValueError("two members have one name")
    for member in members:
        if member.flag_bits & 1:
            raise ValueError(f"{member.filename[:60]!r} is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{member.filename[:60]!r} has a compression that NumPy does not write")
    limit = max(LEAST_LIMIT_BYTES, MOST_COMPRESSION * size)
    total = sum(member.file_size for member in members)
    if total > limit:
        raise ValueError(f"it unfolds from {size} to {total} bytes; at most {limit}")


def _name(member: zipfile.ZipInfo) -> str:
    if not member.filename.endswith(".npy"):
        raise ValueError(f"{member.filename[:60]!r} is no array")
    return member.filename.removesuffix(".npy")


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray:
    """The array of a member, whose declared size is compared with the member's first."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0
        }.get(version)  # fmt: skip
        if read_header is None:
            raise ValueError(f"{member.filename[:60]!r} has version {version} of the format")
        shape, _, dtype = read_header(file, max_header_size=MOST_HEADER_BYTES)
        declared = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or min(shape, default=0) < 0 or declared != member.file_size - file.tell():
            raise ValueError(f"{member.filename[:60]!r} is not the array that it declares, {dtype} {list(shape)[:8]}")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False, max_header_size=MOST_HEADER_BYTES)
