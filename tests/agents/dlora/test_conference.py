import inspect

import numpy as np
import pytest

import agents
from agents.bandits.cucb import CUCB
from agents.dlora.conference import ConferenceCUCB, conference_bonus, conference_outcome
from lora_marl.core.reception import Fate

SF, BW, CHANNEL, TP = 0, 6, 9, 17


def test_outcomes_are_those_that_were_run(dlora_vectors):
    golden = next(value for key, value in dlora_vectors["rewards"].items() if key.startswith("conf_code_outcome"))
    outcome = conference_outcome()
    np.testing.assert_array_equal(outcome[Fate.DELIVERED], golden["received"])
    np.testing.assert_array_equal(outcome[Fate.COLLIDED], golden["collided"])
    for fate in (Fate.BELOW_SENSITIVITY, Fate.INTERFERED, Fate.NO_DEMODULATOR):
        np.testing.assert_array_equal(outcome[fate], golden["lost(power/SINR)"])


def test_bonuses_are_those_that_were_run(dlora_vectors, conference):
    golden, region = dlora_vectors["rewards"], conference.region
    assert conference_bonus(region, "PDR")["tp"].tolist() == [0.0] * 7
    np.testing.assert_allclose(conference_bonus(region, "EE")["tp"], -3.5 * np.arange(2, 15, 2) / 56, rtol=1e-12)
    as_run = next(value for key, value in golden.items() if key.startswith("tp_bonus_code_eta1.8"))
    np.testing.assert_allclose(conference_bonus(region, "D")["tp"], as_run, rtol=1e-12)
    throughput = conference_bonus(region, "TH")
    assert set(throughput) == {"sf", "bw"}
    np.testing.assert_allclose(throughput["sf"], 10 * np.array(golden["sf_weight_authors_xor_bug"]), rtol=1e-12)
    np.testing.assert_allclose(throughput["bw"], [-10 / 7, -20 / 7, -40 / 7], rtol=1e-12)


def test_the_bandwidth_arm_subtracts_the_value_of_the_spreading_factor_arm(conference, decisions_of):
    learner = ConferenceCUCB(conference, [0], variant="PDR")
    learner.values[0, 4] = np.arange(24) / 10
    learner.update(decisions_of([0], [4], [Fate.DELIVERED], [[5, 2, 1, 3]]))
    values = learner.values[0, 4]
    assert values[BW + 2] == pytest.approx(0.8 + (1 - 0.2) / 2)
    assert values[SF + 5] == pytest.approx(0.5 + (1 - 0.5) / 2)
    assert values[CHANNEL + 1] == pytest.approx(1.0 + (1 - 1.0) / 2)
    assert values[TP + 3] == pytest.approx(2.0 + (1 - 2.0) / 2)


def test_no_other_learner_has_the_published_update(conference):
    assert not agents.make("cucb", conference, [0]).groups[:, 2].any()
    assert not agents.make("ucb1", conference, [0], factors=["sf", "bw"]).groups[:, 2].any()
    legacy = agents.make("conference-cucb", conference, [0]).groups
    assert legacy[:, 2].tolist() == [0, -BW, 0, 0]
    assert "subtracted" not in " ".join(inspect.signature(CUCB).parameters).lower()


def test_bad_parameters_are_named(conference):
    with pytest.raises(ValueError, match="variant: 'X' is not one of D, EE, PDR, TH"):
        ConferenceCUCB(conference, [0], variant="X")
    few = conference.with_values({"region.spreading_factors": (7, 8)})
    with pytest.raises(ValueError, match="spreading_factors"):
        ConferenceCUCB(few, [0])
