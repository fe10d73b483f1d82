"""CAASI by the published example and by hand; a survey that hears what the network would give every node alone."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.dlora.caasi import allowed_spreading_factors, assigned_channels, channel_quality_dbm, survey
from lora_marl.core.air import Air
from lora_marl.core.presets import journal_network
from lora_marl.core.propagation import Propagation


def test_channels_of_the_example_are_golden(dlora_vectors):
    golden = dlora_vectors["caasi_example"]
    rssi = np.array(golden["rssi_nodes_by_channels"], float)
    np.testing.assert_allclose(channel_quality_dbm(rssi), golden["Qc"])
    assert assigned_channels(rssi).tolist() == [golden["assignment"][str(node)] for node in range(6)]


def test_the_weakest_nodes_get_the_best_channel_and_larger_groups_come_first():
    # Channel 1 is best, then 2, then 0; nodes from weakest to strongest: 4, 2, 0, 1, 3. Groups of 2, 2 and 1.
    strength = np.array([-110.0, -105, -120, -100, -130])
    rssi = strength[:, None] + np.array([-3.0, 3, 0])
    assert assigned_channels(rssi).tolist() == [2, 2, 1, 0, 1]


def test_what_was_never_decoded_ranks_as_weakest():
    rssi = np.array([[-100.0, np.nan], [np.nan, np.nan], [-110, np.nan], [-90, np.nan]])
    assert channel_quality_dbm(rssi).tolist() == [-100, -np.inf]
    assert assigned_channels(rssi).tolist() == [1, 0, 0, 1]


def test_spreading_factors_below_the_least_pdr_are_taken_away():
    delivered = np.array([[4, 5, 20], [0, 0, 4], [20, 20, 20]])
    expected = [[False, True, True], [False, False, True], [True, True, True]]
    assert allowed_spreading_factors(delivered, tests=20, pdr_min=0.25).tolist() == expected


@pytest.fixture(scope="module")
def far_network():
    """Shadowing of 2 dB, so that small spreading factors rarely reach the gateway from far away."""
    return replace(journal_network(70, 12000), propagation=Propagation(shadowing_db=2.0))


def test_a_survey_sends_what_the_paper_says_and_counts_it(far_network):
    surveyed = survey(far_network, [0, 1], tests=5)
    packets = 8 + 6 * 5
    assert (surveyed.outcome.sent == packets).all() and surveyed.outcome.sent.shape == (2, 70)
    airtime_s = far_network.airtime_s()[:, 0]
    expected_s = 8 * airtime_s[-1] + 5 * airtime_s.sum()
    np.testing.assert_allclose(surveyed.outcome.airtime_s, expected_s)
    np.testing.assert_allclose(surveyed.outcome.energy_mj, 10**1.4 * expected_s)
    np.testing.assert_allclose(surveyed.outcome.duration_s, 70 * packets * 1.01 * airtime_s[-1])
    assert not surveyed.outcome.collided.any() and not surveyed.outcome.dropped.any()
    assert sorted(np.bincount(surveyed.channel[0])) == [8, 8, 9, 9, 9, 9, 9, 9]


def test_received_powers_are_the_networks(far_network):
    still = replace(far_network, propagation=Propagation(shadowing_db=0.0))
    surveyed = survey(still, [0], tests=1)
    expected_dbm = 14 + still.mean_gain_db()[:, 0]
    heard = expected_dbm >= -136
    assert 0 < heard.sum() < 70
    np.testing.assert_allclose(surveyed.rssi_dbm[0, heard], np.tile(expected_dbm[heard, None], 8))
    assert np.isnan(surveyed.rssi_dbm[0, ~heard]).all()
    minimum_dbm = np.array([-123, -126, -129, -132, -133, -136])
    reaches = expected_dbm[:, None] >= minimum_dbm
    reaches[~heard, -1] = True
    np.testing.assert_array_equal(surveyed.allowed_sf[0], reaches)


def test_surveys_of_replicas_are_those_of_each_alone_and_do_not_see_the_runs_draws(far_network):
    together, alone = survey(far_network, [3, 4], tests=2), survey(far_network, [4], tests=2)
    np.testing.assert_array_equal(together.rssi_dbm[1], alone.rssi_dbm[0])
    assert not np.array_equal(together.rssi_dbm[0], together.rssi_dbm[1])


def test_shadowing_that_a_link_keeps_is_the_runs(far_network):
    linked = replace(far_network, propagation=Propagation(shadowing_db=6.0, shadowing="link"))
    air = Air(linked, [5])
    points = np.tile(np.array([5, 0, 0, 6], np.int16), (1, 70, 1))
    air.advance(points, 600.0)
    run_dbm, surveyed = air.last_rssi_dbm[0], survey(linked, [5], tests=1)
    both = np.isfinite(surveyed.rssi_dbm[0, :, 0]) & np.isfinite(run_dbm)
    assert both.sum() > 10
    np.testing.assert_allclose(surveyed.rssi_dbm[0, both, 0], run_dbm[both])


def test_a_share_of_exactly_the_least_pdr_is_enough():
    for tests in range(1, 101):
        for delivered in range(1, tests + 1):
            counts = np.array([delivered - 1, delivered, 0])
            allowed = allowed_spreading_factors(counts, tests, pdr_min=delivered / tests)
            assert allowed.tolist() == [False, True, False]


def test_places_that_differ_by_replica_are_each_replicas_own(far_network):
    still = replace(far_network, propagation=Propagation(shadowing_db=0.0))
    places_m = np.stack([still.node_xy_m, 0.5 * still.node_xy_m[::-1]])
    surveyed = survey(replace(still, node_xy_m=places_m), [0, 1], tests=1)
    for replica in range(2):
        alone = survey(replace(still, node_xy_m=places_m[replica]), [replica], tests=1)
        np.testing.assert_array_equal(surveyed.rssi_dbm[replica], alone.rssi_dbm[0])
        np.testing.assert_array_equal(surveyed.allowed_sf[replica], alone.allowed_sf[0])
    assert np.isfinite(surveyed.rssi_dbm[1]).sum() > np.isfinite(surveyed.rssi_dbm[0]).sum()


def test_places_for_another_number_of_replicas_are_named(far_network):
    places_m = np.tile(far_network.node_xy_m, (3, 1, 1))
    with pytest.raises(ValueError, match=r"scenario.node_xy_m: 3 replicas; allowed are 1 or 2"):
        survey(replace(far_network, node_xy_m=places_m), [0, 1])


@pytest.mark.parametrize("name", ["caasi", "cd-lora", "adr"])
def test_a_state_brings_its_channels_and_spreading_factors_to_other_seeds(far_network, run_of, name):
    parameters = {"channels": "caasi"} if name == "adr" else {"tests": 3}
    learner, other = (agents.make(name, far_network, [seed], **parameters) for seed in (0, 1))
    surveyed, others = learner.initial_points(), other.initial_points()
    assert (surveyed[..., 2] != others[..., 2]).any()
    other.load_state_dict(learner.state_dict())
    np.testing.assert_array_equal(other.initial_points(), surveyed)
    if name != "adr":  # whose fates say nothing of strength here
        np.testing.assert_array_equal(run_of(other, [0], 30), run_of(learner, [0], 30))


def test_cd_lora_keeps_channels_and_chooses_among_what_is_left(far_network, run_of):
    learner = agents.make("cd-lora", far_network, [0], tests=4)
    points = learner.initial_points()
    assert learner.overhead.sent.sum() == 70 * (8 + 6 * 4)
    np.testing.assert_array_equal(points[0, :, 2], learner.survey.channel[0])
    chosen = run_of(learner, [0], 60)
    np.testing.assert_array_equal(chosen[..., 2], np.broadcast_to(learner.survey.channel, chosen.shape[:3]))
    taken_away = ~learner.survey.allowed_sf[0]
    assert taken_away.any()
    for node in range(70):
        assert not taken_away[node, np.unique(chosen[:, 0, node, 0])].any()
    assert len(np.unique(chosen[..., 3])) == 7


def test_caasi_alone_is_the_smallest_spreading_factor_left_at_the_highest_power(far_network):
    learner = agents.make("caasi", far_network, [0])
    points = learner.initial_points()[0]
    expected = [np.flatnonzero(row)[0] for row in learner.survey.allowed_sf[0]]
    np.testing.assert_array_equal(points[:, 0], expected)
    assert (points[:, 3] == 6).all() and len(np.unique(points[:, 0])) > 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"tests": 0}, "tests = 0: must be"), ({"pdr_min": 1.5}, "pdr_min = 1.5"), ({"factors": ["sf"]}, "factors = ")],
)
def test_bad_parameters_are_named(far_network, parameters, message):
    with pytest.raises(ValueError, match=message):
        agents.make("cd-lora", far_network, [0], **parameters)
