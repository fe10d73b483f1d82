"""Estimators recover the truth that frames were made from, within the errors that are stated here."""

import numpy as np
import pytest

from agents.twin.beliefs import BURST_S, EPOCHS, Beliefs
from agents.twin.gains import improve_gains
from agents.twin.knowledge import public_scenario
from agents.twin.rates import mean_gaps_s
from agents.twin.tables import build_tables
from lora_marl.core.presets import norel_network

SIGMA_DB, FLOOR_DBM = 3.54, -124.0  # of SF7 in NoReL's network


def constant(share):
    """A field that leaves the same share at all powers."""
    return lambda power_dbm: share


def estimated(ring, sigma_db, left_share, *, rounds=30):
    """Gains and sigma by the estimator, from a field that leaves the same share at all powers."""
    public = public_scenario(norel_network(ring.count.shape[1]))
    nodes = ring.count.shape[1]
    heard = np.arange(ring.frames.shape[2]) < ring.count[0][:, None]
    gain_db = np.where(heard, ring.frames[0]["gain_db"], 0.0).sum(axis=1)[:, None] / ring.count[0][:, None]
    for _ in range(rounds):
        t = build_tables(public, np.array([20]), sigma_db)
        left = np.full((EPOCHS, 1, 1, 6, t.limit.shape[2]), left_share)
        squares, number = improve_gains(
            t, left, ring.frames[0], ring.count[0], 0.0, np.zeros(nodes, np.int64), gain_db,
            np.full_like(gain_db, gain_db.mean()), sigma_db**2 / max(gain_db.var(), 1.0), sigma_db, 2,
        )  # fmt: skip
        sigma_db = np.sqrt(squares / number)
    return gain_db[:, 0], sigma_db


@pytest.fixture(scope="module")
def weak_links(ring_of):
    """40 links from 3 dB below the floor to 9 dB above it at 14 dBm; a fifth of what reaches it is lost otherwise."""
    truth_db = np.linspace(FLOOR_DBM - 14 - 3, FLOOR_DBM - 14 + 9, 40)
    return truth_db, ring_of(truth_db, SIGMA_DB, (0, 0, 4), constant(0.8), FLOOR_DBM)


def test_gains_and_sigma_are_those_that_the_frames_were_drawn_from(weak_links):
    truth_db, ring = weak_links
    gain_db, sigma_db = estimated(ring, 6.0, 0.8)
    assert np.sqrt(np.mean((gain_db - truth_db) ** 2)) < 0.5
    assert abs(np.mean(gain_db - truth_db)) < 0.15
    assert sigma_db == pytest.approx(SIGMA_DB, abs=0.15)


def test_received_frames_alone_mislead(weak_links):
    truth_db, ring = weak_links
    mean_db = ring.frames[0]["gain_db"].mean(axis=1)
    assert (mean_db - truth_db)[:10].mean() > 2.0


def test_losses_by_collision_are_not_taken_for_a_weak_link(weak_links):
    truth_db, ring = weak_links
    blamed_db, _ = estimated(ring, 6.0, 1.0)
    gain_db, _ = estimated(ring, 6.0, 0.8)
    strong = truth_db > FLOOR_DBM - 14 + 5
    assert np.mean((blamed_db - truth_db)[strong]) < -0.5 < -0.2 < np.mean((gain_db - truth_db)[strong])


def test_few_frames_do_not_inflate_sigma(ring_of):
    truth_db = np.random.default_rng(1).normal(-110.0, 8.0, 200)
    ring = ring_of(truth_db, SIGMA_DB, (0, 0, 4), constant(1.0), -300.0, frames=3)
    assert estimated(ring, 6.0, 1.0)[1] == pytest.approx(SIGMA_DB, abs=0.4)


def test_mean_gaps_are_those_of_the_nodes(ring_of):
    """Log-normal mean gaps; a tenth of the packets is lost, and the duty cycle keeps nodes silent for 10 s."""
    rng = np.random.default_rng(2)
    truth_s = 1000.0 * np.exp(0.5 * rng.normal(size=60))
    rings = [
        ring_of([-100.0], 1.0, (0, 0, 4), constant(0.9), -300.0, interval_s=gap, seed=i)
        for i, gap in enumerate(truth_s)
    ]
    frames = np.concatenate([ring.frames[0] for ring in rings])
    count = np.concatenate([ring.count[0] for ring in rings])
    silence = np.cumsum(frames["missed"] + 1, axis=1) * 10.0
    frames["since_s"] += (frames["missed"] + 1) * 10.0
    frames["time_s"] += silence
    now_s = float(frames["time_s"].max())
    frames["time_s"] += now_s - frames["time_s"][:, -1:]  # all were heard just now
    gaps_s = mean_gaps_s(frames, count, np.zeros(60, np.int64), np.full(6, 0.1), 100.0, now_s)
    assert np.abs(np.log(gaps_s / truth_s)).mean() < 0.12
    assert np.mean(gaps_s / truth_s) == pytest.approx(1.0, abs=0.05)


def test_a_node_with_few_frames_counts_as_the_others(ring_of):
    rings = [ring_of([-100.0], 1.0, (0, 0, 4), constant(1.0), -300.0, seed=i) for i in range(20)]
    frames = np.concatenate([ring.frames[0] for ring in rings])
    count = np.full(20, 100)
    count[3], count[4] = 1, 0
    frames["time_s"] += 1e9 - frames["time_s"].max(axis=1, keepdims=True)
    gaps_s = mean_gaps_s(frames, count, np.zeros(20, np.int64), np.full(6, 0.1), 1.0, 1e9)
    assert gaps_s[[3, 4]] == pytest.approx(gaps_s[count == 100].mean(), rel=0.1)
    assert np.isnan(
        mean_gaps_s(frames, np.zeros(20, np.int64), np.zeros(20, np.int64), np.full(6, 0.1), 1.0, 1e9)
    ).all()


def test_interference_from_outside_is_told_by_the_loss_that_the_model_lacks(ring_of):
    """40 strong nodes at SF7 and 40 at SF10: both lose what a hazard of .1 per s takes by their airtime."""
    hazard_per_s, nodes = 0.1, 80
    public = public_scenario(norel_network(nodes))
    first = np.zeros((1, nodes, 3), np.int64)
    first[0, 40:, 0], first[..., 2] = 3, 4
    beliefs = Beliefs(public, 1, first)
    airtime_s = beliefs.tables(0).airtime_s[first[0, :, 0]]
    survive = np.exp(-hazard_per_s * (airtime_s + BURST_S))
    parts = []
    for n, share in enumerate(survive.tolist()):
        point = first[0, n, 0], 0, 4
        parts.append(ring_of([-90.0], SIGMA_DB, point, constant(share), -300.0, interval_s=1e5, seed=n))
    ring = parts[0]
    ring.frames = np.concatenate([part.frames for part in parts], axis=1)
    ring.count = np.concatenate([part.count for part in parts], axis=1)
    for _ in range(3):
        assert beliefs.update(0, ring, 0, float(ring.frames["time_s"].max()), 0.0)
    assert beliefs.hazard_per_s[0, 0] == pytest.approx(hazard_per_s, rel=0.15)
    assert beliefs.delivery[0, :40].mean() == pytest.approx(survive[0], abs=0.01)


def test_a_measured_bias_is_trusted_by_its_frames(ring_of):
    beliefs = Beliefs(public_scenario(norel_network(40)), 1, np.zeros((1, 40, 3), np.int64))
    ring = ring_of(np.full(40, -90.0), 1.0, (0, 0, 0), constant(0.9), -300.0)
    beliefs.correct_bias(0, ring, 0.95, 0.0)
    frames = 40 * 127 / 0.9
    assert beliefs.bias[0] == pytest.approx(0.05 * frames / (frames + 5000), abs=0.005)


def test_a_silent_node_is_gone_and_an_unheard_one_counts_for_a_while(ring_of):
    public = public_scenario(norel_network(30))
    first = np.zeros((1, 30, 3), np.int64)
    beliefs = Beliefs(public, 1, first)
    ring = ring_of(np.full(30, -90.0), 1.0, (0, 0, 0), constant(1.0), -300.0)
    ring.frames["time_s"] += 2e5 - ring.frames["time_s"].max(axis=2, keepdims=True)
    ring.count[0, 7] = 0
    for now_s, unheard, silent in ((3e4, True, True), (2e5, False, True), (4e5, False, False)):
        assert beliefs.update(0, ring, 0, now_s, np.inf)
        assert np.isfinite(beliefs.interval_s[0, 7]) == unheard
        assert np.isfinite(beliefs.interval_s[0, 3]) == silent
