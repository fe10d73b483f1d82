"""Latitude and longitude to metres on a plane.

A point of the WGS84 ellipsoid is projected onto the plane that touches it at an origin (x east, y north; the height is
left out). With N(phi) = a / sqrt(1 - e^2 sin^2 phi), a point has the earth-centred coordinates

    X = N cos(phi) cos(lambda), Y = N cos(phi) sin(lambda), Z = N (1 - e^2) sin(phi)

and its difference to the origin is turned into east and north. Distances come out too short by at most 1 in 30,000
within 50 km of the origin, 1 in 8,000 within 100 km, and 1 in 300 within 500 km.

Source: NGA.STND.0036 (WGS84), section 4; Misra and Enge, "Global Positioning System", section 4.A (east, north, up).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEMI_MAJOR_M = 6_378_137.0
"""Equatorial radius a of WGS84. m"""

FLATTENING = 1.0 / 298.257223563
"""Flattening f of WGS84; e^2 = f (2 - f)."""

FARTHEST_M = 500_000.0
"""Points farther from the origin are refused: the plane is no map of them, and no network is so large. m"""


def project_m(lat_lon: ArrayLike, origin: tuple[float, float]) -> NDArray[np.float64]:
    """Positions on the plane that touches the Earth at the origin.

    Args:
        lat_lon: Latitude and longitude of each point, north and east positive. `[N, 2]` degrees
        origin: Latitude and longitude of (0, 0). degrees

    Returns:
        Positions, x east and y north. `[N, 2]` m

    Raises:
        ValueError: a latitude beyond 90 or a longitude beyond 180 degrees, or a point farther than `FARTHEST_M`.
    """
    points, centre = check_degrees("lat, lon", lat_lon), check_degrees("origin", [origin])
    phi, lam = np.radians(centre[0])
    dx, dy, dz = (_earth_centred_m(points) - _earth_centred_m(centre)).T
    outward = np.cos(lam) * dx + np.sin(lam) * dy
    xy_m = np.stack([np.cos(lam) * dy - np.sin(lam) * dx, np.cos(phi) * dz - np.sin(phi) * outward], axis=-1)
    far = np.flatnonzero(np.hypot(np.hypot(dx, dy), dz) > FARTHEST_M)
    if far.size:
        raise ValueError(
            f"lat, lon: {points[far[0]].tolist()} is over {FARTHEST_M / 1000:g} km from the origin "
            f"{centre[0].tolist()}; are latitude and longitude in this order?"
        )
    return xy_m


def check_degrees(name: str, lat_lon: ArrayLike) -> NDArray[np.float64]:
    """The points as an array `[N, 2]`. ValueError: another shape, or degrees that are none, naming them."""
    points = np.asarray(lat_lon, np.float64)
    if points.ndim != 2 or points.shape[-1] != 2:
        raise ValueError(f"{name}: shape {points.shape}; allowed is [number, 2], latitude and longitude in degrees")
    wrong = points[~(np.abs(points) <= (90.0, 180.0)).all(axis=-1)]
    if wrong.size:
        raise ValueError(
            f"{name}: {wrong[0].tolist()} is not a latitude within -90 to 90 and a longitude within -180 to 180 degrees"
        )
    return points


def _earth_centred_m(points: NDArray[np.float64]) -> NDArray[np.float64]:
    phi, lam = np.radians(points).T
    e2 = FLATTENING * (2.0 - FLATTENING)
    normal_m = SEMI_MAJOR_M / np.sqrt(1.0 - e2 * np.sin(phi) ** 2)
    across_m = normal_m * np.cos(phi)
    return np.stack([across_m * np.cos(lam), across_m * np.sin(lam), normal_m * (1.0 - e2) * np.sin(phi)], axis=-1)
