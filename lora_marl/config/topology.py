"""Positions of nodes and gateways: drawn, listed, or read from CSV files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lora_marl.config.section import InputFile, Numbers, RecordSection
from lora_marl.config.sites import Places, in_metres, place_together, read_places
from lora_marl.core import topology
from lora_marl.core.geodesy import check_degrees

FAR_M = 100_000.0
"""Where no node of a file is nearer to a gateway, they were not given in the same coordinates. m"""

MOST_POSITIONS = 20_000_000
"""Most positions of nodes, all placements together: a third of a gigabyte."""

T = TypeVar("T")


@dataclass(frozen=True)
class Sites:
    """Positions, and what a CSV file says of each node's traffic.

    Attributes:
        node_xy_m: `[N, 2]` m
        gateway_xy_m: `[G, 2]` m
        traffic: `payload_bytes` and `interval_s` `[N]`, where the file has them.
        node_ids, gateway_ids: Their names in files `[N]`, `[G]`; empty: they have none.
    """

    node_xy_m: NDArray[np.float64]
    gateway_xy_m: NDArray[np.float64]
    traffic: dict[str, Any] = field(default_factory=dict)
    node_ids: tuple[str, ...] = ()
    gateway_ids: tuple[str, ...] = ()

    @property
    def node_names(self) -> tuple[str, ...]:
        """Their ids, or their numbers. `[N]`"""
        return self.node_ids or tuple(map(str, range(self.node_xy_m.shape[-2])))

    @property
    def gateway_names(self) -> tuple[str, ...]:
        """Their ids, or their numbers. `[G]`"""
        return self.gateway_ids or tuple(map(str, range(self.gateway_xy_m.shape[-2])))


class TopologyConfig(RecordSection):
    """A way to place nodes; each kind uses the fields that are named with it.

    Attributes:
        kind: `uniform_disc` and `published_disc` (the D-LoRa code's placement): nodes, radius_m, seed; `uniform_discs`
            and `uniform_union`: the same, a disc around each gateway, or evenly over their union; `ring`: nodes,
            radius_m; `clusters`: nodes, clusters, cluster_radius_m, radius_m (of their centres), seed; `arrays`:
            node_xy_m; `csv`: nodes_csv.
        nodes: How many nodes, N.
        radius_m: Of the disc, the discs around gateways, the ring, or the disc of the clusters' centres. m
        seed: Of the placement; runs with other seeds share it.
        placements: With more than one, each replica has a placement of its own, of seeds `seed`, `seed + 1`, ...: at
            least as many as the run has seeds.
        clusters: Number of clusters.
        cluster_radius_m: Of each cluster. m
        node_xy_m: `[N, 2]` or `[B, N, 2]`. m
        gateway_xy_m: `[G, 2]`; for every kind. m
        gateways: With it, so many are drawn from the square from (0, 0) to (side_m, side_m), at least apart_m from each
            other, in place of `gateway_xy_m`; all placements have those of `seed`.
        side_m: Side of that square. m
        apart_m: Least distance of any two of those gateways. m
        nodes_csv: Columns x_m, y_m, or lat, lon in degrees (WGS84); if wished id, payload_bytes, interval_s. A relative
            path counts from the configuration's folder.
        gateways_csv: Columns x_m, y_m, or lat, lon, and id if wished; replaces `gateway_xy_m`.
        gateway_lat_lon: `[G, 2]`, latitude and longitude in degrees; replaces `gateway_xy_m`.
        origin_lat_lon: Latitude and longitude of (0, 0); None: the middle of the gateways. Positions in degrees are
            projected on the plane that touches the Earth there (`lora_marl.core.geodesy`). degrees
    """

    kind: Literal[
        "uniform_disc", "uniform_discs", "uniform_union", "published_disc", "ring", "clusters", "arrays", "csv"
    ] = "uniform_disc"
    nodes: int = Field(default=100, ge=1, le=1_000_000)
    radius_m: float = 1000.0
    seed: int = Field(default=42, ge=0)
    placements: int = Field(default=1, ge=1, le=10_000)
    clusters: int = Field(default=4, ge=1, le=1_000_000)
    cluster_radius_m: float = 200.0
    node_xy_m: Numbers | None = None
    gateway_xy_m: Numbers = [[0.0, 0.0]]
    gateways: int | None = Field(default=None, ge=1, le=10_000)
    side_m: float = 20_000.0
    apart_m: float = 12_000.0
    nodes_csv: InputFile | None = None
    gateways_csv: InputFile | None = None
    gateway_lat_lon: Numbers | None = None
    origin_lat_lon: tuple[float, float] | None = None

    def build(self) -> Sites:
        """The positions."""
        if self.nodes_csv is not None and self.kind != "csv":
            raise ValueError(f"nodes_csv: is not read by kind {self.kind!r}; set kind: csv")
        if self.kind in ("csv", "arrays") and self.nodes != type(self).model_fields["nodes"].default:
            raise ValueError(f"nodes: {self.nodes}; kind {self.kind!r} has those of its positions, leave it out")
        if self.nodes * self.placements > MOST_POSITIONS:
            raise ValueError(
                f"placements: {self.placements} of {self.nodes} nodes; at most {MOST_POSITIONS} positions are drawn"
            )
        gateways = self._gateways()
        if self.kind == "csv":
            return self._from_files(gateways)
        if self.origin_lat_lon is not None and not gateways.degrees:
            raise ValueError(f"origin_lat_lon: {list(self.origin_lat_lon)}; no position is in degrees, leave it out")
        # Nodes that are placed have their middle at (0, 0), as gateways in degrees do.
        gateway_xy_m = in_metres(gateways, self.origin_lat_lon)
        if self.placements == 1:
            return Sites(self._place(self.seed, gateway_xy_m), gateway_xy_m, gateway_ids=gateways.ids)
        drawn = [self._place(self.seed + number, gateway_xy_m) for number in range(self.placements)]
        return Sites(np.stack(drawn), gateway_xy_m, gateway_ids=gateways.ids)

    def _gateways(self) -> Places:
        """The gateways: drawn, of a file, or as listed."""
        given = [name for name in ("gateways", "gateways_csv", "gateway_lat_lon") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{given[1]}: the gateways are stated by {' and '.join(given)}; keep one of them")
        if self.gateways is not None:
            return Places(topology.spread_gateways(self.seed, self.gateways, self.side_m, self.apart_m))
        if self.gateways_csv is not None:
            return read_places("gateways_csv", self.gateways_csv, traffic=False)
        if self.gateway_lat_lon is not None:
            return Places(check_degrees("gateway_lat_lon", self.gateway_lat_lon), degrees=True)
        return Places(np.asarray(self.gateway_xy_m, np.float64))

    def _from_files(self, gateways: Places) -> Sites:
        nodes = read_places("nodes_csv", _needed("nodes_csv", self.nodes_csv), traffic=True)
        node_xy_m, gateway_xy_m = place_together(nodes, gateways, self.origin_lat_lon)
        nearest_m = float(topology.distances_m(node_xy_m, gateway_xy_m).min())
        if nearest_m > FAR_M:
            raise ValueError(
                f"nodes_csv: no node is nearer than {nearest_m / 1000:.0f} km to a gateway; give both in the same "
                "coordinates (gateways_csv, gateway_xy_m or gateway_lat_lon)"
            )
        return Sites(node_xy_m, gateway_xy_m, nodes.traffic, nodes.ids, gateways.ids)

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


def _needed(name: str, value: T | None) -> T:
    if value is None:
        raise ValueError(f"{name}: is required by this kind of topology")
    return value
