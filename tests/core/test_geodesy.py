"""Latitude and longitude to metres, against distances on the ellipsoid."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lora_marl.core.geodesy import FLATTENING, SEMI_MAJOR_M, project_m

MUNICH = (48.1374, 11.5755)


def vincenty_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Length of the geodesic on WGS84. Source: T. Vincenty, Survey Review 23 (176), 1975, inverse formula."""
    semi_minor_m = (1 - FLATTENING) * SEMI_MAJOR_M
    reduced = [math.atan((1 - FLATTENING) * math.tan(math.radians(lat))) for lat, _ in (a, b)]
    (sin_1, sin_2), (cos_1, cos_2) = ([f(u) for u in reduced] for f in (math.sin, math.cos))
    apart = lam = math.radians(b[1] - a[1])
    for _ in range(100):
        sin_sigma = math.hypot(cos_2 * math.sin(lam), cos_1 * sin_2 - sin_1 * cos_2 * math.cos(lam))
        cos_sigma = sin_1 * sin_2 + cos_1 * cos_2 * math.cos(lam)
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_alpha = cos_1 * cos_2 * math.sin(lam) / sin_sigma
        cos2_alpha = 1 - sin_alpha**2
        middle = cos_sigma - 2 * sin_1 * sin_2 / cos2_alpha
        c = FLATTENING / 16 * cos2_alpha * (4 + FLATTENING * (4 - 3 * cos2_alpha))
        inner = middle + c * cos_sigma * (2 * middle**2 - 1)
        lam = apart + (1 - c) * FLATTENING * sin_alpha * (sigma + c * sin_sigma * inner)
    u2 = cos2_alpha * (SEMI_MAJOR_M**2 / semi_minor_m**2 - 1)
    big_a = 1 + u2 / 16384 * (4096 + u2 * (-768 + u2 * (320 - 175 * u2)))
    big_b = u2 / 1024 * (256 + u2 * (-128 + u2 * (74 - 47 * u2)))
    last = big_b / 6 * middle * (4 * sin_sigma**2 - 3) * (4 * middle**2 - 3)
    delta = big_b * sin_sigma * (middle + big_b / 4 * (cos_sigma * (2 * middle**2 - 1) - last))
    return semi_minor_m * big_a * (sigma - delta)


def test_the_geodesic_of_the_test_is_right() -> None:
    """A degree of longitude on the equator is a pi / 180."""
    assert vincenty_m((0.0, 0.0), (1e-4, 1.0)) == pytest.approx(SEMI_MAJOR_M * math.pi / 180, rel=1e-6)


@pytest.mark.parametrize("origin", [MUNICH, (-33.87, 151.21), (64.15, -21.94), (0.0, 179.9), (0.5, -179.95)])
@pytest.mark.parametrize(("reach_m", "error"), [(50_000.0, 1 / 30_000), (100_000.0, 1 / 8_000), (490_000.0, 1 / 300)])
def test_distances_are_as_right_as_the_page_says(origin: tuple[float, float], reach_m: float, error: float) -> None:
    rng = np.random.default_rng(1)
    reach = 0.8 * reach_m * np.sqrt(rng.random(40)) / 111_700.0
    angle = 2 * np.pi * rng.random(40)
    points = np.stack(
        [origin[0] + reach * np.sin(angle), origin[1] + reach * np.cos(angle) / np.cos(np.radians(origin[0]))],
        -1,
    )
    points[:, 1] = (points[:, 1] + 180.0) % 360.0 - 180.0
    xy_m = project_m(points, origin)
    for i in range(0, 40, 2):
        plane_m = float(np.hypot(*(xy_m[i] - xy_m[i + 1])))
        assert plane_m == pytest.approx(vincenty_m(tuple(points[i]), tuple(points[i + 1])), rel=error)


def test_x_points_east_and_y_north() -> None:
    east_m, north_m = project_m([(MUNICH[0], MUNICH[1] + 0.01), (MUNICH[0] + 0.01, MUNICH[1])], MUNICH)
    assert east_m == pytest.approx([744.4, 0.05], abs=0.3)
    assert north_m == pytest.approx([0.0, 1112.0], abs=0.3)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(91.0, 0.0)], "91.0, 0.0. is not a latitude within -90 to 90"),
        ([(0.0, math.nan)], "nan"),
        ([(11.5755, 48.1374)], "over 500 km from the origin .* in this order"),
        ([1.0, 2.0], r"shape \(2,\)"),
    ],
)
def test_what_is_no_position_is_named(points: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        project_m(points, MUNICH)
