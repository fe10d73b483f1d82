"""Ledgers of coexisting networks: KPIs as ratios of sums, and how networks use channels."""

from __future__ import annotations

import numpy as np
import pytest

from agents.coexistence.ledger import SUMS, Ledger, Ledgers, overlap, switches
from lora_marl.core.coexistence import Episode


def test_measures_are_ratios_of_sums() -> None:
    sums = np.zeros((2, 2, len(SUMS)))
    sums[:, :, SUMS.index("attempts")] = [[10, 20], [30, 0]]
    sums[:, :, SUMS.index("received")] = [[5, 20], [15, 0]]
    sums[:, :, SUMS.index("frames_delivered")] = [[5, 10], [15, 0]]
    sums[:, :, SUMS.index("energy_mj")] = 15.0
    airtime_s = np.zeros((2, 2, 3))
    airtime_s[0, :, 0], airtime_s[1, 0, 1], airtime_s[1, 1, 2] = 1.0, 1.0, 1.0
    measures = Ledger(sums, airtime_s).measures()
    assert measures["prr"] == pytest.approx(40 / 60)
    assert measures["atp"] == pytest.approx(60 / 30)
    assert measures["epn_mj"] == pytest.approx(60 / 30)
    assert measures["overlap"] == pytest.approx(0.5)
    assert measures["switches"] == 1.0
    assert measures["jain"] == pytest.approx((0.5 + 1.0) ** 2 / (2 * (0.25 + 1.0)))
    assert Ledger(sums, airtime_s).measures([0])["prr"] == 0.5
    by_network = Ledger(sums, airtime_s).by_network()
    assert by_network["prr"].tolist() == [0.5, 1.0]
    sums[:, 1, SUMS.index("attempts")] = sums[:, 1, SUMS.index("received")] = 0.0
    assert Ledger(sums, airtime_s).measures()["jain"] == 1.0  # who is silent is not treated unfairly
    assert by_network["atp"].tolist() == [2.0, 2.0]
    assert np.isnan(overlap(airtime_s[:, :1]))
    assert switches(airtime_s[:, :1]) == 1.0


class Totals:
    """Totals of an interval of one replica, two networks (the second learns), one group and three channels."""

    def __init__(self, attempts: int) -> None:
        for name in ("received", "acknowledged", "energy_mj", "frames_delivered", "frames_lost", "delay_s"):
            setattr(self, name, np.ones((1, 2, 1)))
        self.attempts = np.full((1, 2, 1), float(attempts))
        self.downlink_airtime_s = np.zeros((1, 2))
        self.channel_airtime_s = np.ones((1, 2, 3))


def test_ledgers_sum_the_last_intervals_and_go_on_from_a_state() -> None:
    episode = Episode(
        seeds=(0,), learning=np.array([1]), gateways=np.array([1, 2]), groups=1, channels=3, offsets=1, powers=(0,),
        interval_s=60.0, intervals=3, facts=dict,
    )  # fmt: skip
    ledgers, resumed = Ledgers(episode), Ledgers(episode)
    for attempts in (2, 4):
        ledgers.append(Totals(attempts), np.full((1, 1, 1), 0.5))
    assert ledgers.last(1)["attempts"].tolist() == [[4.0, 4.0]] and ledgers.last(2)["attempts"].tolist() == [[6.0, 6.0]]
    assert ledgers.last(1)["gateway_s"].tolist() == [[60.0, 120.0]]
    assert np.isnan(ledgers.last(1)["reward"][0, 0]) and ledgers.last(1)["reward"][0, 1] == 2.0
    (row,) = ledgers.rows()
    assert (row["interval"], row["prr"], row["prr_1"], row["return_1"]) == (2.0, 0.25, 0.25, 0.5)
    resumed.load_state_dict(ledgers.state_dict())
    for copy in (ledgers, resumed):
        copy.append(Totals(8), np.full((1, 1, 1), 0.25))
    assert np.array_equal(ledgers.by_replica()[0].sums, resumed.by_replica()[0].sums, equal_nan=True)
    assert ledgers.by_replica()[0].learns.tolist() == [False, True]
