"""RS-LoRa: how often each spreading factor is drawn, and the power for a link by hand."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.rules.rs_lora import power_index
from lora_marl.core.propagation import Propagation

POWERS_DBM = np.array([2.0, 4, 6, 8, 10, 12, 14, 16])


def test_one_step_more_than_enough_and_the_second_power_where_none_is():
    # Margins of 0 dBm over the sensitivity. 1 dB: 2 dBm is enough, 4 is sent. -2: 2 is just not, 4 is, 6 is sent.
    margin_db = np.array([1.0, -2.0, -13.5, -14.0, -15.9, -40])
    assert POWERS_DBM[power_index(margin_db, POWERS_DBM)].tolist() == [4, 6, 16, 4, 4, 4]
    assert power_index(margin_db, POWERS_DBM[:1]).tolist() == [0] * 6


@pytest.mark.parametrize("kind", ["xor", "true"])
def test_parameters_are_drawn_as_often_as_they_should(conference, run_of, dlora_vectors, kind):
    names = {"xor": "sf_weight_authors_xor_bug", "true": "sf_weight_true_2pow"}
    chosen = run_of(agents.make("rs-lora", conference, [1], sf_weight=kind), [1], 1500)[:, 0].reshape(-1, 4)
    share = np.bincount(chosen[:, 0], minlength=6) / len(chosen)
    np.testing.assert_allclose(share, dlora_vectors["rewards"][names[kind]], atol=0.015)
    np.testing.assert_allclose(np.bincount(chosen[:, 1]) / len(chosen), 1 / 3, atol=0.015)
    np.testing.assert_allclose(np.bincount(chosen[:, 2]) / len(chosen), 1 / 8, atol=0.015)


def test_without_shadowing_power_follows_the_link(conference, run_of):
    still = replace(conference, propagation=Propagation(shadowing_db=0.0))
    chosen = run_of(agents.make("rs-lora", still, [0]), [0], 50)[:, 0]
    sensitivity_dbm = still.reception.sensitivities_dbm(np.arange(7, 13), np.array([125e3, 250e3, 500e3]))
    for node, gain_db in enumerate(still.mean_gain_db()[:, 0]):
        for sf, bw, _, tp in chosen[:, node]:
            enough = [dbm for dbm in range(2, 14, 2) if dbm + gain_db - sensitivity_dbm[sf, bw] > 0]
            assert still.region.tp_dbm[tp] == (enough[0] + 2 if enough else 4)


def test_an_unknown_weight_is_named(journal):
    with pytest.raises(ValueError, match="sf_weight: 'pow' is not one of true, xor"):
        agents.make("rs-lora", journal, [0], sf_weight="pow")
