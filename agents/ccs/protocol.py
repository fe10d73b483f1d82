"""The messages between networks and service: reports with a summary of how a network fares, and residuals.

Both are plain records that become bytes (safetensors) where they travel. Parameters can be sent in half precision, in
eight bits, or as the largest ones only.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

from agents.lns.network import Schema

RANGES = ((0.0, 1.0), (0.0, 4.0), (0.5, 2.0), (-0.5, 1.0))
"""Ranges of PRR, scaled EPN, scaled ATP and return in a report; what lies beyond is cut (`within_ranges`)."""

EPN_SCALE_MJ, ATP_SCALE, ENERGY_SCALE_MJ = 50.0, 2.0, 25.0
"""Typical energy per delivered frame, attempts per delivered frame and energy per attempt in `ccs_study`: summaries are
divided by them to be about 1. Our choice, the paper gives no scale."""

KPI_SUMS = ("attempts", "received", "energy_mj", "frames_delivered")
"""Sums of which `kpis` makes a summary, in its order."""

MAX_ATP = 4.0
"""Attempts per delivered frame are cut here: a frame is given up after four attempts."""

ENERGY_WEIGHT = 0.1
"""Weight of the energy in the return, as in the rewards of the environment and in utilities of the proxy."""

LEAST_FRAMES = 1e-9
"""Fewer delivered frames count as this many in attempts per frame, which `MAX_ATP` then cuts."""

BLOCK = 256
"""Weights that share a scale in eight bits."""

ENCODINGS = ("float32", "float16", "int8", "top")
"""How parameters can be compressed; see `packed`."""

_DTYPES = {
    "float32": np.float32, "float16": np.float16, "int8": np.int8, "scale": np.float32,
    "top": np.float16, "kept": np.uint8,
}  # fmt: skip
"""Types of the arrays that `packed` returns."""

FORMAT = "ccs-record-1"
"""Format of reports and residuals as bytes."""

LONGEST_NAME = 200
"""Of a network or an operator: it is part of messages, and of what the service keeps."""

MOST_ROUNDS = 2**53
"""Numbers of rounds and reports are no larger."""

LATEST_S = 1e15
"""Times from here on, some thirty million years, cannot be those of a clock."""


def kpis(attempts: ArrayLike, received: ArrayLike, energy_mj: ArrayLike, frames_delivered: ArrayLike) -> Any:
    """Summaries of networks; without attempts PRR is 1, energy 0 and one attempt is made per frame.

    Args:
        attempts: Attempts in the window that is summarised. `[...]`
        received: Attempts that were received. `[...]`
        energy_mj: Energy of all attempts. mJ `[...]`
        frames_delivered: Frames delivered. `[...]`

    Returns:
        PRR; EPN / 50 mJ; ATP / 2, ATP at most 4; return PRR - 0.1 (energy per attempt / 25 mJ). float32 `[..., 4]`

    Source: the CCS paper, Eq. (1); the scales are ours.
    """
    attempts, received, energy_mj, delivered = (
        np.asarray(sums, dtype=np.float64) for sums in (attempts, received, energy_mj, frames_delivered)
    )
    idle = attempts <= 0.0
    tries = np.maximum(attempts, 1.0)
    prr = np.where(idle, 1.0, received / tries)
    atp = np.where(idle, 1.0, np.minimum(attempts / np.maximum(delivered, LEAST_FRAMES), MAX_ATP))
    epn_mj = np.where(idle, 0.0, energy_mj / np.maximum(delivered, 1.0))
    earned = prr - ENERGY_WEIGHT * energy_mj / tries / ENERGY_SCALE_MJ
    return np.stack([prr, epn_mj / EPN_SCALE_MJ, atp / ATP_SCALE, earned], axis=-1).astype(np.float32)


def within_ranges(reported: Tensor) -> Tensor:
    """Summaries `[..., 4]` with every number cut to its range."""
    low, high = torch.tensor(RANGES).T
    return reported.clamp(low, high)


def packed(parameters: NDArray[np.float32], encoding: str = "float32", share: float = 0.5) -> dict[str, NDArray]:
    """Compresses parameters to arrays that `unpacked` reads.

    Args:
        parameters: `[P]`
        encoding: `float32`: exact; `float16`; `int8`: by blocks of 256 weights with a scale each; `top`: the largest
            `share` of the weights in float16, the others 0.
        share: Above 0, at most 1; read by `top` only.

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
        largest = np.zeros(len(parameters), dtype=bool)
        largest[np.argsort(-np.abs(parameters), kind="stable")[: max(1, round(share * len(parameters)))]] = True
        return {"top": _half(parameters[largest]), "kept": np.packbits(largest)}
    raise ValueError(f"encoding = {encoding!r}: expected one of {', '.join(ENCODINGS)}")


def unpacked(arrays: Mapping[str, NDArray], size: int) -> NDArray[np.float32]:
    """Restores parameters `[size]` of what `packed` returned.

    Raises:
        ValueError: arrays that no encoding gives, or of another number of parameters.
    """
    names, blocks = set(arrays), -(-size // BLOCK)
    for name, dtype in _DTYPES.items():
        if name in names and arrays[name].dtype != dtype:
            raise ValueError(f"{name} is stored as {arrays[name].dtype}; expected {np.dtype(dtype)}")
    if names in ({"float32"}, {"float16"}):
        expected: dict[str, tuple[int, ...]] = {next(iter(names)): (size,)}
    elif names == {"int8", "scale"}:
        expected = {"int8": (blocks, BLOCK), "scale": (blocks, 1)}
    elif names == {"top", "kept"}:
        expected = {"kept": (-(-size // 8),)}
    else:
        raise ValueError(f"parameters are packed as {sorted(names)}; expected one of {', '.join(ENCODINGS)}")
    for name, shape in expected.items():  # before an array of that size is made
        if arrays[name].shape != shape:
            raise ValueError(
                f"{name} of {size} parameters has shape {list(arrays[name].shape)}; expected {list(shape)}"
            )
    if "scale" in arrays:
        return (arrays["int8"].astype(np.float32) * arrays["scale"]).ravel()[:size]
    if "kept" not in arrays:
        return next(iter(arrays.values())).astype(np.float32)
    largest, parameters = np.unpackbits(arrays["kept"], count=size).astype(bool), np.zeros(size, dtype=np.float32)
    if arrays["top"].shape != (largest.sum(),):
        raise ValueError(f"top has shape {list(arrays['top'].shape)}; expected [{largest.sum()}], as many as are kept")
    parameters[largest] = arrays["top"]
    return parameters


def _half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    largest = float(np.finfo(np.float16).max)
    return np.clip(values, -largest, largest).astype(np.float16)


@dataclass(frozen=True)
class Report:
    """A snapshot of a network's policy with a summary of how it fares.

    Attributes:
        network: Name of the network.
        round: Number of the report, growing.
        time_s: When the snapshot was taken. s
        schema: Sizes and kind of the parameters.
        parameters: Flat parameters. float32 `[P]`
        kpis: The summary, as `kpis` gives it. float32 `[4]`
        operator: Name of the operator of the network; "": the network is its own.

    Raises:
        ValueError: a field of a wrong type; parameters or summary of a wrong shape, or not finite; a negative round; no
            name.

    Source: the CCS paper, Eq. (1).
    """

    network: str
    round: int
    time_s: float
    schema: Schema
    parameters: NDArray[np.float32]
    kpis: NDArray[np.float32]
    operator: str = ""

    def __post_init__(self) -> None:
        for name in ("network", "operator"):
            text = getattr(self, name)
            if not isinstance(text, str):
                raise ValueError(f"report: {name} = {reprlib.repr(text)} is no text")
            if len(text) > LONGEST_NAME:
                raise ValueError(f"report: {name} has {len(text)} letters; at most {LONGEST_NAME}")
        if not self.network:
            raise ValueError("report: network has no name")
        if not _integer(self.round) or not 0 <= self.round <= MOST_ROUNDS:
            value = reprlib.repr(self.round)
            raise ValueError(f"report of {self.network}: round = {value}; expected an integer from 0 to {MOST_ROUNDS}")
        if isinstance(self.time_s, bool) or not (isinstance(self.time_s, Real) and abs(self.time_s) < LATEST_S):
            value = reprlib.repr(self.time_s)
            limit = f"expected a finite number of at most {LATEST_S:g}"
            raise ValueError(f"report of {self.network}: time_s = {value}; {limit}")
        if not isinstance(self.schema, Schema):
            raise ValueError(f"report of {self.network}: schema = {reprlib.repr(self.schema)} is no Schema")
        if not all(map(_integer, self.schema.sizes)):
            raise ValueError(f"report of {self.network}: sizes = {reprlib.repr(self.schema.sizes)}; expected integers")
        for name, shape in (("parameters", (self.schema.size,)), ("kpis", (4,))):
            _check(f"report of {self.network}: {name}", getattr(self, name), shape)
        _plain(self, round=int, time_s=float)

    def copy(self) -> Report:
        """Returns a report with arrays of its own, checked once more: whoever made this one may change its arrays."""
        return replace(self, parameters=self.parameters.copy(), kpis=self.kpis.copy())

    def to_bytes(self, encoding: str = "float32", share: float = 0.5) -> bytes:
        """Returns the report as safetensors, with parameters compressed as by `packed`."""
        about = {"network": self.network, "round": self.round, "time_s": self.time_s, "operator": self.operator}
        about |= {"sizes": [*map(int, self.schema.sizes)], "kind": self.schema.kind}
        return _to_bytes("report", about, packed(self.parameters, encoding, share) | {"kpis": self.kpis})

    @classmethod
    def from_bytes(cls, data: bytes) -> Report:
        """Reads what `to_bytes` returned.

        Raises:
            ValueError: anything else.
        """
        about, arrays = _from_bytes("report", data)
        try:
            schema = Schema(tuple(about.pop("sizes")), about.pop("kind"))
            kpis = arrays.pop("kpis")
            return cls(schema=schema, parameters=unpacked(arrays, schema.size), kpis=kpis, **about)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"report: malformed ({error!r})") from None


@dataclass(frozen=True)
class Residual:
    """A change that a network adds to its last layer; it takes it back by adding the negative.

    Attributes:
        network: Name of the network.
        round: Number of the round of the service.
        report_round: Number of the report that it answers.
        delta: The change; the last row is the bias. float32 `[H, A]`

    Raises:
        ValueError: a field of a wrong type; a delta that is not finite, or no matrix.

    Source: the CCS paper, Eq. (2).
    """

    network: str
    round: int
    report_round: int
    delta: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not (isinstance(self.network, str) and 0 < len(self.network) <= LONGEST_NAME):
            name = reprlib.repr(self.network)
            raise ValueError(f"residual: network = {name} is no name of 1 to {LONGEST_NAME} letters")
        for name in ("round", "report_round"):
            if not _integer(getattr(self, name)) or not 0 <= getattr(self, name) <= MOST_ROUNDS:
                value = reprlib.repr(getattr(self, name))
                limits = f"expected an integer from 0 to {MOST_ROUNDS}"
                raise ValueError(f"residual of {self.network}: {name} = {value}; {limits}")
        shape = np.shape(self.delta)
        if len(shape) != 2:
            raise ValueError(f"residual of {self.network}: delta has shape {list(shape)}; expected [H, A]")
        _check(f"residual of {self.network}: delta", self.delta, shape)
        _plain(self, round=int, report_round=int)

    def to_bytes(self) -> bytes:
        """Returns the residual as safetensors."""
        about = {"network": self.network, "round": self.round, "report_round": self.report_round}
        return _to_bytes("residual", about, {"delta": self.delta})

    @classmethod
    def from_bytes(cls, data: bytes) -> Residual:
        """Reads what `to_bytes` returned.

        Raises:
            ValueError: anything else.
        """
        about, arrays = _from_bytes("residual", data)
        try:
            return cls(delta=arrays["delta"], **about)
        except (KeyError, TypeError) as error:
            raise ValueError(f"residual: malformed ({error!r})") from None


def _integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _plain(record: Report | Residual, **types: Callable[[Any], Any]) -> None:
    """Converts numbers of NumPy to those of Python, which JSON can write."""
    for name, plain in types.items():
        object.__setattr__(record, name, plain(getattr(record, name)))


def _check(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless the value is a finite array of that shape, naming it."""
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name}: is a {type(value).__name__}; expected an array, float32 {list(shape)}")
    if value.shape != shape or value.dtype != np.float32:
        raise ValueError(f"{name}: is {value.dtype} {list(value.shape)}; expected float32 {list(shape)}")
    if not np.isfinite(value).all():
        raise ValueError(f"{name}: {int((~np.isfinite(value)).sum())} numbers are not finite")


def _to_bytes(kind: str, about: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> bytes:
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, metadata={"record": json.dumps({"format": FORMAT, "kind": kind, "about": about})})


def _from_bytes(kind: str, data: bytes) -> tuple[dict[str, Any], dict[str, NDArray]]:
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        record = json.loads(header["__metadata__"]["record"])
        if (record["format"], record["kind"]) != (FORMAT, kind):
            raise ValueError(f"is a {record['kind']} of {record['format']}")
        return dict(record["about"]), load(data)
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{kind}: no {kind} of {FORMAT}, or a damaged one ({error})") from None
