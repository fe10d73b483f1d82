"""Sudden changes of the channel are noticed, and followed by an affine refit."""

from dataclasses import replace

import numpy as np
import pytest

from agents.run import run_until
from agents.twin.changes import has_changed, refit
from agents.twin.gains import expect_received
from agents.twin.learner import Twin
from agents.twin.tables import STEP_DB
from lora_marl.core.air import Air
from lora_marl.core.presets import norel_network
from lora_marl.core.scenario import Change
from lora_marl.core.units import HOUR_S

SIGMA_DB = 3.0
BEFORE_DB = np.linspace(-120.0, -90.0, 50)


def constant(share):
    return lambda power_dbm: share


@pytest.fixture(scope="module")
def after(ring_of):
    """Frames of 50 links after a change: slope 1.4, 20 dB less at the middle."""
    truth_db = 1.4 * (BEFORE_DB + 105.0) - 125.0
    return truth_db, ring_of(truth_db, SIGMA_DB, (0, 0, 4), constant(1.0), -300.0, frames=4)


def test_the_same_channel_is_no_change(ring_of):
    ring = ring_of(BEFORE_DB, SIGMA_DB, (0, 0, 4), constant(1.0), -300.0, frames=8)
    for since_s in np.arange(0.0, 8e3, 1e3):
        assert not has_changed(ring.frames[0], ring.count[0], BEFORE_DB[:, None], np.full((50, 1), SIGMA_DB), since_s)


def test_a_change_is_noticed(after):
    _, ring = after
    assert has_changed(ring.frames[0], ring.count[0], BEFORE_DB[:, None], np.full((50, 1), SIGMA_DB), 0.0)
    assert not has_changed(
        ring.frames[0], ring.count[0], BEFORE_DB[:, None], np.full((50, 1), SIGMA_DB), 1e6
    )  # too few frames


def test_frames_of_weak_links_lie_above_their_mean_gain(known, norel):
    """Of links at the floor the stronger half is received: sigma times the square root of 2 / pi above the mean."""
    t, nodes = known(norel)
    floor_db = t.lowest_dbm + (t.floor[0] + 1.0 - t.above_floor[0]) * STEP_DB
    gain_db, mean_db, spread_db = np.full((2, 1), floor_db - norel.region.tp_dbm[4]), np.zeros((2, 1)), np.zeros((2, 1))
    gain_db[1] += 30.0
    left = np.ones((1, 1, 6, t.limit.shape[2]))
    left[0, 0, 0, t.floor[0]] = t.above_floor[0]
    payload = np.zeros(2, np.int64)
    expect_received(t, left, np.array([[0, 0, 4], [0, 0, 4]]), payload, gain_db, 3.54, mean_db, spread_db)
    assert (mean_db - gain_db)[:, 0] == pytest.approx([3.54 * np.sqrt(2 / np.pi), 0.0], abs=0.15)
    assert spread_db[:, 0] == pytest.approx([3.54 * np.sqrt(1 - 2 / np.pi), 3.54], abs=0.1)


def test_more_shadowing_is_a_change(ring_of):
    ring = ring_of(BEFORE_DB, 1.6 * SIGMA_DB, (0, 0, 4), constant(1.0), -300.0, frames=8)
    assert has_changed(ring.frames[0], ring.count[0], BEFORE_DB[:, None], np.full((50, 1), SIGMA_DB), 0.0)


def test_gains_are_refitted_also_of_nodes_that_have_not_been_heard_since(after):
    truth_db, ring = after
    count = np.where(np.arange(50) % 3 == 0, 0, ring.count[0])
    gain_db, spread_db = refit(ring.frames[0], count, BEFORE_DB[:, None], 0.0)
    np.testing.assert_allclose(gain_db[:, 0], truth_db, atol=1.5)
    assert spread_db == pytest.approx(SIGMA_DB, abs=0.6)


def test_the_twin_begins_anew_when_the_channel_changes():
    """Twelve hours after the loss grew by 8 dB, gains are the new ones, and delivery is as promised."""
    network = norel_network(60, packets_per_s=1 / 120)
    loss_db = network.propagation.reference_loss_db + 8.0
    change = Change(at_s=12 * HOUR_S, values={"propagation.reference_loss_db": loss_db})
    scenario = replace(network, changes=(change,))
    learner = Twin(scenario, [0], restarts=True)
    air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
    run_until(air, learner, points, 12 * HOUR_S)
    assert learner.beliefs.begin_s[0] == 0.0
    run_until(air, learner, points, 16 * HOUR_S)
    outcome = run_until(air, learner, points, 24 * HOUR_S)
    assert learner.beliefs.begin_s[0] == pytest.approx(12 * HOUR_S, abs=2000.0)
    error_db = learner.beliefs.gain_db[0] - (network.mean_gain_db() - 8.0)
    assert abs(error_db.mean()) < 0.5 and np.sqrt((error_db**2).mean()) < 1.5
    promised = learner.diagnostics(scenario)["promised_pdr"][0]
    assert outcome.delivered.sum() / outcome.sent.sum() == pytest.approx(promised, abs=0.03)
