"""Smaller snapshots: half precision, eight bits, or the largest weights only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

BLOCK = 256
"""Weights that share a scale of eight-bit numbers."""

ENCODINGS = ("float32", "float16", "int8", "top")


def packed(parameters: NDArray[np.float32], encoding: str = "float32", share: float = 0.5) -> dict[str, NDArray]:
    """Arrays that `unpacked` makes parameters of.

    Args:
        parameters: `[P]`
        encoding: `float32`: exact; `float16`; `int8`: by blocks of 256 weights with a scale each; `top`: the largest
            `share` of the weights in float16, the others 0.
        share: From 0 up to 1; not read by other encodings.

    Raises:
        ValueError: an unknown encoding, or a share outside its range.
    """
    if encoding == "float32":
        return {"float32": parameters}
    if encoding == "float16":
        return {"float16": _half(parameters)}
    if encoding == "int8":
        blocks = np.pad(parameters, (0, -len(parameters) % BLOCK)).reshape(-1, BLOCK)
        scale = np.maximum(np.abs(blocks).max(1, keepdims=True), np.finfo(np.float32).tiny) / 127.0
        return {"int8": np.rint(blocks / scale).astype(np.int8), "scale": scale.astype(np.float32)}
    if encoding == "top":
        if not 0.0 < share <= 1.0:
            raise ValueError(f"share = {share}: expected above 0, at most 1")
        kept = np.zeros(len(parameters), dtype=bool)
        kept[np.argsort(-np.abs(parameters), kind="stable")[: max(1, round(share * len(parameters)))]] = True
        return {"top": _half(parameters[kept]), "kept": np.packbits(kept)}
    raise ValueError(f"encoding = {encoding!r}: expected one of {', '.join(ENCODINGS)}")


def unpacked(arrays: Mapping[str, NDArray], size: int) -> NDArray[np.float32]:
    """Parameters `[size]` of what `packed` gave.

    Raises:
        ValueError: arrays that no encoding gives, or of another number of parameters.
    """
    names, blocks = set(arrays), -(-size // BLOCK)
    if names in ({"float32"}, {"float16"}):
        expected: dict[str, tuple[int, ...]] = {next(iter(names)): (size,)}
    elif names == {"int8", "scale"}:
        expected = {"int8": (blocks, BLOCK), "scale": (blocks, 1)}
    elif names == {"top", "kept"}:
        expected = {"kept": (-(-size // 8),)}
    else:
        raise ValueError(f"parameters are packed as {sorted(names)}; expected one of {', '.join(ENCODINGS)}")
    for name, shape in expected.items():  # before anything of that size is made
        if arrays[name].shape != shape:
            raise ValueError(
                f"{name} of {size} parameters has shape {list(arrays[name].shape)}; expected {list(shape)}"
            )
    if "scale" in arrays:
        return (arrays["int8"].astype(np.float32) * arrays["scale"]).ravel()[:size]
    if "kept" not in arrays:
        return next(iter(arrays.values())).astype(np.float32)
    kept, found = np.unpackbits(arrays["kept"], count=size).astype(bool), np.zeros(size, dtype=np.float32)
    if arrays["top"].shape != (kept.sum(),):
        raise ValueError(f"top has shape {list(arrays['top'].shape)}; expected [{kept.sum()}], as many as are kept")
    found[kept] = arrays["top"]
    return found


def _half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    largest = float(np.finfo(np.float16).max)
    return np.clip(values, -largest, largest).astype(np.float16)
