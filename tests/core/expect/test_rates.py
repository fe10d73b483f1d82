import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core.expect.physics import check_rate, cycle_s, rates_per_s
from lora_marl.core.traffic import Traffic

LIMITED = Traffic(duty_cycle=0.01)


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


def test_without_a_duty_cycle_births_are_not_thinned():
    for after_end in (True, False):
        traffic = Traffic(after_end=after_end)
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
