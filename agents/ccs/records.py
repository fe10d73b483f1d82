"""What goes to the service and comes back: plain records, as bytes where they travel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from agents.ccs.compression import packed, unpacked
from agents.lns.network import Schema

FORMAT = "ccs-record-1"
LATEST_S = 1e15
"""Some thirty million years: what a clock cannot say."""


@dataclass(frozen=True)
class Report:
    """A snapshot of a network's policy with a summary of how it fares (paper 000, Eq. (1)).

    Attributes:
        network: Its name.
        round: Number of the report, growing.
        time_s: When the snapshot was taken.
        schema: Of the parameters.
        parameters: Flat. float32 `[P]`
        kpis: Of `agents.ccs.kpis.kpis`. float32 `[4]`
        operator: Who answers for the network; "": the network itself.

    Raises:
        ValueError: a field of a wrong type; parameters or summary of a wrong shape, or not finite; a negative round; no
            name.
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
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"report: {name} = {getattr(self, name)!r} is no text")
        if not self.network:
            raise ValueError("report: network has no name")
        if not _integer(self.round) or self.round < 0:
            raise ValueError(f"report of {self.network}: round = {self.round!r}; expected an integer from 0")
        if isinstance(self.time_s, bool) or not (isinstance(self.time_s, Real) and abs(self.time_s) < LATEST_S):
            raise ValueError(
                f"report of {self.network}: time_s = {self.time_s!r}; expected a finite number of at most {LATEST_S:g}"
            )
        if not isinstance(self.schema, Schema):
            raise ValueError(f"report of {self.network}: schema = {self.schema!r} is no Schema")
        if not all(map(_integer, self.schema.sizes)):
            raise ValueError(f"report of {self.network}: sizes = {self.schema.sizes}; expected integers")
        for name, shape in (("parameters", (self.schema.size,)), ("kpis", (4,))):
            _check(f"report of {self.network}: {name}", getattr(self, name), shape)
        _plain(self, round=int, time_s=float)

    def to_bytes(self, encoding: str = "float32", share: float = 0.5) -> bytes:
        """The report as safetensors, its parameters packed as `agents.ccs.compression.packed` says."""
        about = {"network": self.network, "round": self.round, "time_s": self.time_s, "operator": self.operator}
        about |= {"sizes": [*map(int, self.schema.sizes)], "kind": self.schema.kind}
        return _to_bytes("report", about, packed(self.parameters, encoding, share) | {"kpis": self.kpis})

    @classmethod
    def from_bytes(cls, data: bytes) -> Report:
        """What `to_bytes` gave.

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
    """What a network is to add to its last layer (paper 000, Eq. (2)); taking it back is adding its negative.

    Attributes:
        network: Whose.
        round: Of the service.
        report_round: Number of the report that it answers.
        delta: The last row is the bias. float32 `[H, A]`

    Raises:
        ValueError: a field of a wrong type; a delta that is not finite, or no matrix.
    """

    network: str
    round: int
    report_round: int
    delta: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not (isinstance(self.network, str) and self.network):
            raise ValueError(f"residual: network = {self.network!r} is no name")
        for name in ("round", "report_round"):
            if not _integer(getattr(self, name)) or getattr(self, name) < 0:
                value = getattr(self, name)
                raise ValueError(f"residual of {self.network}: {name} = {value!r}; expected an integer from 0")
        shape = np.shape(self.delta)
        if len(shape) != 2:
            raise ValueError(f"residual of {self.network}: delta has shape {list(shape)}; expected [H, A]")
        _check(f"residual of {self.network}: delta", self.delta, shape)
        _plain(self, round=int, report_round=int)

    def to_bytes(self) -> bytes:
        """The residual as safetensors."""
        about = {"network": self.network, "round": self.round, "report_round": self.report_round}
        return _to_bytes("residual", about, {"delta": self.delta})

    @classmethod
    def from_bytes(cls, data: bytes) -> Residual:
        """What `to_bytes` gave.

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
    """Numbers of NumPy become Python's, which JSON knows."""
    for name, plain in types.items():
        object.__setattr__(record, name, plain(getattr(record, name)))


def _check(name: str, given: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(given, np.ndarray):
        raise ValueError(f"{name}: is a {type(given).__name__}; expected an array, float32 {list(shape)}")
    if given.shape != shape or given.dtype != np.float32:
        raise ValueError(f"{name}: is {given.dtype} {list(given.shape)}; expected float32 {list(shape)}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name}: {int((~np.isfinite(given)).sum())} numbers are not finite")


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
