"""ADR as a network server runs it, by hand-made packets and on the air."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.rules.adr_server import AdrServer
from agents.run import run_until
from lora_marl.core.air import Air
from lora_marl.core.kernel.state import DECISION, HEARD
from lora_marl.core.outcome import REPEATED, Decisions, Heard
from lora_marl.core.presets import journal_network, norel_network
from lora_marl.core.region import HOP
from lora_marl.core.traffic import Traffic

NOISE_DBM = -174 + 10 * np.log10(125e3)


def heard(snr_db, node=0, sf=0):
    rows = np.zeros(len(snr_db), HEARD)
    rows["node"], rows["rssi_dbm"], rows["point"] = node, NOISE_DBM + np.array(snr_db), (sf, 0, 0, 4)
    return Heard(rows)


def answer(learner, point=(0, 0, 0, 4), node=0):
    rows = np.zeros(1, DECISION)
    rows["node"], rows["point"], rows["sent"] = node, point, 20
    return learner.select(Decisions(rows))[0].tolist()


# SF7 needs -7.5 dB: with a margin of 10 dB an SNR of 2.5 dB is exactly enough, and every 3 dB more are a step.
@pytest.mark.parametrize(
    ("snr_db", "point", "expected"),
    [
        (2.5, (0, 0, 0, 4), [0, 0, 0, 4]),
        (5.4, (0, 0, 0, 4), [0, 0, 0, 4]),
        (5.6, (0, 0, 0, 4), [0, 0, 0, 3]),
        (30.0, (0, 0, 0, 4), [0, 0, 0, 0]),
        (2.4, (0, 0, 0, 2), [0, 0, 0, 3]),
        (-20.0, (0, 0, 0, 2), [0, 0, 0, 4]),
        (6.6, (2, 0, 0, 4), [0, 0, 0, 3]),
        (0.6, (2, 0, 0, 4), [1, 0, 0, 4]),
        (-12.0, (5, 0, 0, 1), [5, 0, 0, 2]),
    ],
)
def test_steps_of_three_db(snr_db, point, expected):
    learner = AdrServer(norel_network(2), [0], margin_db=10.0)
    learner.hear(heard([snr_db] * 20, sf=point[0]))
    assert answer(learner, point) == expected


def test_every_node_may_have_a_margin_of_its_own():
    """20 dB above what SF7 needs: three steps down in power for a margin of 10 dB, two up for one of 25 dB."""
    network = norel_network(2)
    for node, margin_db in enumerate((10.0, 25.0)):
        commands = []
        for given in ([10.0, 25.0], margin_db):
            learner = AdrServer(network, [0], margin_db=given)
            learner.hear(heard([12.5] * 20, node=node))
            commands.append(answer(learner, (0, 0, 0, 2), node))
        assert commands[0] == commands[1] and commands[0][3] == (0, 4)[node]


def test_the_mean_or_the_strongest_of_the_last_packets_counts():
    for statistic, expected in (("mean", 4), ("max", 0)):
        learner = AdrServer(norel_network(2), [0], margin_db=10.0, statistic=statistic, history=3)
        learner.hear(heard([50.0] * 5))
        learner.hear(heard([1.0, 1.0]))
        learner.hear(heard([20.0] if statistic == "max" else [1.0]))
        assert answer(learner)[3] == expected


@pytest.mark.parametrize(("name", "kept"), [("adr-server", "snr_db"), ("dylora", "gain_db")])
def test_a_retry_of_a_frame_is_no_packet_of_the_history(name, kept):
    learner = agents.make(name, norel_network(2), [0], history=4)
    rows = heard([1.0, 2.0, 3.0]).records
    rows["missed"] = [-1, REPEATED, 0]
    learner.hear(Heard(rows))
    state = learner.state_arrays()
    assert state["heard"][0, 0] == 2 and np.diff(state[kept][0, 0, :2]).tolist() == pytest.approx([2.0])


def test_packets_of_one_batch_fill_the_history_in_order():
    at_once, one_by_one = (AdrServer(norel_network(3), [0], history=4) for _ in range(2))
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [heard([snr], node=int(n)).records for snr, n in zip(rng.normal(size=40), rng.integers(0, 3, 40))]
    )
    at_once.hear(Heard(rows))
    for i in range(40):
        one_by_one.hear(Heard(rows[i : i + 1]))
    # More packets than places at once: what is overwritten within a batch is not kept.
    np.testing.assert_array_equal(at_once.state_arrays()["heard"], one_by_one.state_arrays()["heard"])
    np.testing.assert_array_equal(at_once.state_arrays()["snr_db"], one_by_one.state_arrays()["snr_db"])


def test_commands_cost_downlinks_and_settle():
    scenario = norel_network(50, packets_per_s=0.005)
    learner = agents.make("adr-server", scenario, [0, 1], backoff=False)
    air, points = Air(scenario, [0, 1], feedback=learner.feedback), learner.initial_points()
    first = run_until(air, learner, points, 1e5)
    later = run_until(air, learner, points, 4e5)
    assert (
        0 < first.downlinks.sum()
        and later.downlinks.sum() / later.sent.sum() < first.downlinks.sum() / first.sent.sum()
    )


def test_backoff_makes_nodes_ask():
    scenario = norel_network(20, packets_per_s=0.005)
    asked = {}
    for backoff in (False, True):
        learner = agents.make("adr-server", scenario, [0], backoff=backoff, margin_db=100.0)
        air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
        points[..., 3] = 3
        outcome = run_until(air, learner, points, 1e5)
        asked[backoff] = outcome.downlinks.sum() / outcome.sent.sum()
    assert asked[True] > asked[False] == 0


def test_a_margin_that_follows_the_shadowing_grows_with_it():
    scenario = norel_network(200)
    rng, used = np.random.default_rng(3), {}
    for sigma_db in (1.0, 3.54, 7.08):
        learner = AdrServer(scenario, [0], margin_db=None, history=20)
        for _ in range(12):
            rows = np.concatenate([heard([0.0], node=int(n)).records for n in rng.integers(0, 200, 100)])
            gain_db = scenario.mean_gain_db()[..., rows["node"], 0].ravel()
            rows["rssi_dbm"] = 14 + gain_db + sigma_db * rng.normal(size=100)
            rows["point"] = (5, 0, 0, 4)
            rows["time_s"] = np.arange(100.0)
            learner.hear(Heard(rows[rows["rssi_dbm"] >= -137.0]))
        used[sigma_db] = learner.channel_state.sigma_at_db(np.zeros(1, int), np.array([np.inf]))[0]
        assert learner._reserves_db(np.zeros(1, int), np.zeros(1, int), np.array([np.inf])) == pytest.approx(
            used[sigma_db] + 8
        )
        assert used[sigma_db] == pytest.approx(sigma_db, rel=0.35)
    assert used[1.0] < used[3.54] < used[7.08]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"history": 0}, "history = 0"), ({"margin_db": np.nan}, "margin_db: nan is not within"),
     ({"statistic": "last"}, "statistic"), ({"start": "fast"}, "start: 'fast'")],
)  # fmt: skip
def test_parameters_outside_their_range_are_named(parameters, named):
    with pytest.raises(ValueError, match=named):
        AdrServer(norel_network(2), [0], **parameters)


@pytest.mark.parametrize("margin_db", [15.0, None], ids=["adr-server", "adr-sigma8"])
def test_nodes_are_told_to_hop_whichever_channel_their_last_packet_was_on(margin_db):
    scenario = journal_network(30)
    learner = agents.make("adr-server", scenario, [0], margin_db=margin_db)
    air, points = Air(scenario, [0], count_arms=True, feedback=learner.feedback), learner.initial_points()
    first = points.copy()
    outcome = run_until(air, learner, points, 4000.0)
    assert (first[..., 2] == HOP).all() and (points[..., 2] == HOP).all()
    assert (points != first).any()
    by_channel = outcome.arm_sent[0].sum(axis=0)[-15:-7]
    assert by_channel.min() > 0.8 * by_channel.mean()


def test_nodes_that_hop_deliver_more_than_nodes_that_share_one_of_the_channels():
    """The network of `configs/adr_journal.yaml`: all eight channels against the first of them alone."""
    pdr = {}
    network = journal_network(traffic=Traffic(interval_s=60.0, payload_bytes=50))
    for channels in (8, 1):
        scenario = replace(
            network,
            region=replace(network.region, channels_hz=network.region.channels_hz[:channels]),
            feedback="downlink",
        )
        learner = agents.make("adr-server", scenario, [0])
        air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
        run_until(air, learner, points, 3600.0)
        outcome = run_until(air, learner, points, 3 * 3600.0)
        pdr[channels] = outcome.delivered.sum() / outcome.sent.sum()
    assert pdr[8] > pdr[1] + 0.08
