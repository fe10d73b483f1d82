"""Topologies: where nodes and gateways are. Positions are `[N, 2]` in metres; a lone gateway usually is at (0, 0)."""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import ArrayLike, NDArray

Positions = NDArray[np.float64]

_GATEWAY_STREAM = 1


def uniform_disc(rng: np.random.Generator, nodes: int, radius_m: float) -> Positions:
    """Nodes spread evenly over the area of a disc around (0, 0).

    Args:
        rng: Two draws per node are taken from it.
        nodes: N, at least 1.
        radius_m: Positive. m

    Returns:
        Positions. [N, 2] m
    """
    nodes, radius_m = _count("nodes", nodes), _length_m("radius_m", radius_m)
    distance_m = radius_m * np.sqrt(rng.random(nodes))
    angle = 2.0 * np.pi * rng.random(nodes)
    return _polar(distance_m, angle)


def uniform_discs(rng: np.random.Generator, nodes: int, radius_m: float, gateway_xy_m: ArrayLike) -> Positions:
    """Nodes spread evenly over discs around the gateways, equally many in each, or one more.

    Args:
        rng: Two draws per node are taken from it.
        nodes: N, at least 1.
        radius_m: Of each disc. m
        gateway_xy_m: Centres of the discs. [G, 2] m

    Returns:
        Positions, the nodes of the first gateway first. [N, 2] m

    Source: NoReL, deployments with several gateways.
    """
    centres = _positions("gateway_xy_m", gateway_xy_m)
    which = np.arange(_count("nodes", nodes)) * len(centres) // nodes
    return uniform_disc(rng, nodes, radius_m) + centres[which]


def uniform_union(rng: np.random.Generator, nodes: int, radius_m: float, gateway_xy_m: ArrayLike) -> Positions:
    """Nodes spread evenly over the union of discs around the gateways, no denser where discs overlap.

    A point in k discs is drawn k times as often, and is therefore kept with probability 1 / k.

    Args:
        rng: Source of positions; the number of draws depends on how many points are rejected.
        nodes: N, at least 1.
        radius_m: Of each disc. m
        gateway_xy_m: Centres of the discs. [G, 2] m

    Returns:
        Positions. [N, 2] m

    Source: MMALoRa, deployment.
    """
    centres, nodes = _positions("gateway_xy_m", gateway_xy_m), _count("nodes", nodes)
    placed = np.empty((0, 2))
    while len(placed) < nodes:
        drawn = uniform_disc(rng, nodes, radius_m) + centres[rng.integers(len(centres), size=nodes)]
        within = (distances_m(drawn, centres) <= radius_m).sum(axis=1)
        placed = np.concatenate([placed, drawn[rng.random(nodes) * within < 1.0]])
    return placed[:nodes]


def spread_gateways(seed: int, gateways: int, side_m: float, apart_m: float) -> Positions:
    """Gateways uniform in the square from (0, 0) to (side, side), redrawn until all are some distance apart: [G, 2] m.

    Args:
        seed: Of a generator of their own, so that nodes of the same seed do not follow them.
        gateways: G, at least 1.
        side_m: Of the square. m
        apart_m: Least distance of any two. m

    Raises:
        ValueError: gateways that were not placed in 10,000 attempts of 100 draws for each.

    Source: MMALoRa, deployment.
    """
    gateways, side_m, apart_m = _count("gateways", gateways), _length_m("side_m", side_m), _length_m("apart_m", apart_m)
    rng = np.random.default_rng((seed, _GATEWAY_STREAM))
    for _ in range(10_000):
        placed = side_m * rng.random((1, 2))
        while len(placed) < gateways:
            drawn = side_m * rng.random((100, 2))
            fits = distances_m(drawn, placed).min(axis=1) >= apart_m
            if not fits.any():
                break
            placed = np.concatenate([placed, drawn[fits][:1]])
        if len(placed) == gateways:
            return placed
    raise ValueError(f"gateways is {gateways}: so many {apart_m:g} m apart were not placed in a square of {side_m:g} m")


def published_disc(nodes: int, radius_m: float, seed: int = 42) -> Positions:
    """The placement of the D-LoRa code: whole metres, uniform in the square, redrawn until inside the disc.

    Args:
        nodes: N, at least 1.
        radius_m: A positive whole number. m
        seed: Of Python's own generator; the papers' topology is 42.

    Returns:
        Positions. [N, 2] m

    Source: the D-LoRa code, `random.randint` for x, then for y.
    """
    nodes, radius = _count("nodes", nodes), _count("radius_m", radius_m)
    rng = random.Random(seed)
    placed: list[tuple[int, int]] = []
    while len(placed) < nodes:
        x, y = rng.randint(-radius, radius), rng.randint(-radius, radius)
        if x * x + y * y <= radius * radius:
            placed.append((x, y))
    return np.array(placed, dtype=np.float64)


def ring(nodes: int, radius_m: float) -> Positions:
    """Nodes at equal angles on a circle around (0, 0), the first one on the x axis: [N, 2] m."""
    nodes, radius_m = _count("nodes", nodes), _length_m("radius_m", radius_m)
    return _polar(np.full(nodes, radius_m), 2.0 * np.pi * np.arange(nodes) / nodes)


def clusters(
    rng: np.random.Generator, nodes: int, *, count: int, radius_m: float, cluster_radius_m: float
) -> Positions:
    """Nodes in discs of their own, whose centres are spread over a disc around (0, 0).

    Node i belongs to cluster i modulo `count`, so clusters differ in size by at most one.

    Args:
        rng: Source of centres and positions.
        nodes: N, at least 1.
        count: Number of clusters, at least 1.
        radius_m: Of the disc that holds the centres. m
        cluster_radius_m: Of each cluster. m

    Returns:
        Positions. [N, 2] m; at most `radius_m + cluster_radius_m` from (0, 0).
    """
    centres_m = uniform_disc(rng, _count("count", count), radius_m)
    offsets_m = uniform_disc(rng, nodes, _length_m("cluster_radius_m", cluster_radius_m))
    return centres_m[np.arange(nodes) % count] + offsets_m


def gateway_line(gateways: int, spacing_m: float) -> Positions:
    """Gateways on the x axis, their middle at (0, 0): [G, 2] m."""
    return gateway_grid(1, gateways, spacing_m)


def gateway_grid(rows: int, columns: int, spacing_m: float) -> Positions:
    """Gateways on a square grid, its middle at (0, 0), row by row: [rows * columns, 2] m."""
    rows, columns = _count("rows", rows), _count("columns", columns)
    spacing_m = _length_m("spacing_m", spacing_m)
    y, x = np.mgrid[0:rows, 0:columns].reshape(2, -1)
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
    return (np.stack([x, y], axis=-1) - middle) * spacing_m


def distances_m(node_xy_m: ArrayLike, gateway_xy_m: ArrayLike) -> NDArray[np.float64]:
    """Distance of every node from every gateway.

    Args:
        node_xy_m: [..., N, 2] m
        gateway_xy_m: [G, 2] m, or [..., G, 2] with the leading axes of the nodes. m

    Returns:
        Distances. [..., N, G] m

    Raises:
        ValueError: positions of another shape, or not finite, naming the first such row.
    """
    nodes_m, gateways_m = _positions("node_xy_m", node_xy_m), _positions("gateway_xy_m", gateway_xy_m)
    apart_m = nodes_m[..., :, None, :] - gateways_m[..., None, :, :]
    return np.hypot(apart_m[..., 0], apart_m[..., 1])


def _polar(distance_m: NDArray[np.float64], angle: NDArray[np.float64]) -> Positions:
    return np.stack([distance_m * np.cos(angle), distance_m * np.sin(angle)], axis=-1)


def _positions(name: str, xy_m: ArrayLike) -> Positions:
    positions = np.asarray(xy_m, dtype=np.float64)
    if positions.ndim < 2 or positions.shape[-1] != 2 or positions.shape[-2] == 0:
        raise ValueError(f"{name} has shape {positions.shape}: it must be [..., number, 2] with at least one position")
    undefined = np.argwhere(~np.isfinite(positions).all(axis=-1))
    if len(undefined):
        at = tuple(undefined[0].tolist())
        raise ValueError(f"{name}{list(at)} is {positions[at].tolist()}: positions must be finite")
    return positions


def _count(name: str, value: float) -> int:
    if not math.isfinite(value) or value != int(value) or value < 1:
        raise ValueError(f"{name} is {value!r}: it must be a whole number of at least 1")
    return int(value)


def _length_m(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} is {value!r}: it must be a finite number of m above 0")
    return float(value)
