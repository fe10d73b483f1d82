"""Positions of nodes and gateways: drawn, listed, or read from CSV files."""

from __future__ import annotations

import csv
import math
import reprlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from lora_marl.config.section import Numbers, RecordSection
from lora_marl.core import topology
from lora_marl.core.checks import suggest

_POSITION = ("x_m", "y_m")
_TRAFFIC = ("payload_bytes", "interval_s")

T = TypeVar("T")


def _finite(positions: Any) -> Any:
    wrong = np.argwhere(~np.isfinite(np.asarray(positions, np.float64)))
    if len(wrong):
        raise ValueError(f"{reprlib.repr(positions)} has a value that is not finite, at {wrong[0].tolist()}")
    return positions


Positions = Annotated[Numbers, AfterValidator(_finite)]


@dataclass(frozen=True)
class Sites:
    """Positions, and what a CSV file says of each node's traffic.

    Attributes:
        node_xy_m: `[N, 2]` m
        gateway_xy_m: `[G, 2]` m
        traffic: `payload_bytes` and `interval_s` `[N]`, where the file has them.
    """

    node_xy_m: NDArray[np.float64]
    gateway_xy_m: NDArray[np.float64]
    traffic: dict[str, Any] = field(default_factory=dict)


class TopologyConfig(RecordSection):
    """A way to place nodes; each kind uses the fields that are named with it.

    Attributes:
        kind: `uniform_disc` and `published_disc` (the D-LoRa code's placement): nodes, radius_m, seed; `uniform_discs`
            and `uniform_union`: the same, a disc around each gateway, or evenly over their union; `ring`: nodes,
            radius_m; `clusters`: nodes, clusters, cluster_radius_m, radius_m (of their centres), seed; `arrays`:
            node_xy_m; `csv`: nodes_csv.
        nodes: N.
        radius_m: m
        seed: Of the placement; runs with other seeds share it.
        placements: With more than one, each replica has a placement of its own, of seeds `seed`, `seed + 1`, ...: at
            least as many as the run has seeds.
        clusters: Number of clusters.
        cluster_radius_m: m
        node_xy_m: `[N, 2]` or `[B, N, 2]`. m
        gateway_xy_m: `[G, 2]`; for every kind. m
        gateways: With it, so many are drawn from the square from (0, 0) to (side_m, side_m), at least apart_m from each
            other, in place of `gateway_xy_m`; all placements have those of `seed`.
        side_m, apart_m: m
        nodes_csv: Columns x_m, y_m and, if wished, payload_bytes, interval_s; sought from the configuration's folder.
        gateways_csv: Columns x_m, y_m; replaces `gateway_xy_m`.
    """

    kind: Literal[
        "uniform_disc", "uniform_discs", "uniform_union", "published_disc", "ring", "clusters", "arrays", "csv"
    ] = "uniform_disc"
    nodes: int = Field(default=100, ge=1, le=1_000_000)
    radius_m: float = 1000.0
    seed: int = Field(default=42, ge=0)
    placements: int = Field(default=1, ge=1)
    clusters: int = 4
    cluster_radius_m: float = 200.0
    node_xy_m: Positions | None = None
    gateway_xy_m: Positions = [[0.0, 0.0]]
    gateways: int | None = Field(default=None, ge=1)
    side_m: float = 20_000.0
    apart_m: float = 12_000.0
    nodes_csv: Path | None = None
    gateways_csv: Path | None = None

    def build(self) -> Sites:
        """The positions."""
        if self.nodes_csv is not None and self.kind != "csv":
            raise ValueError(f"nodes_csv: is not read by kind {self.kind!r}; set kind: csv")
        if self.kind in ("csv", "arrays") and self.nodes != type(self).model_fields["nodes"].default:
            raise ValueError(f"nodes: {self.nodes}; kind {self.kind!r} has those of its positions, leave it out")
        gateway_xy_m = np.asarray(self.gateway_xy_m, np.float64)
        if self.gateways is not None:
            gateway_xy_m = topology.spread_gateways(self.seed, self.gateways, self.side_m, self.apart_m)
        if self.gateways_csv is not None:
            gateway_xy_m = _xy_m(_read("gateways_csv", self.gateways_csv, _POSITION))
        if self.kind == "csv":
            columns = _read("nodes_csv", _needed("nodes_csv", self.nodes_csv), _POSITION, _TRAFFIC)
            return Sites(_xy_m(columns), gateway_xy_m, {name: columns[name] for name in _TRAFFIC if name in columns})
        if self.placements == 1:
            return Sites(self._place(self.seed, gateway_xy_m), gateway_xy_m)
        drawn = [self._place(self.seed + number, gateway_xy_m) for number in range(self.placements)]
        return Sites(np.stack(drawn), gateway_xy_m)

    def _place(self, seed: int, gateway_xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
        rng = np.random.default_rng(seed)
        match self.kind:
            case "uniform_disc":
                return topology.uniform_disc(rng, self.nodes, self.radius_m)
            case "uniform_discs":
                return topology.uniform_discs(rng, self.nodes, self.radius_m, gateway_xy_m)
            case "uniform_union":
                return topology.uniform_union(rng, self.nodes, self.radius_m, gateway_xy_m)
            case "published_disc":
                return topology.published_disc(self.nodes, self.radius_m, seed)  # type: ignore[arg-type]
            case "ring":
                return topology.ring(self.nodes, self.radius_m)
            case "clusters":
                return topology.clusters(
                    rng,
                    self.nodes,
                    count=self.clusters,
                    radius_m=self.radius_m,
                    cluster_radius_m=self.cluster_radius_m,
                )
            case _:
                return np.asarray(_needed("node_xy_m", self.node_xy_m), np.float64)

    @field_validator("nodes_csv", "gateways_csv")
    @classmethod
    def _from_folder(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        folder = (info.context or {}).get("folder", Path())
        return None if path is None else (folder / path).resolve()


def _needed(name: str, value: T | None) -> T:
    if value is None:
        raise ValueError(f"{name}: is required by this kind of topology")
    return value


def _xy_m(columns: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.stack([columns[name] for name in _POSITION], axis=-1)


def _read(
    key: str, path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, NDArray[np.float64]]:
    """Columns of a CSV file with a header, all of finite numbers."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except OSError as error:
        raise ValueError(f"{key}: {path}: {error.strerror}") from None
    header = [name.strip() for name in header]
    for name in header:
        if name not in required + optional:
            raise ValueError(f"{key}: {path}: unknown column {name!r}{suggest(name, required + optional)}")
    for name in required:
        if name not in header:
            raise ValueError(f"{key}: {path}: the column {name!r} is required; found: {', '.join(header)}")
    if not rows:
        raise ValueError(f"{key}: {path}: has no rows")
    values = np.array([_numbers(f"{key}: {path} row {number}", row, header) for number, row in enumerate(rows, 1)])
    return dict(zip(header, values.T, strict=True))


def _numbers(place: str, row: list[str], header: list[str]) -> list[float]:
    if len(row) != len(header):
        raise ValueError(f"{place}: {len(row)} values for {len(header)} columns")
    values = []
    for name, text in zip(header, row, strict=True):
        try:
            values.append(float(text))
        except ValueError:
            values.append(math.nan)
        if not math.isfinite(values[-1]):
            raise ValueError(f"{place}: {name}: {text!r} is not a finite number")
    return values
