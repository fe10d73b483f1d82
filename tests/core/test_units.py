import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from lora_marl.core import units

CONVERSIONS = [units.dbm_to_mw, units.mw_to_dbm, units.db_to_ratio, units.ratio_to_db]
decibels = st.floats(-200.0, 200.0)


@given(decibels)
def test_round_trips(level):
    assert units.mw_to_dbm(units.dbm_to_mw(level)) == pytest.approx(level, rel=1e-12, abs=1e-12)
    assert units.ratio_to_db(units.db_to_ratio(level)) == pytest.approx(level, rel=1e-12, abs=1e-12)


@given(decibels, decibels)
def test_decibels_add_where_ratios_multiply(one_db, other_db):
    product = units.db_to_ratio(one_db) * units.db_to_ratio(other_db)
    assert units.ratio_to_db(product) == pytest.approx(one_db + other_db, rel=1e-12, abs=1e-10)


def test_landmarks():
    assert units.dbm_to_mw(0.0) == 1.0
    assert units.dbm_to_mw(20.0) == pytest.approx(100.0, rel=1e-14)
    assert units.mw_to_dbm(0.001) == pytest.approx(-30.0, rel=1e-14)
    assert units.db_to_ratio(10.0 * math.log10(2.0)) == pytest.approx(2.0, rel=1e-14)


def test_minus_infinity_is_nothing():
    assert units.dbm_to_mw(-math.inf) == 0.0
    assert units.db_to_ratio(-math.inf) == 0.0


def test_transmit_powers_of_the_paper(dlora_vectors):
    for tp_dbm, expected_mw in dlora_vectors["tp_mw"].items():
        assert units.dbm_to_mw(float(tp_dbm)) == pytest.approx(expected_mw, rel=1e-13)


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda f: f.__name__)
def test_compiles_and_agrees_with_itself_on_arrays(conversion):
    compiled = njit(conversion)
    values = np.array([0.25, 1.0, 7.8, 116.0])
    np.testing.assert_allclose([compiled(value) for value in values], conversion(values), rtol=1e-14)
