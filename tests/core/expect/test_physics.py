"""Traffic rates of closed forms, and errors for physics that no closed form has."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core.expect import LogNormal, OneGateway, Rayleigh
from lora_marl.core.expect.physics import check_rate, cycle_s, rates_per_s
from lora_marl.core.interference import Interference
from lora_marl.core.presets import journal_network, mmalora_network, norel_network
from lora_marl.core.traffic import Traffic

FORMS = {OneGateway: journal_network(4), LogNormal: norel_network(4, feedback="free"), Rayleigh: mmalora_network(4)}
LIMITED = Traffic(duty_cycle=0.01)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_networks_that_share_the_air_bursts_and_retries_are_named(form):
    plain = FORMS[form]
    form(plain)
    channels = len(plain.region.channels_hz)
    two = {"node_network": np.array([0, 1, 0, 1]), "gateway_network": np.arange(2)}
    for values, named in (
        (
            {"traffic": Traffic(confirmed=True, after_end=False, duty_cycle=None)},
            "scenario.traffic.confirmed: True has no",
        ),
        ({"interference": Interference(occupancy=np.zeros(channels))}, "scenario.interference: .* has no"),
        (two | {"gateway_xy_m": np.zeros((2, 2))}, "scenario.node_network: 2 has no"),
    ):
        with pytest.raises(ValueError, match=named):
            form(replace(plain, **values))


def rates(airtime_s, interval_s=1000.0, traffic=LIMITED):
    return [
        float(rates_per_s(rate, traffic, np.array(interval_s), np.array(airtime_s)))
        for rate in ("linear", "linear_clipped", "renewal")
    ]


def test_printed_examples_of_sf12():
    linear, clipped, renewal = rates(1.318912)
    assert 1000 * linear == 1000 * clipped == pytest.approx(0.8694, abs=5e-5)
    assert 1000 * renewal == pytest.approx(0.8835, abs=5e-5)


def test_below_zero_only_the_printed_rate_goes():
    linear, clipped, renewal = rates(1.318912, 100.0)
    assert linear < 0.0 and clipped == 0.0 and renewal > 0.0


def test_without_a_duty_cycle_packets_are_not_thinned():
    for after_end in (True, False):
        traffic = Traffic(after_end=after_end, duty_cycle=None)
        linear, clipped, renewal = rates(0.5, 10.0, traffic)
        assert linear == clipped == 0.1
        assert renewal == (1 / 10.5 if after_end else 0.1)


def test_nodes_that_are_off_send_nothing():
    assert rates(1.0, np.inf) == [0.0, 0.0, 0.0]


@given(st.floats(0.01, 3.0), st.floats(10.0, 1e5))
def test_linear_is_renewal_to_first_order(airtime_s, interval_s):
    linear, clipped, renewal = rates(airtime_s, interval_s)
    load = airtime_s / interval_s
    assert abs(linear - renewal) * interval_s <= load + (100 * load) ** 2 + 1e-12
    assert clipped == max(linear, 0.0)
    assert renewal <= 1.0 / cycle_s(LIMITED, airtime_s)


def test_an_unknown_rate_is_named():
    with pytest.raises(ValueError, match="rate: 'queued' is not one of linear, linear_clipped, renewal"):
        check_rate("queued")
