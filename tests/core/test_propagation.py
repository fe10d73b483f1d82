import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core.propagation import Propagation, path_loss_db
from lora_marl.core.tables import SENSITIVITY_DBM

distances = st.floats(1.0, 1e5)


def test_received_power_vectors(dlora_vectors):
    """Mean path loss, mean RSSI and P(RSSI >= sensitivity) at SF7 to SF12, 125 kHz, 7.8 dB of shadowing."""
    for row in dlora_vectors["rssi"]:
        loss_db = path_loss_db(Propagation(exponent=row["gamma"]), row["d_m"])
        assert loss_db == pytest.approx(row["path_loss_mean"], rel=1e-13)
        rssi_dbm = row["tp"] - loss_db
        assert rssi_dbm == pytest.approx(row["rssi_mean"], rel=1e-13)
        shadowed = NormalDist(rssi_dbm, 7.8)
        heard = [1.0 - shadowed.cdf(level) for level in SENSITIVITY_DBM["dlora_table_i"][:, 0]]
        assert heard == pytest.approx(row["p_rssi_ge_rs_bw125_sigma7p8"], abs=1e-12)


def test_friis_of_mmalora():
    """MMALoRa, exponent 2.7 at 868 MHz: -42.1 dB at 1 m, and the edges of its ranges."""
    friis = Propagation(model="friis", exponent=2.7)
    loss_db = path_loss_db(friis, [1.0, 2e3, 4e3, 6e3, 8e3, 10e3, 12e3], carrier_hz=868e6)
    np.testing.assert_allclose(loss_db, [42.1, 131.3, 139.4, 144.2, 147.5, 150.1, 152.3], atol=0.1)


def test_friis_with_exponent_two_is_free_space():
    """By hand: 20 log10(4 pi 1000 m / (299792458 / 1e9) m) = 92.4478 dB."""
    assert path_loss_db(Propagation(model="friis", exponent=2.0), 1e3, carrier_hz=1e9) == pytest.approx(
        92.4478, abs=1e-4
    )


@pytest.mark.parametrize("model", ["log_distance", "friis"])
@given(distance_m=distances, exponent=st.floats(0.5, 6.0))
def test_ten_times_the_distance_costs_ten_exponents(model, distance_m, exponent):
    near_db, far_db = path_loss_db(Propagation(model=model, exponent=exponent), [distance_m, 10.0 * distance_m])
    assert far_db - near_db == pytest.approx(10.0 * exponent, rel=1e-9)


@given(one_m=distances, other_m=distances)
def test_loss_never_falls_with_distance(one_m, other_m):
    near_db, far_db = path_loss_db(Propagation(), sorted([one_m, other_m]))
    assert near_db <= far_db


def test_flat_below_the_reference_distance(ns3_vectors):
    assert "max(d, 1000 m)" in ns3_vectors["scenario"]["path_loss"]
    flat = Propagation(flat_below_reference=True)
    assert path_loss_db(flat, [0.0, 500.0, 1000.0]).tolist() == [128.95, 128.95, 128.95]
    assert path_loss_db(flat, 2000.0) == path_loss_db(Propagation(), 2000.0)
    assert path_loss_db(Propagation(), 500.0) < 128.95


@pytest.mark.parametrize(("model", "floor_m"), [("log_distance", 0.1), ("friis", 1.0)])
def test_a_node_at_the_gateway_has_the_loss_of_the_floor(model, floor_m):
    propagation = Propagation(model=model)
    at_floor_db = path_loss_db(propagation, floor_m)
    assert math.isfinite(at_floor_db)
    assert path_loss_db(propagation, 0.0) == at_floor_db
    assert path_loss_db(propagation, 2.0 * floor_m) > at_floor_db


def test_shape_is_that_of_the_distances():
    assert path_loss_db(Propagation(), np.ones((2, 5, 3))).shape == (2, 5, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "okumura"),
        ("exponent", 0.0),
        ("exponent", math.nan),
        ("reference_loss_db", math.inf),
        ("reference_distance_m", 0.0),
        ("shadowing_db", -0.1),
        ("shadowing", "node"),
        ("shadowing_common_share", 1.01),
        ("shadowing_common_share", -0.01),
        ("fading", "rice"),
        ("antenna_gain_db", math.nan),
    ],
)
def test_bad_parameters_are_named(field, value):
    with pytest.raises(ValueError, match=f"{field}(: {value!r} is not within| is {value!r}: it must be)"):
        Propagation(**{field: value})


@pytest.mark.parametrize("distance_m", [-1.0, math.nan])
def test_bad_distances_are_named(distance_m):
    with pytest.raises(ValueError, match=f"distance_m is {distance_m}"):
        path_loss_db(Propagation(), [100.0, distance_m])


def test_bad_carrier_is_named():
    with pytest.raises(ValueError, match="carrier_hz is 0.0: it must be a finite number above 0"):
        path_loss_db(Propagation(model="friis"), 1.0, carrier_hz=0.0)
