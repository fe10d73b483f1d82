"""Downlinks: hand-worked exchanges, and a reference of who hears what on busy networks."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core import phy, tables, units
from lora_marl.core.air import Air
from lora_marl.core.downlink import NEVER, Downlink, Feedback
from lora_marl.core.propagation import path_loss_db
from lora_marl.core.reception import Fate, Reception
from lora_marl.core.region import REGIONS
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import STILL, downlink, network, random_points, region, timed

SMALL = Traffic(interval_s=5.0, payload_bytes=15)
SLOW = Traffic(kind="periodic", interval_s=1e6, random_phase=False, payload_bytes=20)
EVERY = Feedback()


def exchange(scenario, sf, *, feedback=EVERY, until_s=50.0, channel=0):
    """Play hand-set uplinks at full power; the recorded packets, and the outcome."""
    air = Air(scenario, [0], record=True, feedback=feedback)
    nodes = np.zeros(scenario.nodes)
    point = scenario.region.points(sf=sf + nodes, bw_hz=125e3, channel=channel + nodes.astype(int), tp_dbm=14.0)
    outcome = air.advance(point[None], until_s)
    return air.recording()[0], outcome


def answered(starts_s, loss_db, sf, *, down=None, **fields):
    scenario = timed(starts_s, loss_db, feedback="downlink", downlink=down or downlink(), **fields)
    return exchange(scenario, np.asarray(sf))


def airtime_s(sf):
    return phy.airtime_s(sf, 20, bw_hz=125e3, crc=False)


def test_rx1_opens_one_second_after_the_uplink_on_its_channel_and_spreading_factor():
    packets, outcome = answered([0.0], [100.0], 9, region=region(channels=3))
    assert packets.kind.tolist() == [0, 1] and packets.source.tolist() == [0, 0]
    assert packets.gateway.tolist() == [-1, 0] and packets.fate.tolist() == [0, 0]
    assert packets.start_s[1] == packets.end_s[0] + 1.0
    assert packets.end_s[1] - packets.start_s[1] == pytest.approx(airtime_s(9))
    assert packets.point[1].tolist() == [2, 0, 0, 0]
    assert outcome.downlinks[0, 0] == outcome.downlinks_received[0, 0] == 1
    assert outcome.downlink_airtime_s[0, 0] == pytest.approx(airtime_s(9))


def test_rx2_opens_two_seconds_after_it_at_a_spreading_factor_of_its_own():
    packets, _ = answered([0.0], [100.0], 7, down=downlink(windows="rx2"))
    assert packets.start_s[1] == packets.end_s[0] + 2.0
    assert packets.point[1].tolist() == [5, 0, 3, 0]
    assert packets.end_s[1] - packets.start_s[1] == pytest.approx(airtime_s(12))


def test_a_gateway_that_must_keep_silent_in_rx1_answers_in_rx2():
    # RX1's downlink to node 0 silences the sub-band for 99 times its airtime, so node 1 is answered in RX2.
    packets, _ = answered([0.0, 3.0], [100.0, 100.0], 7)
    down = packets.kind == 1
    assert packets.point[down, 0].tolist() == [0, 5]
    assert packets.start_s[down][1] == packets.end_s[packets.source == 1][0] + 2.0


def test_nobody_answers_when_no_window_is_left():
    packets, outcome = answered([0.0, 3.0], [100.0, 100.0], 7, down=downlink(windows="rx1"))
    assert (packets.kind == 1).sum() == 1
    assert outcome.downlinks_refused[0].tolist() == [0, 1] and outcome.downlinks[0].tolist() == [1, 0]


def test_no_duty_cycle_answers_everybody_in_rx1():
    packets, outcome = answered([0.0, 3.0], [100.0, 100.0], 7, down=downlink(rx1_duty_cycle=None))
    assert packets.point[packets.kind == 1, 0].tolist() == [0, 0]
    assert outcome.downlinks_refused.sum() == 0


def test_a_gateway_is_deaf_while_it_sends():
    # SF7's uplink ends at 0.057 s: the SF7 answer fills 1.057 to 1.108 s; node 1 begins inside, node 2 after it.
    packets, outcome = answered([0.0, 1.06, 1.2], [100.0] * 3, 7)
    up = packets.kind == 0
    assert packets.fate[up].tolist() == [Fate.DELIVERED, Fate.GATEWAY_SENDING, Fate.DELIVERED]
    assert outcome.gateway_sending[0].tolist() == [0, 1, 0]


def test_spared_symbols_may_fall_into_a_downlink():
    whole, spared = (
        answered([0.0, 1.1], [100.0] * 2, 7, reception=Reception(spared_preamble_symbols=symbols))[1]
        for symbols in (0.0, 12.0)
    )
    assert whole.gateway_sending[0].tolist() == [0, 1] and spared.gateway_sending[0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("spares", "fates"),
    [("target", [Fate.DELIVERED, Fate.INTERFERED]), ("pair", [Fate.INTERFERED, Fate.INTERFERED])],
)
def test_spared_symbols_of_a_downlink_may_be_hit_by_another_one(spares, fates):
    """The SF12 answer's 7.25 spared symbols last 238 ms; the SF7 answer of the other gateway fills 100 to 151 ms of it.

    Under `pair` only an overlap of nothing but the later one's spared symbols spares the earlier one.
    """
    rule = Reception(inter_sf="sir_pairwise", sir_db=np.full((6, 6), 30.0), spared_preamble_symbols=7.25, spares=spares)
    long_s = float(phy.airtime_s(12, 20, bw_hz=125e3, low_data_rate="off"))
    packets, _ = answered(
        [0.0, long_s + 0.1 - float(phy.airtime_s(7, 20, bw_hz=125e3))],
        [[100.0, 120.0], [120.0, 100.0]], [12, 7], reception=rule, region=region(channels=1),
    )  # fmt: skip
    down = packets.kind == 1
    assert packets.start_s[down] == pytest.approx([long_s + 1.0, long_s + 1.1])
    assert packets.fate[down].tolist() == fates


def test_a_receiving_gateway_does_not_begin_to_send_unless_downlinks_go_first():
    # Node 1 (SF10, on another channel) is on the air from 0.9 s to 1.3 s, over the opening of RX1 at 1.057 s.
    fields = {"region": region(channels=2)}
    scenario = timed([0.0, 0.9], [100.0, 100.0], feedback="downlink", **fields)
    polite, _ = exchange(scenario, np.array([7, 10]), channel=np.array([0, 1]))
    first = replace(scenario, downlink=downlink(priority="downlink"))
    rude, outcome = exchange(first, np.array([7, 10]), channel=np.array([0, 1]))
    assert polite.point[(polite.kind == 1) & (polite.source == 0), 0].tolist() == [5]
    assert rude.point[(rude.kind == 1) & (rude.source == 0), 0].tolist() == [0]
    assert outcome.gateway_sending[0].tolist() == [0, 1] and outcome.downlinks[0].tolist() == [1, 0]


def test_the_next_best_gateway_answers_in_rx2():
    # Gateway 1 hears node 0 best and answers it; node 1 is then answered by gateway 0, which hears it worse.
    down = downlink(rx1_duty_cycle=0.01, rx2_duty_cycle=None)
    packets, _ = answered([0.0, 1.0], [[110.0, 100.0]] * 2, [12, 7], down=down, region=region(channels=1))
    answers = packets.kind == 1
    assert set(zip(packets.source[answers].tolist(), packets.gateway[answers].tolist(), strict=True)) <= {
        (0, 1),
        (1, 0),
        (1, 1),
    }
    assert packets.gateway[answers & (packets.source == 0)].tolist() == [1]


def test_a_node_too_far_for_the_window_does_not_receive():
    # 14 dBm over 140 dB is -126 dBm: enough for SF12, not for SF7 (-124 dBm), which a stronger node could use.
    weak = Reception(sensitivity_dbm=tables.SENSITIVITY_DBM["norel"], inter_sf="none")
    scenario = timed([0.0], [140.0], feedback="downlink", reception=weak)
    _, far = exchange(scenario, 12)
    _, too_far = exchange(replace(scenario, downlink=downlink(tp_dbm=2.0)), 12)
    assert far.downlinks_received[0, 0] == 1
    assert too_far.downlinks[0, 0] == 1 and too_far.downlinks_received[0, 0] == 0


def test_a_lost_uplink_is_not_answered():
    _, outcome = answered([0.0], [170.0], 7)
    assert outcome.delivered.sum() == outcome.downlinks.sum() == outcome.downlinks_refused.sum() == 0


def test_answers_wait_for_the_packets_between_feedbacks():
    scenario = network(
        1, spread_m=10.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=30.0),
        downlink=downlink(rx1_duty_cycle=None),
    )  # fmt: skip
    for count in (1, 4):
        air = Air(scenario, [0], feedback=Feedback(packets=count))
        outcome = air.advance(random_points(scenario), 30_000.0)
        assert outcome.delivered.sum() == outcome.sent.sum() > 800
        answers = outcome.downlinks + outcome.downlinks_refused
        assert answers.sum() == outcome.sent.sum() // count


def test_rules_that_need_no_answers_cost_no_downlinks():
    scenario = network(10, feedback="downlink", traffic=Traffic(interval_s=5.0))
    air, points, rows = Air(scenario, [0], feedback=Feedback(answers=False)), random_points(scenario), 0
    while len(decisions := air.next_decisions(points, 500.0)):
        rows += len(decisions)
    outcome = air.take_outcome()
    assert (
        rows > 500 and outcome.downlinks.sum() == outcome.downlinks_refused.sum() == outcome.gateway_sending.sum() == 0
    )


def test_free_feedback_costs_nothing_and_rows_cover_their_packets():
    scenario = network(10, traffic=Traffic(interval_s=5.0))
    air, points = Air(scenario, [0], feedback=Feedback(packets=4)), random_points(scenario)
    decided = np.zeros((10, 2), int)
    while len(decisions := air.next_decisions(points, 2000.0)):
        later = decisions.fate >= 0
        assert np.all(decisions.sent[later] == 4) and np.all(decisions.sent[~later] == 0)
        np.add.at(decided, decisions.node, np.stack([decisions.sent, decisions.delivered], 1))
    outcome = air.take_outcome()
    assert outcome.downlinks.sum() == 0
    assert np.all(outcome.sent[0] - decided[:, 0] < 8) and np.all(decided[:, 1] <= outcome.delivered[0])
    assert decided[:, 1].sum() > 0


def test_a_decision_by_downlink_covers_every_packet_since_the_last_that_arrived():
    scenario = network(
        6,
        feedback="downlink",
        downlink=downlink(rx1_duty_cycle=0.001, rx2_duty_cycle=0.01),
        traffic=Traffic(interval_s=8.0),
    )
    air, points = Air(scenario, [3], feedback=Feedback(packets=3, patience=NEVER)), random_points(scenario)
    decided, rounds = np.zeros(6, int), 0
    while len(decisions := air.next_decisions(points, 5000.0)):
        later = decisions.sent > 0
        assert np.all(decisions.fate[later] == Fate.DELIVERED) and np.all(decisions.sent[later] >= 3)
        assert np.all(decisions.delivered[later] >= 1) and np.all(decisions.time_s <= air.now_s[0])
        decided[decisions.node] += decisions.sent
        rounds += int(later.sum())
    outcome = air.take_outcome()
    assert rounds == outcome.downlinks_received.sum() > 20
    assert outcome.downlinks_refused.sum() > rounds and np.all(decided <= outcome.sent[0])


def test_a_command_is_in_force_once_it_has_arrived_and_is_repeated_until_then():
    scenario = network(
        1, spread_m=10.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=30.0),
        downlink=downlink(windows="rx1", rx1_duty_cycle=0.0001),
    )  # fmt: skip
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server"))
    one, other = scenario.region.points(sf=[7, 9], bw_hz=125e3, channel=0, tp_dbm=14.0)
    air.advance(one[None, None], 100.0)
    assert air.take_outcome().downlinks.sum() == 0
    first = air.advance(other[None, None], 200.0)
    second = air.advance(one[None, None], 3000.0)
    assert first.downlinks_received.sum() == 1 and second.downlinks_received.sum() == 1
    assert second.downlinks_refused.sum() > 1
    packets, _ = air.recording()
    up, answer_s = packets.kind == 0, packets.end_s[packets.kind == 1]
    used = packets.point[up, 0]
    expected = np.where((packets.start_s[up] > answer_s[0]) & (packets.start_s[up] < answer_s[1]), 2, 0)
    assert used.tolist() == expected.tolist() and set(used) == {0, 2}


def test_a_node_that_decides_has_patience_for_96_packets_without_an_answer():
    down = downlink(tp_dbm=-50.0, rx1_duty_cycle=None)  # answers are sent, and lost
    scenario = network(
        1, spread_m=100.0, propagation=STILL, feedback="downlink", downlink=down, traffic=Traffic(interval_s=30.0)
    )
    for patience in (96, 40):
        air, points = Air(scenario, [0], feedback=Feedback(patience=patience)), random_points(scenario)
        rows = []
        while len(decisions := air.next_decisions(points, 10_000.0)):
            rows.append(decisions.records.copy())
        rows = np.concatenate(rows)[1:]
        assert len(rows) == air.take_outcome().sent.sum() // patience > 2
        assert set(rows["sent"]) == {patience} and set(rows["delivered"]) == {0}
        assert set(rows["fate"]) == {Fate.INTERFERED} and np.isnan(rows["rssi_dbm"]).all()


def test_a_server_decides_before_the_window_opens():
    scenario = network(8, feedback="downlink", traffic=Traffic(interval_s=10.0), propagation=STILL, spread_m=100.0)
    air, points = (
        Air(scenario, [1], record=True, feedback=Feedback(decides="server", packets=2)),
        random_points(scenario),
    )
    while len(decisions := air.next_decisions(points, 600.0)):
        later = decisions.sent > 0
        assert np.all(decisions.delivered[later] >= 2)
        assert np.all(air.now_s[0] <= decisions.time_s[later] + 1.0 + 1e-9)
        points[0, decisions.node, 0] = (points[0, decisions.node, 0] + later) % 6
    assert air.take_outcome().downlinks_received.sum() > 20


def test_a_node_that_hears_nothing_for_96_packets_sends_louder_and_then_slower():
    weak = Reception(inter_sf="none", capture_db=-np.inf)
    scenario = timed([0.0], [170.0], reception=weak, traffic=Traffic(interval_s=5.0, payload_bytes=20))
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server", backoff=True))
    points = scenario.region.points(sf=[[7]], bw_hz=125e3, channel=0, tp_dbm=2.0)
    air.advance(points, 1200.0)
    packets, _ = air.recording()
    assert packets.point[:96, 0].tolist() == [0] * 96 and set(packets.point[:96, 3]) == {0}
    assert packets.point[96:128, 0].tolist() == [0] * 32 and set(packets.point[96:, 3]) == {6}
    assert packets.point[128, 0] == 1 and points[0, 0].tolist() == packets.point[-1].tolist()


@pytest.mark.parametrize(
    "down",
    [downlink(tp_dbm=-50.0, rx1_duty_cycle=None), downlink(windows="rx1", rx1_duty_cycle=1e-7)],
    ids=["answers are lost", "answers are refused"],
)
def test_a_node_that_is_received_but_hears_nothing_sends_louder_and_slower_too(down):
    scenario = network(
        1, spread_m=100.0, propagation=STILL, feedback="downlink", downlink=down, traffic=Traffic(interval_s=30.0)
    )
    if down.windows == "rx1":  # the first answer silences the gateway for good, before anybody has sent 64 packets
        scenario = replace(scenario, node_xy_m=np.array([[100.0, 0.0], [120.0, 0.0]]))
    air = Air(scenario, [0], record=True, feedback=Feedback(decides="server", packets=10**6, backoff=True))
    nodes = scenario.nodes
    points = np.repeat(scenario.region.points(sf=[[7]], bw_hz=125e3, channel=0, tp_dbm=2.0), nodes, axis=1)
    points = np.ascontiguousarray(points)
    outcome = air.advance(points, 40_000.0)
    packets, _ = air.recording()
    silenced = int(np.argmin(outcome.downlinks_received[0]))
    assert outcome.downlinks_received[0, silenced] == 0
    mine = packets.point[(packets.kind == 0) & (packets.source == silenced)]
    assert mine[:128, 0].tolist() == [0] * 128 and mine[128:160, 0].tolist() == [1] * 32 and mine[160, 0] == 2
    assert set(mine[96:, 3]) == {6}


def test_a_gateway_that_did_not_receive_an_uplink_does_not_answer_it():
    """Gateway 1 hears node 0 loudly but collides it with node 1; gateway 0 alone receives it, and answers in RX2."""
    scenario = timed(
        [0.0, 0.0], [[120.0, 110.0], [150.0, 110.0]], feedback="downlink", downlink=downlink(windows="rx2"),
        region=region(channels=1),
    )  # fmt: skip
    packets, outcome = exchange(scenario, 7)
    answers = packets.kind == 1
    assert outcome.delivered[0].tolist() == [1, 0]
    assert packets.gateway[answers].tolist() == [0] and packets.source[answers].tolist() == [0]


def test_rx2_in_a_sub_band_of_the_uplinks_shares_its_duty_cycle():
    edges = {"sub_band_edges_hz": (865e6, 868e6, 868.6e6, 869.4e6)}
    separate, shared = (
        timed(
            [0.0, 3.0], [100.0, 100.0], feedback="downlink", region=replace(region(channels=1), **edges),
            downlink=downlink(rx2_hz=rx2_hz, rx2_duty_cycle=0.01, rx1_duty_cycle=0.01),
        )
        for rx2_hz in (869.525e6, 868.3e6)
    )  # fmt: skip
    assert exchange(separate, 7)[1].downlinks[0].tolist() == [1, 1]
    assert exchange(shared, 7)[1].downlinks[0].tolist() == [1, 0]


def test_an_episode_begins_without_silence_or_gaps_of_the_last_one():
    scenario = network(20, traffic=Traffic(interval_s=20.0))
    air = Air(scenario, [3], feedback=Feedback(decides="server", backoff=True, listens=True, packets=7))
    points = random_points(scenario)
    for _ in range(3):
        air.begin_episode()
        air.advance(points, 600.0)
        heard = air.take_heard()
        records = heard.records[heard.missed >= 0]
        assert len(records) > 50 and np.all((records["since_s"] > 0) & (records["since_s"] < 600))


def test_what_is_in_force_at_first_can_be_given():
    scenario = network(4, spread_m=50.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=30.0))
    first, wanted = (np.full((1, 4, 4), index, np.int16) * [1, 0, 0, 0] for index in (1, 4))
    first, wanted = first.astype(np.int16), wanted.astype(np.int16)
    for in_force, expected in ((first, 1), (None, 4)):
        air = Air(scenario, [0], record=True, feedback=Feedback(decides="server"), in_force=in_force)
        air.advance(wanted, 200.0)
        packets, _ = air.recording()
        assert packets.point[packets.kind == 0][0, 0] == expected
    with pytest.raises(ValueError, match="points"):
        Air(scenario, [0], in_force=first[:, :2])


def test_a_node_that_asks_is_answered_though_nothing_changes():
    scenario = network(1, spread_m=10.0, propagation=STILL, feedback="downlink", traffic=Traffic(interval_s=30.0))
    air = Air(scenario, [0], feedback=Feedback(decides="server", packets=10**6, backoff=True))
    point = scenario.region.points(sf=7, bw_hz=125e3, channel=0, tp_dbm=14.0)
    outcome = air.advance(point[None, None], 30_000.0)
    assert outcome.downlinks.sum() == outcome.sent.sum() // 65  # after 64 frames without a downlink the next one asks


def test_the_network_hears_what_it_receives_and_counts_gaps():
    scenario = network(9, gateways=2, traffic=Traffic(interval_s=4.0))
    air = Air(scenario, [5, 6], record=True, feedback=Feedback(listens=True))
    outcome = air.advance(random_points(scenario, 2), 3000.0)
    heard = air.take_heard()
    assert len(heard) == outcome.delivered.sum() > 1024
    packets, receptions = air.recording(1)
    mine = heard.records[heard.replica == 1]
    got = np.flatnonzero(packets.fate == Fate.DELIVERED)
    order = got[np.argsort(packets.end_s[got], kind="stable")]
    assert mine["node"].tolist() == packets.source[order].tolist()
    assert mine["time_s"].tolist() == packets.end_s[order].tolist()
    at = receptions.rssi_dbm[order, mine["gateway"]]
    assert mine["rssi_dbm"].tolist() == at.tolist()
    for n in range(9):
        rows, index = mine[mine["node"] == n], packets.index[order][packets.source[order] == n]
        assert rows["missed"][0] == -1 and rows["missed"][1:].tolist() == (np.diff(index) - 1).tolist()
        np.testing.assert_allclose(rows["since_s"][1:], np.diff(rows["time_s"]))
    assert len(air.take_heard()) == 0


class Oracle:
    """Every reception of a still network judged from positions and times alone."""

    def __init__(self, scenario, packets):
        self.s, self.p = scenario, packets
        self.rx, self.region, self.windows = scenario.reception, scenario.region, scenario.receive_windows
        self.carrier_hz = np.array(self.windows.channels_hz)[packets.point[:, 2]]
        self.bw_hz = np.array(self.windows.bandwidths_hz)[packets.point[:, 1]]

    def power_dbm(self, j, xy_m):
        p, down = self.p, self.p.kind[j] == 1
        source = self.s.gateway_xy_m[p.gateway[j]] if down else self.s.node_xy_m[p.source[j]]
        tp_dbm = self.windows.tp_dbm[p.point[j, 2]] if down else self.region.tp_dbm[p.point[j, 3]]
        apart_m = np.hypot(*(source - xy_m))
        return tp_dbm - path_loss_db(self.s.propagation, apart_m, carrier_hz=self.s.carrier_hz)

    def fate(self, i, xy_m, gateway):
        p, rx = self.p, self.rx
        sf, bw_hz = np.array(self.windows.spreading_factors), self.bw_hz
        signal_dbm, signal_sf = self.power_dbm(i, xy_m), sf[p.point[i, 0]]
        if signal_dbm < rx.sensitivities_dbm(np.array([signal_sf]), bw_hz[i : i + 1])[0, 0]:
            return Fate.BELOW_SENSITIVITY
        meets = (p.start_s < p.end_s[i]) & (p.end_s > p.critical_s[i]) & (p.start_s + 0 < p.end_s)
        meets &= np.abs(self.carrier_hz - self.carrier_hz[i]) < (bw_hz + bw_hz[i]) / 2
        meets[i] = False
        if p.kind[i] == 0:
            sending = (p.kind == 1) & (p.gateway == gateway) & (p.start_s < p.end_s[i]) & (p.end_s > p.critical_s[i])
            if sending.any():
                return Fate.GATEWAY_SENDING
        noise_mw, collided, interfered = 0.0, False, False
        energy_mw_s, by_energy = np.zeros(13), rx.inter_sf == "sir_energy"
        for j in np.flatnonzero(meets):
            if p.kind[i] != p.kind[j] and not self.s.downlink.interference:
                continue
            rival_dbm, rival_sf = self.power_dbm(j, xy_m), sf[p.point[j, 0]]
            if by_energy and p.kind[i] == 0:
                together_s = min(p.end_s[i], p.end_s[j]) - max(p.critical_s[i], p.start_s[j])
                energy_mw_s[rival_sf] += units.dbm_to_mw(rival_dbm) * together_s
            elif by_energy:
                interfered |= signal_dbm - rival_dbm < rx.sir_db[signal_sf - 7, rival_sf - 7]
            elif bw_hz[i] != bw_hz[j]:
                noise_mw += units.dbm_to_mw(rival_dbm) * (rx.inter_sf != "none")
            elif rival_sf == signal_sf:
                collided |= signal_dbm - rival_dbm < rx.capture_db
            elif rx.inter_sf == "sir_pairwise":
                interfered |= signal_dbm - rival_dbm < rx.sir_db[signal_sf - 7, rival_sf - 7]
            elif rx.inter_sf == "sinr":
                noise_mw += units.dbm_to_mw(rival_dbm)
        if rx.inter_sf == "sinr" or noise_mw > 0.0:
            floor_mw = units.dbm_to_mw(phy.noise_dbm(bw_hz[i], rx.noise_figure_db))
            needed = units.db_to_ratio(rx.sinr_thresholds_db(np.array([signal_sf]))[0])
            interfered |= units.dbm_to_mw(signal_dbm) < needed * (floor_mw + noise_mw)
        if by_energy:
            signal_mw_s = units.dbm_to_mw(signal_dbm) * (p.end_s[i] - p.start_s[i])
            interfered |= bool((signal_mw_s < energy_mw_s[7:] * units.db_to_ratio(rx.sir_db[signal_sf - 7])).any())
        return Fate.INTERFERED if interfered else Fate.COLLIDED if collided else Fate.DELIVERED

    def overall(self, i):
        p = self.p
        if p.kind[i] == 1:
            return self.fate(i, self.s.node_xy_m[p.source[i]], -1)
        at = [self.fate(i, xy_m, g) for g, xy_m in enumerate(self.s.gateway_xy_m)]
        loudest = int(np.argmax([self.power_dbm(i, xy_m) for xy_m in self.s.gateway_xy_m]))
        return Fate.DELIVERED if Fate.DELIVERED in at else at[loudest]


SPLIT = region(
    channels=2, spreading_factors=(7, 8), rx1_channels_hz=(868.2e6, 869.0e6), rx2_sf=9, rx2_bandwidth_hz=250e3,
    rx1_data_rates=(((7, 125e3), ((10, 250e3), (11, 125e3))), ((8, 125e3), ((12, 125e3), (12, 250e3)))),
    sub_band_edges_hz=(868.9e6,), gateway_tp_dbm=(14.0, 20.0), rx2_hz=869.1e6,
)  # fmt: skip
"""Downlinks on other channels, at other data rates and powers than uplinks; RX1 overlaps both channels of uplinks."""

BUSY = [
    {"downlink": downlink()},
    {"downlink": downlink(rx1_duty_cycle=None, rx2_duty_cycle=None, priority="downlink")},
    {"downlink": downlink(rx2_hz=868.1e6, rx2_sf=9, rx1_duty_cycle=0.1, rx2_duty_cycle=None)},
    {"downlink": downlink(rx1_duty_cycle=None, rx2_duty_cycle=None, interference=False)},
    {"downlink": Downlink(rx1_dr_offset=1, rx1_duty_cycle=0.1), "region": SPLIT},
    {"downlink": Downlink(rx1_duty_cycle=None, rx2_duty_cycle=0.1, priority="downlink"), "region": SPLIT},
]


@pytest.mark.parametrize(
    ("fields", "inter_sf"),
    [(fields, rule) for fields in BUSY for rule in ("none", "sinr", "sir_pairwise")] + [(BUSY[3], "sir_energy")],
)
def test_every_reception_is_what_the_reference_says(fields, inter_sf):
    rule = Reception(inter_sf=inter_sf, sir_db=tables.SIR_DB["norel"], spared_preamble_symbols=7.25, capture_db=1.0)
    scenario = network(
        30, gateways=3, spread_m=2500.0, propagation=STILL, reception=rule, traffic=Traffic(interval_s=6.0),
        feedback="downlink", **({"region": region(channels=2)} | fields),
    )  # fmt: skip
    air = Air(scenario, [2], record=True)
    outcome = air.advance(random_points(scenario), 300.0)
    packets, _ = air.recording()
    oracle = Oracle(scenario, packets)
    ended = np.flatnonzero(packets.fate != Fate.NONE)
    expected = [oracle.overall(i) for i in ended]
    assert packets.fate[ended].tolist() == [int(fate) for fate in expected]
    down = packets.kind[ended] == 1
    assert down.sum() > 15 and outcome.gateway_sending.sum() > 4


@pytest.mark.parametrize("fields", BUSY[:3])
def test_gateways_and_nodes_keep_the_rules_of_class_a(fields):
    scenario = network(
        40,
        gateways=2,
        spread_m=600.0,
        propagation=STILL,
        traffic=Traffic(interval_s=4.0),
        feedback="downlink",
        **fields,
    )
    air = Air(scenario, [7], record=True, feedback=Feedback(packets=2))
    air.advance(random_points(scenario), 900.0)
    packets, receptions = air.recording()
    up, answers = np.flatnonzero(packets.kind == 0), np.flatnonzero(packets.kind == 1)
    assert len(answers) > 25
    down, band = scenario.downlink, np.array([*scenario.region.sub_bands, 0])
    duty = {0: down.rx2_duty_cycle} | {b: down.rx1_duty_cycle for b in scenario.region.sub_bands}
    for i in answers:
        uplink = up[(packets.source[up] == packets.source[i]) & (packets.index[up] == packets.index[i])][0]
        second = packets.point[i, 2] == 3
        assert packets.fate[uplink] == Fate.DELIVERED
        assert packets.start_s[i] == pytest.approx(packets.end_s[uplink] + (2.0 if second else 1.0))
        if not second:
            received_dbm = np.where(receptions.fate[uplink] == 0, receptions.rssi_dbm[uplink], -np.inf)
            assert packets.gateway[i] == received_dbm.argmax()
        later = up[(packets.source[up] == packets.source[i]) & (packets.index[up] == packets.index[i] + 1)]
        assert np.all(packets.start_s[later] >= packets.end_s[i])
    for g in range(2):
        mine = answers[packets.gateway[answers] == g]
        assert np.all(packets.start_s[mine][1:] >= packets.end_s[mine][:-1])
        for b, share in duty.items():
            inside = mine[band[packets.point[mine, 2]] == b]
            length_s = packets.end_s[inside] - packets.start_s[inside]
            if share is not None:
                gap_s = packets.start_s[inside][1:] - packets.end_s[inside][:-1]
                assert np.all(gap_s >= length_s[:-1] * (1 / share - 1) - 1e-9)


def test_results_do_not_depend_on_replicas_or_cuts():
    scenario = network(12, gateways=2, feedback="downlink", traffic=Traffic(interval_s=4.0))
    points = random_points(scenario)
    whole = Air(scenario, [4], feedback=Feedback(packets=3)).advance(points, 400.0)
    both = Air(scenario, [9, 4], feedback=Feedback(packets=3))
    many = [both.advance(np.repeat(points, 2, axis=0), float(t)) for t in range(7, 400, 7)]
    many.append(both.advance(np.repeat(points, 2, axis=0), 400.0))
    for name in ("delivered", "gateway_sending", "downlinks", "downlinks_received", "downlinks_refused"):
        assert sum(getattr(part, name)[1] for part in many).tolist() == getattr(whole, name)[0].tolist()
    assert whole.downlinks.sum() > 20


def test_a_snapshot_goes_on_in_the_middle_of_an_answer():
    scenario = network(20, feedback="downlink", traffic=Traffic(interval_s=3.0))
    points = random_points(scenario)
    for cut_s in (50.0, 50.7, 51.9, 53.3):
        first = Air(scenario, [0])
        first.advance(points, cut_s)
        second = Air(scenario, [0])
        second.load_state_dict(first.state_dict())
        one, other = first.advance(points, 200.0), second.advance(points, 200.0)
        assert one.delivered.tolist() == other.delivered.tolist() and one.downlinks.sum() > 0
        assert one.downlinks.tolist() == other.downlinks.tolist()


def test_an_episode_begins_without_answers_on_their_way():
    scenario = network(20, feedback="downlink", traffic=Traffic(interval_s=3.0))
    air, points = Air(scenario, [0]), random_points(scenario)
    air.advance(points, 60.5)
    air.begin_episode()
    air.take_outcome()
    assert air.advance(points, 1.0).downlinks.sum() == 0
    assert air.advance(points, 60.0).downlinks.sum() > 0


def test_receive_windows_cost_energy():
    scenario = network(4, traffic=Traffic(interval_s=5.0))
    points = random_points(scenario)
    plain = Air(scenario, [0]).advance(points, 100.0)
    listening = Air(replace(scenario, receive_mj=12.0), [0]).advance(points, 100.0)
    np.testing.assert_allclose(listening.energy_mj, plain.energy_mj + 12.0 * plain.sent)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"windows": "rx3"}, "downlink.windows: 'rx3'"),
        ({"rx1_delay_s": 3.0}, "rx1_delay_s"),
        ({"rx2_sf": 6}, "downlink.rx2_sf: 6"),
        ({"rx1_duty_cycle": 0.0}, "downlink.rx1_duty_cycle: 0.0"),
        ({"payload_bytes": 0}, "downlink.payload_bytes: 0"),
        ({"priority": "none"}, "downlink.priority: 'none'"),
        ({"tp_dbm": np.nan}, "downlink.tp_dbm: nan"),
    ],
)
def test_parameters_outside_their_range_are_named(fields, named):
    with pytest.raises(ValueError, match=named):
        Downlink(**fields)


def test_feedback_and_rules_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="feedback.packets: 0"):
        Feedback(packets=0)
    with pytest.raises(ValueError, match="feedback.decides: 'both'"):
        Feedback(decides="both")
    with pytest.raises(ValueError, match="scenario.feedback: 'never'"):
        network(feedback="never")
    with pytest.raises(ValueError, match="inter_sf none, sinr, sir_pairwise or sir_energy"):
        network(feedback="downlink", reception=Reception(inter_sf="db_ratio"))
    energy = Reception(inter_sf="sir_energy", sir_db=tables.SIR_DB["norel"])
    with pytest.raises(ValueError, match="downlink.interference: True; allowed is False"):
        network(feedback="downlink", reception=energy)
    assert network(feedback="downlink", reception=energy, downlink=downlink(interference=False)).nodes == 20
    with pytest.raises(ValueError, match="downlink.rx2_hz: is not given, and region test has none"):
        network(feedback="downlink", downlink=Downlink())
    with pytest.raises(ValueError, match="downlink.tp_dbm: is not given, and region test has none"):
        network(feedback="downlink", downlink=Downlink(rx2_hz=869.525e6, rx2_sf=12))
    with pytest.raises(ValueError, match="downlink.rx1_dr_offset: 1; region test has 0 to 0 at SF7/125 kHz"):
        network(feedback="downlink", downlink=downlink(rx1_dr_offset=1))


def test_a_downlink_is_no_larger_than_its_data_rates_allow():
    eu868 = {"feedback": "downlink", "region": REGIONS["EU868"]}
    with pytest.raises(ValueError, match="downlink.payload_bytes: 65 exceeds EU868's 64 bytes at SF10/125 kHz"):
        network(**eu868, downlink=Downlink(payload_bytes=65))
    fast = replace(REGIONS["EU868"], spreading_factors=(7, 8))
    network(feedback="downlink", region=fast, downlink=Downlink(payload_bytes=255, windows="rx1"))
    with pytest.raises(ValueError, match="255 exceeds EU868's 64 bytes at SF12"):
        network(feedback="downlink", region=fast, downlink=Downlink(payload_bytes=255, windows="rx2"))
    with pytest.raises(ValueError, match="67 exceeds US915's 66 bytes at SF12/500 kHz"):
        network(feedback="downlink", region=REGIONS["US915"], traffic=SMALL, downlink=Downlink(payload_bytes=67))


def test_downlinks_have_the_low_data_rate_optimisation_of_uplinks_unless_they_state_their_own():
    off, on, own = (
        network(low_data_rate=low, feedback="downlink", downlink=downlink(low_data_rate=own)).downlink_airtime_s()
        for low, own in (("off", None), ("on", None), ("off", "auto"))
    )
    expected = [phy.airtime_s(12, 20, bw_hz=125e3, crc=False, low_data_rate=low) for low in ("off", "on", "auto")]
    assert [airtime_s[-1, 0] for airtime_s in (off, on, own)] == pytest.approx(expected)
    assert off[-1, 0] < on[-1, 0]


def test_us915_answers_at_500_khz_on_channels_of_its_own_and_without_a_duty_cycle():
    scenario = network(
        40, spread_m=300.0, feedback="downlink", region=REGIONS["US915"], downlink=Downlink(),
        traffic=replace(SMALL, interval_s=60.0, after_end=False, confirmed=True), propagation=STILL,
    )  # fmt: skip
    air = Air(scenario, [0], record=True)
    outcome = air.advance(random_points(scenario), 1200.0)
    packets, windows = air.recording()[0], scenario.receive_windows
    frequency_hz, bw_hz = (
        np.array(values)[packets.point[:, f]] for f, values in ((2, windows.channels_hz), (1, windows.bandwidths_hz))
    )
    down = np.flatnonzero(packets.kind == 1)
    assert len(down) > 500 and outcome.delivered.sum() - len(down) == outcome.downlinks_refused.sum() < 0.05 * len(down)
    assert set(bw_hz[down]) == {500e3}
    for i in down:
        up = np.flatnonzero(
            (packets.kind == 0) & (packets.source == packets.source[i]) & (packets.index == packets.index[i])
        )[0]
        first = packets.start_s[i] < packets.end_s[up] + 1.5
        channel, sf = packets.point[up, 2], scenario.region.spreading_factors[packets.point[up, 0]]
        assert frequency_hz[i] == pytest.approx(923.3e6 + 600e3 * (channel % 8) if first else 923.3e6)
        assert windows.spreading_factors[packets.point[i, 0]] == (sf if first else 12)
    # Gateways send again at once: many answers follow each other by less than 1 % or 10 % would allow.
    start_s, end_s = packets.start_s[down], packets.end_s[down]
    assert (start_s[1:] - end_s[:-1] < 9 * (end_s - start_s)[:-1]).mean() > 0.1


def test_regions_without_further_settings_answer_where_rp002_says():
    def windows(name):
        return network(feedback="downlink", region=REGIONS[name], traffic=SMALL, downlink=Downlink()).receive_windows

    as923 = windows("AS923-1")
    assert as923.channels_hz[2] == 923.2e6 and as923.spreading_factors[as923.rx2_rate[0]] == 10
    assert as923.tp_dbm.tolist() == [14.0] * 3 and as923.duty_cycle.tolist() == [0.01] * 3
    eu868 = windows("EU868")
    assert eu868.tp_dbm.tolist() == [14.0] * 8 + [27.0] and eu868.duty_cycle.tolist() == [0.01] * 8 + [0.1]
    assert eu868.sub_band.tolist() == [2, 2, 2, 1, 1, 1, 1, 1, 0]
    rx2_mhz = {name: windows(name).channels_hz[len(REGIONS[name].channels_hz)] / 1e6 for name in REGIONS}
    assert rx2_mhz.items() >= {
        "AS923-2": 921.4, "AS923-3": 916.6, "AS923-4": 917.3, "EU433": 434.665, "IN865": 866.55, "KR920": 921.9,
        "RU864": 869.1, "AU915": 923.3, "CN470": 486.9, "CN470-20B": 498.3, "CN470-26A": 492.5, "CN470-26B": 502.5,
    }.items()  # fmt: skip
    assert windows("KR920").tp_dbm.tolist() == [20.85] * 4


def test_channels_of_a_tenth_of_a_percent_silence_gateways_longer():
    slow = replace(REGIONS["EU868"], channels_hz=(868.1e6, 868.8e6, 863.5e6))
    scenario = network(feedback="downlink", region=slow, downlink=Downlink())
    assert scenario.receive_windows.duty_cycle.tolist() == [0.01, 0.001, 0.001, 0.1]
    with pytest.raises(ValueError, match="869.3 MHz lies in no sub-band of EU868"):
        network(feedback="downlink", region=replace(slow, channels_hz=(869.3e6,)), downlink=Downlink())


def test_rx2_of_eu433_shares_the_only_band_with_the_channels():
    windows = network(region=REGIONS["EU433"], downlink=Downlink(), feedback="downlink").receive_windows
    assert windows.sub_band.tolist() == [1, 1, 1, 1] and windows.duty_cycle.tolist() == [0.1] * 4
    with pytest.raises(ValueError, match="434.8 MHz lies in no sub-band of EU433"):
        network(region=replace(REGIONS["EU433"], channels_hz=(434.8e6,)))


def test_sub_bands_number_the_channels_that_share_a_duty_cycle():
    two = region(channels=3, step_hz=400e3, sub_band_edges_hz=(868.0e6, 868.6e6, 868.7e6))
    assert two.sub_bands == (1, 1, 2)
    assert region(channels=3).sub_bands == (1, 1, 1)
