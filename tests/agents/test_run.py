from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.learner import Learner
from agents.run import run_episodes, run_intervals, run_until
from lora_marl.core.air import Air
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.kernel.state import DECISION
from lora_marl.core.outcome import Decisions
from lora_marl.core.presets import norel_network
from lora_marl.core.reception import Fate
from lora_marl.core.region import CHANNEL
from lora_marl.core.units import HOUR_S
from tests.core.scenarios import network


def air_and_learner(scenario, name, seeds):
    learner = agents.make(name, scenario, seeds)
    return Air(scenario, seeds, feedback=learner.feedback), learner


def sent_by_interval(air, learner, until_s, every_s, points=None):
    intervals = []
    points = run_intervals(
        air, learner, until_s, every_s, lambda t, outcome: intervals.append((t, outcome.sent)), points=points
    )
    return intervals, points


def test_intervals_end_at_multiples_and_at_the_end(journal):
    air, learner = Air(journal, [0, 1]), agents.make("cucb", journal, [0, 1])
    intervals, points = sent_by_interval(air, learner, 1000.0, 300.0)
    assert [time_s for time_s, _ in intervals] == [300.0, 600.0, 900.0, 1000.0]
    assert (air.now_s == 1000.0).all()
    assert all(sent.sum() > 0 for _, sent in intervals)
    assert points.shape == (2, 12, 4)


@pytest.mark.parametrize("name", ["cucb", "random"])
def test_a_run_cut_in_two_is_the_same_run(journal, name):
    seeds = [0, 5]
    whole, points = sent_by_interval(*air_and_learner(journal, name, seeds), HOUR_S, HOUR_S / 6)
    air, learner = air_and_learner(journal, name, seeds)
    first, cut_points = sent_by_interval(air, learner, HOUR_S / 3, HOUR_S / 6)
    resumed_air, resumed = air_and_learner(journal, name, seeds)
    resumed_air.load_state_dict(air.state_dict())
    resumed.load_state_dict(learner.state_dict())
    second, cut_points = sent_by_interval(resumed_air, resumed, HOUR_S, HOUR_S / 6, cut_points)
    np.testing.assert_array_equal(cut_points, points)
    for (time_s, sent), (whole_s, whole_sent) in zip(first + second, whole, strict=True):
        assert time_s == whole_s
        np.testing.assert_array_equal(sent, whole_sent)


@pytest.mark.parametrize("name", ["cucb", "ucb1", "random"])
def test_three_replicas_play_as_three_runs(journal, name):
    seeds = [4, 0, 9]
    _, together = sent_by_interval(*air_and_learner(journal, name, seeds), HOUR_S, HOUR_S)
    for b, seed in enumerate(seeds):
        _, alone = sent_by_interval(*air_and_learner(journal, name, [seed]), HOUR_S, HOUR_S)
        np.testing.assert_array_equal(together[b], alone[0])


def test_episodes_start_the_clock_again_and_the_learner_goes_on(journal):
    air, learner = Air(journal, [0]), agents.make("cucb", journal, [0])
    learned, durations_s = [], []

    def on_episode(episode, outcome):
        learned.append((episode, int(learner.t.sum())))
        durations_s.append(outcome.duration_s.item())

    points = run_episodes(air, learner, 3, 400.0, on_episode)
    run_episodes(air, learner, 1, 1200.0, on_episode, points=points)
    assert durations_s == [400.0, 400.0, 400.0, 1200.0]
    assert [episode for episode, _ in learned] == [0, 1, 2, 0]
    assert all(later > sooner for (_, sooner), (_, later) in zip(learned, learned[1:], strict=False))


def test_an_interval_of_no_length_is_an_error(journal):
    with pytest.raises(ValueError, match="every_s = 0"):
        run_intervals(Air(journal, [0]), agents.make("cucb", journal, [0]), 10.0, 0, lambda *_: None)


def test_an_air_with_other_feedback_is_refused(journal):
    learner = agents.make("static-sf7", journal, [0])
    with pytest.raises(ValueError, match="static-sf7 needs an air with Feedback.*answers=False"):
        run_intervals(Air(journal, [0]), learner, 10.0, 5.0, lambda *_: None)


def test_who_learns_from_packets_is_told_of_all_of_them_when_answers_are_late():
    """With gateways that may always send, feedback by downlink teaches CUCB nearly what free feedback does."""
    free = norel_network(40, 3000.0, packets_per_s=0.002, feedback="free")
    always = replace(PAPERS_DOWNLINK, rx1_duty_cycle=None, rx2_duty_cycle=None, interference=False)
    shares = {}
    for name, scenario in (("free", free), ("paid", replace(free, feedback="downlink", downlink=always))):
        learner = agents.make("cucb", scenario, [0, 1], eta=0.0)
        air, points = Air(scenario, [0, 1], feedback=learner.feedback), learner.initial_points()
        run_until(air, learner, points, 5e5)
        counted = learner.counts.sum() / len(learner.factors)
        outcome = run_until(air, learner, points, 8e5)
        shares[name] = outcome.delivered.sum() / outcome.sent.sum()
        assert counted > 0.95 * 2 * 40 * 5e5 / 1e3 * 0.9
    assert shares["paid"] > shares["free"] - 0.05


def test_the_packets_before_the_last_of_a_round():
    rows = np.zeros(3, DECISION)
    rows["node"], rows["sent"], rows["delivered"] = [0, 1, 2], [1, 4, 0], [1, 2, 0]
    rows["fate"] = [Fate.DELIVERED, Fate.DELIVERED, Fate.NONE]
    rows["rssi_dbm"] = -100.0
    batches = list(Decisions(rows).earlier())
    assert [batch.node.tolist() for batch in batches] == [[1]] * 3
    assert [batch.fate.tolist() for batch in batches] == [[Fate.INTERFERED], [Fate.INTERFERED], [Fate.DELIVERED]]
    assert np.isnan(batches[0].rssi_dbm[0]) and batches[2].rssi_dbm[0] == -100.0


def test_no_earlier_packets_are_looked_for_where_every_packet_is_answered(journal, monkeypatch):
    looked = []
    earlier = Decisions.earlier
    monkeypatch.setattr(Decisions, "earlier", lambda decisions: looked.append(len(decisions)) or earlier(decisions))
    air, learner = air_and_learner(journal, "cucb", [0, 1])
    points = learner.initial_points()
    while len(decisions := air.next_decisions(points, HOUR_S)):
        assert decisions.sent.max() <= 1
        assert not list(earlier(decisions))
        learner.answer(decisions, points)
    assert not looked


def test_earlier_packets_are_looked_for_where_downlinks_answer(monkeypatch):
    looked = []
    monkeypatch.setattr(Decisions, "earlier", lambda decisions: looked.append(len(decisions)) or iter(()))
    run_until(*(pair := air_and_learner(norel_network(20), "cucb", [0])), pair[1].initial_points(), HOUR_S)
    assert looked


class _Masked(Learner):
    """Lets nodes hop over all channels but the first, from its second decision on."""

    def select(self, decisions):
        later = decisions.fate != Fate.NONE
        self.channel_masks[decisions.replica[later], decisions.node[later], 0] = False
        return self.fixed_points[decisions.replica, decisions.node]


def test_a_learners_channel_masks_are_those_of_its_nodes():
    scenario = network(30)
    learner = _Masked(scenario, [0])
    learner.channel_masks = np.ones((1, 30, 3), np.bool_)
    air = Air(scenario, [0], record=True, feedback=learner.feedback)
    run_until(air, learner, learner.initial_points(), 200.0)
    packets, _ = air.recording()
    assert 0 in packets.point[packets.index == 0, CHANNEL]
    assert set(packets.point[packets.index > 0, CHANNEL]) == {1, 2}
