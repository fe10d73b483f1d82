"""What servers that run ADR have in common: sessions, histories, commands; and each of them on the air."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.rules import served_adr
from agents.rules.served_adr import LOSS_TABLE, SESSION, after_steps, nb_trans_by_loss
from agents.run import run_until
from lora_marl.core import phy
from lora_marl.core.air import Air
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.kernel.state import DECISION, HEARD
from lora_marl.core.outcome import REPEATED, Decisions, Heard
from lora_marl.core.presets import norel_network
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.region import HOP
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, network, region

FADING = Propagation(shadowing_db=0.0, fading="rayleigh")
SERVED = ("adr-chirpstack", "adr-tts", "adr-ns3", "adr-semtech")
NETWORK = network(3, region=region(channels=8))  # SF7 to SF12, 2, 4, ... 14 dBm: seven powers
NOISE_DBM = float(phy.noise_dbm(125e3, NETWORK.reception.noise_figure_db))


def uplinks(snr_db, *, rate=0, power=0, missed=0, node=0, nb_trans=1):
    """Uplinks received, by SNR, data rate and power of the server's numbering, frames lost before each, and NbTrans."""
    rows = np.zeros(len(snr_db), HEARD)
    rows["node"], rows["rssi_dbm"], rows["missed"] = node, NOISE_DBM + np.array(snr_db), missed
    rows["point"] = (5 - rate, 0, 3, 6 - power)
    return Heard(rows, np.full(len(rows), nb_trans, np.int8))


def commanded(learner, node=0):
    """The command to a node: data rate and power of the server's numbering, and NbTrans."""
    rows = np.zeros(1, DECISION)
    rows["node"], rows["sent"] = node, 1
    sf, bw, channel, tp = learner.select(Decisions(rows))[0].tolist()
    assert (bw, channel) == (0, HOP)
    return 5 - sf, 6 - tp, int(learner.state_arrays()["wanted_nb_trans"][0, node])


def answers(learner, snr_db, **fields):
    """The commands after each of some uplinks of node 0."""
    commands = []
    for snr in snr_db:
        learner.hear(uplinks([snr], **fields))
        commands.append(commanded(learner))
    return commands


@pytest.mark.parametrize(
    ("steps", "rate", "power", "expected"),
    [
        (0, 3, 1, (3, 1)),
        (1, 4, 1, (5, 1)),
        (1, 5, 1, (5, 2)),
        (2, 3, 1, (5, 1)),
        (2, 4, 1, (5, 2)),
        (2, 5, 1, (5, 3)),
        (2, 5, 5, (5, 5)),
        (-1, 5, 1, (5, 0)),
        (-1, 4, 0, (4, 0)),
        (-10, 4, 0, (4, 0)),
    ],
)
def test_steps_raise_the_data_rate_then_lower_the_power_and_back_the_power_alone(steps, rate, power, expected):
    # The ten cases that ChirpStack states of its own rule, with the fastest data rate 5 and the lowest power 5.
    assert after_steps(steps, rate, power, 5, 5) == expected


@pytest.mark.parametrize(
    ("loss_percent", "nb_trans", "expected"),
    [(4.99, 3, 2), (9.99, 2, 2), (30.0, 3, 3), (0.0, 1, 1), (5.0, 1, 1), (10.0, 1, 2), (29.9, 1, 2), (30.0, 1, 3)],
)
def test_nb_trans_follows_the_loss_table(loss_percent, nb_trans, expected):
    assert nb_trans_by_loss(nb_trans, loss_percent) == expected


def test_more_loss_never_means_fewer_transmissions():
    assert np.all(np.diff(LOSS_TABLE, axis=0) >= 0) and np.all(np.diff(LOSS_TABLE, axis=1) >= 0)


@pytest.mark.parametrize("name", SERVED)
def test_before_anything_is_heard_a_device_sends_as_lorawan_has_it(name):
    learner = agents.make(name, NETWORK, [0])
    assert learner.initial_points()[0].tolist() == [[5, 0, HOP, 6]] * 3
    assert commanded(learner) == (0, 0, 1)
    assert learner.feedback.decides == "server" and learner.feedback.packets == 1 and learner.feedback.backoff


def test_the_first_spreading_factor_may_be_the_smallest_that_reaches():
    learner = agents.make("adr-chirpstack", norel_network(40), [0], start="min_sf")
    assert len(set(learner.initial_points()[0, :, 0].tolist())) > 1


@pytest.mark.parametrize("name", [*SERVED, "adr-server"])
def test_channels_may_be_dealt_out_and_stay(name):
    scenario = network(10, spread_m=100.0, propagation=STILL, region=region(channels=8))
    learner = agents.make(name, scenario, [0], channels="dealt", backoff=False)
    air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
    run_until(air, learner, points, 1000.0)
    assert points[0, :, 2].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]


@pytest.mark.parametrize("name", SERVED)
def test_uplinks_of_one_batch_are_taken_in_one_after_another(name):
    rng = np.random.default_rng(4)
    rows = np.concatenate(
        [uplinks([snr], node=int(n), rate=int(rate), missed=int(missed)).records
         for snr, n, rate, missed in zip(rng.normal(0, 8, 200), rng.integers(0, 3, 200), rng.integers(0, 2, 200),
                                         rng.choice([REPEATED, -1, 0, 0, 0, 4], 200), strict=True)]
    )  # fmt: skip
    at_once, one_by_one = (agents.make(name, NETWORK, [0]) for _ in range(2))
    at_once.hear(Heard(rows))
    for i in range(len(rows)):
        one_by_one.hear(Heard(rows[i : i + 1]))
    for field, array in at_once.state_arrays().items():
        np.testing.assert_array_equal(array, one_by_one.state_arrays()[field], err_msg=field)


@pytest.mark.parametrize("name", SERVED)
def test_whatever_is_heard_commands_stay_in_the_region_and_never_slow_a_device_down(name):
    rng, learner = np.random.default_rng(9), agents.make(name, NETWORK, [0])
    for _ in range(400):
        rate, power = int(rng.integers(0, 6)), int(rng.integers(0, 7))
        missed = int(rng.choice([REPEATED, -1, 0, 3]))
        learner.hear(uplinks([rng.normal(-5, 12)], rate=rate, power=power, missed=missed))
        wanted_rate, wanted_power, nb_trans = commanded(learner)
        assert wanted_rate in range(6) and wanted_power in range(7) and nb_trans in (1, 2, 3)
        session = {field: array[0, 0] for field, array in learner.state_arrays().items()}
        assert wanted_rate >= session["rate"] and 1 <= session["entries"] <= served_adr.HISTORY


@pytest.mark.parametrize("name", SERVED)
def test_each_settles_where_its_margin_is_used_up(name):
    """120 dB leave 11 dB of SNR at 14 dBm: the fastest data rate, a power that fits, and then no more commands."""
    scenario = network(
        4, path_loss_db=np.full((4, 1), 120.0), propagation=STILL, feedback="downlink", region=region(channels=8),
        downlink=replace(PAPERS_DOWNLINK, rx1_duty_cycle=None, rx2_duty_cycle=None),
    )  # fmt: skip
    learner = agents.make(name, scenario, [0, 1])
    air, points = Air(scenario, [0, 1], feedback=learner.feedback), learner.initial_points()
    run_until(air, learner, points, 2000.0)
    settled = points.copy()
    later = run_until(air, learner, points, 3000.0)
    np.testing.assert_array_equal(points, settled)
    assert set(settled[..., 0].ravel()) == {0} and np.all(settled[..., 3] < 6)
    assert later.downlinks.sum() <= later.sent.sum() / 50  # only answers to ADRACKReq, every 65th frame
    assert later.delivered.sum() / later.sent.sum() > 0.8


def test_a_command_that_does_not_arrive_is_repeated_and_its_history_goes_on():
    learner = agents.make("adr-semtech", NETWORK, [0])
    commands = answers(learner, [20.0] * 25)
    assert commands[:19] == [(0, 0, 1)] * 19
    assert commands[19:] == [commands[19]] * 6 and commands[19] != (0, 0, 1)
    rate, power, _ = commands[19]
    assert answers(learner, [5.0], rate=rate, power=power) == [commands[19]]  # accepted: the history begins anew
    assert learner.state_arrays()["entries"][0, 0] == 1


@pytest.mark.parametrize("name", ["adr-semtech", "adr-chirpstack", "adr-tts"])
def test_a_command_of_nb_trans_alone_is_accepted_by_an_uplink_that_obeys_it(name):
    # Half of the frames are lost, and no margin is left: 10 dB (The Things Stack: 15 dB) above what SF12 needs.
    learner, snr_db = agents.make(name, NETWORK, [0]), -5.0 if name == "adr-tts" else -10.0
    wanted = answers(learner, [snr_db] * 20, missed=1)[-1]
    assert wanted[:2] == (0, 0) and wanted[2] > 1
    state = learner.state_arrays()
    answers(learner, [snr_db], missed=1)
    assert (state["nb_trans"][0, 0], state["entries"][0, 0]) == (1, 20)
    answers(learner, [snr_db], missed=1, nb_trans=commanded(learner)[2])
    assert (state["nb_trans"][0, 0], state["entries"][0, 0]) == (wanted[2], 1)


@pytest.mark.parametrize("name", ["adr-semtech", "adr-tts"])
def test_frames_that_fading_loses_are_sent_more_than_once(name):
    """SNR of 5 dB beyond what SF12 needs, under Rayleigh fading: 27 % of packets are lost, and far fewer frames."""
    scenario = network(
        6, path_loss_db=np.full((6, 1), 14.0 - NOISE_DBM + 15.0), propagation=FADING, region=region(channels=8),
        traffic=Traffic(interval_s=120.0, payload_bytes=20), reception=Reception(inter_sf="none", capture_db=-np.inf),
        feedback="downlink", downlink=replace(PAPERS_DOWNLINK, rx1_duty_cycle=None, rx2_duty_cycle=None),
    )  # fmt: skip
    learner = agents.make(name, scenario, [0], backoff=False)
    air, points = Air(scenario, [0], feedback=learner.feedback), learner.initial_points()
    run_until(air, learner, points, 10_000.0)
    outcome = run_until(air, learner, points, 40_000.0)
    assert learner.nb_trans.max() > 1
    frames = outcome.frames_delivered.sum() + outcome.frames_lost.sum()
    assert outcome.frames_delivered.sum() / frames > outcome.delivered.sum() / outcome.sent.sum() + 0.1
    assert outcome.sent.sum() > 1.5 * frames


def test_confirmed_frames_have_no_nb_trans_to_command():
    scenario = network(3, region=region(channels=8), traffic=Traffic(confirmed=True, after_end=False))
    learner = agents.make("adr-chirpstack", scenario, [0])
    answers(learner, [-8.0] * 18)
    answers(learner, [-8.0], missed=9)
    assert learner.nb_trans is None and answers(learner, [-8.0]) == [(0, 0, 1)]


def test_nb_trans_is_commanded_with_the_decision():
    learner = agents.make("adr-chirpstack", NETWORK, [0])
    answers(learner, [-8.0] * 18)
    answers(learner, [-8.0], missed=9)
    assert learner.nb_trans.tolist() == [[1, 1, 1]]
    assert answers(learner, [-8.0]) == [(0, 0, 3)] and learner.nb_trans.tolist() == [[3, 1, 1]]


@pytest.mark.parametrize("name", SERVED)
def test_every_node_may_have_a_margin_of_its_own(name):
    learner = agents.make(name, NETWORK, [0], margin_db=[0.0, 10.0, 30.0])
    for node in range(3):
        learner.hear(uplinks([-2.0] * 20, node=node))
    rates = [commanded(learner, node)[0] for node in range(3)]
    assert rates[0] > rates[1] > rates[2] == 0


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"margin_db": np.nan}, "margin_db"),
        ({"start": "fast"}, "start: 'fast'"),
        ({"channels": "one"}, "channels: 'one'"),
    ],
)
def test_parameters_outside_their_range_are_named(name, parameters, named):
    with pytest.raises(ValueError, match=named):
        agents.make(name, NETWORK, [0], **parameters)


def test_sessions_are_all_that_a_server_keeps():
    learner = agents.make("adr-tts", NETWORK, [0, 1])
    assert set(learner.state_arrays()) == {*SESSION.names, "commanded_nb_trans"}
