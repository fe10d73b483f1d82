"""ADR as in NoReL's authors' code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lora_marl.core.presets import norel_network
from lora_marl.core.published.norel_network import channel_of, initial_estimates
from lora_marl.core.published.norel_receiver import SENT, Channel
from lora_marl.core.published.norel_rounds import commanded_point, initial_adr_state, run_adr, sinr_db, zero_counters

CASES = json.loads((Path(__file__).parents[2] / "golden" / "norel" / "adr_net.json").read_text(encoding="utf-8"))


def test_the_server_decides_as_published() -> None:
    assert len(CASES) == 150
    for case in CASES:
        asked = case["force"] or len(case["history"]) == 20
        before = (case["sf"] - 7, float(case["tp"]))
        after = before
        if asked:
            each_db = [sinr_db(r, sum(10.0 ** (j / 10.0) for j in others)) for r, others in case["history"]]
            after = commanded_point(np.mean(each_db), *before, case["sigma_hat"] + 8.0)
        assert (after[0] + 7, after[1]) == (case["new_sf"], case["new_tp"]), case
        assert ((1 if case["force"] or after != before else 0) if asked else None) == case["downlink"], case


def test_steps_by_hand() -> None:
    # SF12 needs -20 dB: 12.9 dB above the margin of 11.5 dB are four steps, all taken by the spreading factor.
    assert commanded_point(-20.0 + 11.5 + 12.9, 5, 14.0, 11.5) == (1, 14.0)
    assert commanded_point(-7.5 + 11.5 + 12.9, 0, 14.0, 11.5) == (0, 2.0)
    assert commanded_point(-10.0 + 11.5 + 6.1, 1, 14.0, 11.5) == (0, 11.0)
    assert commanded_point(-30.0, 2, 5.0, 11.5) == (2, 14.0)  # the server never raises the spreading factor


def played(distance_loss_db: float, uplinks: int, margin_db: float, sf: int = 0, tp: int = 4) -> Channel:
    one = norel_network(1, 100.0, seed=0).with_values(
        {"propagation.reference_loss_db": 128.95 + distance_loss_db, "propagation.shadowing_db": 0.0}
    )
    channel = channel_of(one, np.array([[sf, 0, 0, tp]], np.int16), 0, 1e6)
    channel = channel._replace(start_s=channel.start_s[:uplinks].copy(), node=channel.node[:uplinks].copy())
    run_adr(channel, zero_counters(1), initial_estimates(one), initial_adr_state(1), margin_db)
    return channel


@pytest.mark.parametrize(
    ("uplinks", "sf", "tp_dbm"),
    [(95, 0, 2.0), (96, 1, 14.0), (127, 1, 14.0), (128, 2, 14.0), (224, 5, 14.0), (900, 5, 14.0)],
)
def test_an_unheard_node_backs_off_after_96_packets_and_every_32(uplinks: int, sf: int, tp_dbm: float) -> None:
    channel = played(150.0, uplinks, 15.0, tp=0)
    assert (channel.sf[0], channel.tp_dbm[0], channel.counts[SENT]) == (sf, tp_dbm, 0)


@pytest.mark.parametrize(
    ("uplinks", "sf", "tp_dbm", "sent"), [(19, 5, 14.0, 0), (20, 0, 2.0, 1), (83, 0, 2.0, 1), (84, 0, 2.0, 2)]
)
def test_a_strong_node_is_commanded_at_its_twentieth_packet_and_answered_when_it_asks(
    uplinks: int, sf: int, tp_dbm: float, sent: int
) -> None:
    channel = played(-40.0, uplinks, 15.0, sf=5)
    assert (channel.sf[0], channel.tp_dbm[0], channel.counts[SENT]) == (sf, tp_dbm, sent)


def test_a_margin_of_none_follows_the_estimated_shadowing() -> None:
    assert commanded_point(-7.5 + 8.0 + 3.0, 0, 14.0, 8.0) == (0, 11.0)
    assert played(0.0, 20, np.nan).tp_dbm[0] == played(0.0, 20, 8.0).tp_dbm[0]
