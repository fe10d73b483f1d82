"""Decisions after every packet, against a reference."""

import numpy as np

from lora_marl.core.air import Air
from lora_marl.core.reception import Fate
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import network, random_points


def walk(scenario, seed, until_s, answer):
    """Play with decisions; the answers per node in order, and the recording."""
    air, points = Air(scenario, [seed], record=True), random_points(scenario)
    reports = {n: [] for n in range(scenario.nodes)}
    while len(decisions := air.next_decisions(points, until_s)):
        assert len(set(decisions.node.tolist())) == len(decisions)
        for n, fate, rssi_dbm, point in zip(
            decisions.node, decisions.fate, decisions.rssi_dbm, decisions.point, strict=True
        ):
            points[0, n] = answer(n, len(reports[n]))
            reports[n].append((fate, rssi_dbm, point.copy(), air.now_s[0]))
    return reports, *air.recording()


def answer_by_count(n, round_):
    return [(n + round_) % 6, 0, (n * round_) % 3, round_ % 7]


def test_every_packet_is_answered_once_before_the_next_and_sent_as_answered():
    scenario = network(12, gateways=2, traffic=Traffic(interval_s=2.0))
    reports, packets, receptions = walk(scenario, 3, 120.0, answer_by_count)
    for n in range(12):
        from_node = np.flatnonzero(packets.source == n)
        assert from_node.size > 30
        assert reports[n][0][0] == Fate.NONE and np.isnan(reports[n][0][1])
        for round_, packet in enumerate(from_node):
            assert packets.point[packet].tolist() == answer_by_count(n, round_)
        for packet, (fate, rssi_dbm, point, now_s) in zip(from_node, reports[n][1:], strict=False):
            assert fate == packets.fate[packet]
            assert point.tolist() == packets.point[packet].tolist()
            heard = receptions.rssi_dbm[packet]
            if fate == Fate.DELIVERED:
                heard = heard[receptions.fate[packet] == Fate.DELIVERED]
            assert rssi_dbm == heard.max()
            assert packets.end_s[packet] <= now_s
        # Told of every packet but, at most, the last two: one on the air, one whose deadline lies beyond the end.
        assert 0 <= len(from_node) - (len(reports[n]) - 1) <= 2


def test_rows_come_in_the_order_in_which_packets_ended_and_by_replica():
    scenario = network(30, traffic=Traffic(interval_s=2.0))
    air, points = Air(scenario, [0, 1, 2], record=True), random_points(scenario, 3)
    air.next_decisions(points, 60.0)
    ended = {(b, int(n)): 0 for b in range(3) for n in range(30)}
    mixed = 0
    while len(decisions := air.next_decisions(points, 60.0)):
        assert (np.diff(decisions.replica) >= 0).all()
        mixed += len(set(decisions.replica.tolist())) > 1
        for b in set(decisions.replica.tolist()):
            nodes = decisions.node[decisions.replica == b].tolist()
            packets, _ = air.recording(b)
            ends_s = []
            for n in nodes:
                ends_s.append(packets.end_s[packets.source == n][ended[b, n]])
                ended[b, n] += 1
            assert ends_s == sorted(ends_s)
    assert mixed > 5


def test_constant_answers_play_as_a_fixed_allocation():
    scenario = network(20)
    points = random_points(scenario)
    air = Air(scenario, [4])
    while len(air.next_decisions(points, 200.0)):
        pass
    np.testing.assert_array_equal(air.take_outcome().delivered, Air(scenario, [4]).advance(points, 200.0).delivered)


def test_decisions_after_a_period_without_them():
    """Nodes that played undecided are asked once each, with their latest fate."""
    scenario = network(10, traffic=Traffic(interval_s=0.3))
    air, points = Air(scenario, [0]), random_points(scenario)
    air.advance(points, 20.0)
    seen = []
    while len(seen) < 30 and len(decisions := air.next_decisions(points, 100.0)):
        assert len(set(decisions.node.tolist())) == len(decisions)
        seen.extend(decisions.fate.tolist())
    assert min(seen) >= 0


def test_nothing_is_due_at_the_end():
    scenario = network(5)
    air, points = Air(scenario, [0, 1]), random_points(scenario, 2)
    while len(air.next_decisions(points, 50.0)):
        pass
    assert air.now_s.tolist() == [50.0, 50.0]
    assert len(air.next_decisions(points, 50.0)) == 0
