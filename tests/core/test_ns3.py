"""Agreement with ns-3 on airtime, path loss, overlap and capture: 300 devices, one gateway, one channel."""

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.scenario import Scenario
from lora_marl.core.tables import SENSITIVITY_DBM, SIR_DB
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import region

RULES = {
    "aloha": {"inter_sf": "none", "capture_db": np.inf},
    "goursaud": {"inter_sf": "sir_energy", "sir_db": SIR_DB["goursaud"]},
}
SPREAD = {"aloha": 1.42, "goursaud": 1.23}
"""Losses come in pairs: the true deviation over the binomial one, of each rule."""

WINDOWS, WINDOW_S = 7000, 600.0


def ns3_scenario(vectors, rule):
    devices = vectors["devices"]
    return Scenario(
        node_xy_m=np.array([[device["x_m"], device["y_m"]] for device in devices]),
        region=region(1, tp_dbm=(14.0,)),
        propagation=Propagation(shadowing_db=0.0, flat_below_reference=True),
        reception=Reception(
            spared_preamble_symbols=0.0, sensitivity_dbm=SENSITIVITY_DBM["ns3_gateway"], demodulators=8, **RULES[rule]
        ),
        traffic=Traffic.one_per_window(WINDOW_S, payload_bytes=29),
        low_data_rate="auto",
    )


@pytest.mark.parametrize("rule", ["aloha", "goursaud"])
def test_delivery_per_spreading_factor_agrees_with_ns3(ns3_vectors, rule):
    """Every replica is one window."""
    scenario = ns3_scenario(ns3_vectors, rule)
    for sf, airtime_s in ns3_vectors["scenario"]["airtime_s"].items():
        assert scenario.airtime_s()[int(sf) - 7, 0] == pytest.approx(airtime_s)
    sf = np.array([device["sf"] for device in ns3_vectors["devices"]])
    points = np.zeros((WINDOWS, 300, 4), np.int16)
    points[..., 0] = sf - 7
    outcome = Air(scenario, range(WINDOWS)).advance(points, WINDOW_S)
    assert outcome.sent.sum() > 2_000_000
    counts = ns3_vectors[rule]
    for index in range(6):
        at_sf = sf == index + 7
        ours = outcome.delivered[:, at_sf].sum() / outcome.sent[:, at_sf].sum()
        sent = counts["sent_per_sf"][index]
        theirs = counts["received_per_sf"][index] / sent
        error = SPREAD[rule] * np.sqrt(theirs * (1 - theirs) / sent)
        assert abs(ours - theirs) <= 3.5 * error, (rule, index + 7, ours, theirs, error)
