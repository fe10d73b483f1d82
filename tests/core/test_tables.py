import math

import numpy as np
import pytest

from lora_marl.core import tables

SOURCES = {
    "dlora_table_i": "paper_table_I",
    "dlora_code": "authors_code_MAB-EE",
    "lorasimplus": "LoRaSimPlus_main_and_LoRaRoutingSim",
    "iot_mab": "IoT-MAB",
}


@pytest.mark.parametrize(("name", "source"), SOURCES.items())
def test_sensitivity_of_the_published_tables(dlora_vectors, name, source):
    expected = np.transpose([dlora_vectors["sensitivity_dbm"][source][khz] for khz in ("125", "250", "500")])
    np.testing.assert_array_equal(tables.SENSITIVITY_DBM[name], expected)


def test_sensitivity_of_the_ns3_gateway(ns3_vectors):
    expected = ns3_vectors["scenario"]["gateway_sensitivity_dbm"]
    np.testing.assert_array_equal(tables.SENSITIVITY_DBM["ns3_gateway"][:, 0], expected)


def test_sensitivity_of_mmalora():
    expected = np.add.outer([-123, -126, -129, -132, -134.5, -137], [0, 3, 6])
    np.testing.assert_array_equal(tables.SENSITIVITY_DBM["mmalora"], expected)


def test_paper_and_code_differ_in_one_entry():
    differs = tables.SENSITIVITY_DBM["dlora_table_i"] != tables.SENSITIVITY_DBM["dlora_code"]
    assert np.argwhere(differs).tolist() == [[4, 2]]
    assert tables.SENSITIVITY_DBM["dlora_code"][4, 2] == -133.0


@pytest.mark.parametrize("name", tables.SENSITIVITY_DBM)
def test_sensitivity_tables_are_complete_and_read_only(name):
    table = tables.SENSITIVITY_DBM[name]
    assert table.shape == (len(tables.SPREADING_FACTORS), len(tables.BANDWIDTHS_HZ))
    assert np.isfinite(table).all()
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 0.0


@pytest.mark.parametrize("name", ["dlora_table_i", "iot_mab", "norel", "ns3_gateway"])
def test_wider_channels_hear_less(name):
    """Of the computed tables; measured ones and the one with the typing error have exceptions."""
    assert (np.diff(tables.SENSITIVITY_DBM[name], axis=1) > 0.0).all()


def test_sinr_thresholds(dlora_vectors):
    np.testing.assert_array_equal(tables.SINR_THRESHOLD_DB, dlora_vectors["sinr_threshold_db"])


def test_goursaud_matrix_of_ns3(ns3_vectors):
    np.testing.assert_array_equal(tables.SIR_DB["goursaud"], ns3_vectors["scenario"]["goursaud_db"])


@pytest.mark.parametrize(
    ("name", "sf7_against_sf12", "sf12_against_sf7"), [("goursaud", -20.0, -36.0), ("norel", -9.0, -25.0)]
)
def test_rows_are_wanted_and_columns_interferers(name, sf7_against_sf12, sf12_against_sf7):
    """SF12 has the greater processing gain, so it stands the stronger interferer: 36 dB against 20 by hand."""
    matrix = tables.SIR_DB[name]
    assert matrix[0, 5] == sf7_against_sf12
    assert matrix[5, 0] == sf12_against_sf7


@pytest.mark.parametrize("name", ["goursaud", "norel"])
def test_every_interferer_is_stood_better_by_a_slower_wanted_packet(name):
    matrix = tables.SIR_DB[name]
    for interferer in range(6):
        others = np.delete(matrix[:, interferer], interferer)
        assert (np.diff(others) < 0.0).all()


def test_orthogonal_spreading_factors_never_collide():
    matrix = tables.SIR_DB["orthogonal"]
    cross = ~np.eye(6, dtype=bool)
    assert (matrix[cross] == -math.inf).all()
    assert (-1e308 >= matrix[cross]).all(), "even the weakest finite SIR in dB passes"
    assert (np.diag(matrix) == 6.0).all()


def test_supply_currents():
    lorasim = tables.SUPPLY_CURRENT_MA["lorasim"]
    assert list(lorasim) == [float(tp_dbm) for tp_dbm in range(-2, 21)]
    published_mw = {2: 72.0, 5: 75.0, 8: 75.0, 11: 96.0, 14: 132.0, 17: 270.0, 20: 375.0}
    for tp_dbm, power_mw in published_mw.items():
        assert lorasim[tp_dbm] * tables.SUPPLY_VOLTAGE_V["lorasim"] == power_mw
    assert dict(tables.SUPPLY_CURRENT_MA["norel"]) == {2: 24, 5: 25, 8: 25, 11: 32, 14: 44}
