"""Air that lists the gateways that hear a packet is the air that looks at all of them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_marl.core.air import Air
from lora_marl.core.downlink import Feedback
from lora_marl.core.expect import OneGateway
from lora_marl.core.interference import Interference
from lora_marl.core.kernel import culling
from lora_marl.core.outcome import Outcome
from lora_marl.core.presets import journal_network
from lora_marl.core.reception import Reception
from lora_marl.core.scenario import Change
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import network, random_points
from tests.core.test_reference import AIRS, FEW, RULES, WIDE


@pytest.fixture
def airs(monkeypatch):
    """Makes two airs of one scenario: one with lists of gateways, one without."""

    def make(scenario, seeds=(3,), **settings):
        monkeypatch.setattr(culling, "LEAST_GATEWAYS", 1)
        culled = Air(scenario, seeds, **settings)
        monkeypatch.setattr(culling, "LEAST_GATEWAYS", 1000)
        return culled, Air(scenario, seeds, **settings)

    return make


def wide(gateways=12, nodes=40, **values):
    """A network whose nodes reach few of its gateways, and send so much that packets have several disturbers."""
    defaults = {"spread_m": 6000.0, "traffic": Traffic(interval_s=2.0, payload_bytes=50)}
    rng = np.random.default_rng(gateways)
    defaults["gateway_xy_m"] = rng.normal(size=(gateways, 2)) * 8000.0
    return network(nodes, **(defaults | values))


def assert_same(one, other):
    """Whether two airs have had the same packets, to the bit."""
    for name in ("last_fate", "last_rssi_dbm", "last_point", "now_s"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def assert_same_outcome(one, other):
    for field in fields(Outcome):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


def run_both(pair, scenario, until_s=60.0, cuts=3):
    points = random_points(scenario, pair[0].replicas)
    for stop_s in np.linspace(0.0, until_s, cuts + 1)[1:]:
        assert_same_outcome(*(air.advance(points, stop_s) for air in pair))
        assert_same(*pair)


@settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    rule=RULES.filter(lambda rule: rule.inter_sf != "db_ratio"),
    propagation=AIRS,
    plan=st.sampled_from([WIDE, FEW]),
    gateways=st.sampled_from([1, 3, 12]),
    busy=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_every_rule_gives_the_same_fates_and_powers_to_the_bit(airs, rule, propagation, plan, gateways, busy, seed):
    traffic = Traffic(interval_s=1.0 if busy else 5.0, payload_bytes=np.resize([20, 50, 200], 40))
    scenario = wide(gateways, seed=seed, region=plan, reception=rule, propagation=propagation, traffic=traffic)
    run_both(airs(scenario, (seed, seed + 1)), scenario, until_s=30.0)


def test_a_packet_below_every_sensitivity_has_the_power_of_its_loudest_gateway(airs):
    scenario = wide(spread_m=60e3)
    culled, plain = airs(scenario)
    run_both((culled, plain), scenario)
    assert np.isfinite(culled.last_rssi_dbm).all() and (culled.last_fate == 1).mean() > 0.5


def test_links_that_change_while_packets_are_on_the_air_are_drawn_by_the_links_at_their_start(airs):
    losses_db = [np.random.default_rng(seed).uniform(110.0, 170.0, (40, 12)) for seed in range(4)]
    changes = tuple(Change(at_s=7.0 * k, values={"path_loss_db": losses_db[k]}) for k in (1, 2, 3))
    scenario = wide(path_loss_db=losses_db[0], changes=changes, traffic=Traffic(interval_s=1.0, payload_bytes=50))
    run_both(airs(scenario), scenario, until_s=40.0)


@pytest.mark.parametrize("commanded", [False, True])
def test_downlinks_and_bursts_in_two_networks_meet_the_same_packets(airs, commanded):
    scenario = wide(
        feedback="downlink", node_network=np.arange(40) % 2, gateway_network=np.arange(12) % 2,
        interference=Interference(occupancy=[0.3, 0.0, 0.5]),
        traffic=Traffic(interval_s=3.0, payload_bytes=50, confirmed=not commanded, after_end=commanded),
    )  # fmt: skip
    feedback = Feedback(decides="server", backoff=True, listens=True) if commanded else Feedback()
    run_both(airs(scenario, feedback=feedback), scenario)


def test_a_snapshot_goes_on_with_lists_and_without(airs):
    scenario = wide()
    points, runs = random_points(scenario), airs(scenario)
    for air in runs:
        air.advance(points, 20.0)
    for air in runs:
        resumed = airs(scenario)
        for other in resumed:
            other.load_state_dict(air.state_dict())
        assert_same_outcome(*(other.advance(points, 40.0) for other in resumed))
        assert_same(*resumed)
    uncut = Air(scenario, (3,))
    uncut.advance(points, 20.0)
    uncut.advance(points, 40.0)
    assert_same(uncut, resumed[0])


def test_a_full_list_of_disturbers_is_summed_in_order(airs):
    scenario = wide(
        nodes=120, traffic=Traffic(interval_s=0.5, payload_bytes=50), reception=Reception(sinr_db=np.full(6, 3.0))
    )  # fmt: skip
    run_both(airs(scenario), scenario, until_s=10.0)


def test_measured_links_records_and_ratios_of_dbm_look_at_all_gateways():
    scenario = wide()
    assert culling.culls(scenario, record=False)
    assert not culling.culls(scenario, record=True)
    assert not culling.culls(wide(reception=Reception(inter_sf="db_ratio")), record=False)
    assert not culling.culls(wide(gateways=culling.LEAST_GATEWAYS - 1), record=False)


def test_closed_forms_count_all_powers():
    scenario = journal_network(10)
    neglecting = replace(scenario, reception=replace(scenario.reception, negligible_db=20.0))
    with pytest.raises(ValueError, match="scenario.reception.negligible_db: 20.0 has no one-gateway closed form"):
        OneGateway(neglecting)
