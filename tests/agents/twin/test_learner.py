"""The twin on the air: it knows what a server knows, goes on after a restart, and beats what it starts from."""

from dataclasses import replace

import numpy as np
import pytest

import agents
from agents.run import run_intervals, run_until
from agents.twin.knowledge import FIELDS, KNOWLEDGE, TRAFFIC_FIELDS, public_scenario
from agents.twin.learner import Twin
from lora_marl.core.air import Air
from lora_marl.core.interference import Interference
from lora_marl.core.presets import journal_network, norel_network
from lora_marl.core.propagation import Propagation
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.traffic import Traffic
from lora_marl.core.units import HOUR_S

SEEDS = [0, 7]


@pytest.fixture(scope="module")
def crowded() -> Scenario:
    """40 nodes that send every two minutes."""
    return norel_network(40, packets_per_s=1 / 120)


def air_and_learner(scenario, seeds=SEEDS, **parameters):
    learner = Twin(scenario, seeds, **parameters)
    return Air(scenario, seeds, feedback=learner.feedback), learner


def played(air, learner, until_s, points=None):
    outcomes = []
    points = run_intervals(air, learner, until_s, HOUR_S, lambda _, outcome: outcomes.append(outcome), points=points)
    return points, [outcome.delivered for outcome in outcomes]


@pytest.fixture(scope="module")
def whole(crowded):
    """Eight hours of both replicas."""
    air, learner = air_and_learner(crowded)
    points, delivered = played(air, learner, 8 * HOUR_S)
    return points, delivered, learner


def test_it_delivers_more_than_at_its_first_points(crowded):
    air, learner = air_and_learner(crowded)
    points = learner.initial_points()
    assert (points[..., 0] == 5).all() and (points[..., 3] == 4).all()
    outcomes = [run_until(air, learner, points, hours * HOUR_S) for hours in (0.5, 4.0, 8.0)]
    shares = [outcome.delivered.sum() / outcome.sent.sum() for outcome in outcomes]
    assert shares[2] > shares[0] + 0.15 and shares[2] > 0.93
    commands = [outcome.downlinks.sum() / outcome.sent.sum() for outcome in outcomes[1:]]
    assert 0 < commands[1] < commands[0] / 3
    promised = learner.diagnostics(crowded)["promised_pdr"]
    assert promised == pytest.approx(np.full(2, shares[2]), abs=0.03)
    assert learner.diagnostics(crowded)["estimated_sigma_db"] == pytest.approx(np.full(2, 3.54), abs=0.3)


def test_a_channel_that_stays_is_not_taken_for_another(crowded, whole):
    air, learner = air_and_learner(crowded, restarts=True)
    points, _ = played(air, learner, 8 * HOUR_S)
    assert (learner.beliefs.begin_s == 0.0).all()
    np.testing.assert_array_equal(points, whole[0])


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(crowded, whole):
    expected_points, expected, _ = whole
    air, learner = air_and_learner(crowded)
    points, first = played(air, learner, 3 * HOUR_S)
    resumed_air, resumed = air_and_learner(crowded)
    resumed_air.load_state_dict(air.state_dict())
    resumed.load_state_dict(learner.state_dict())
    points, second = played(resumed_air, resumed, 8 * HOUR_S, points)
    np.testing.assert_array_equal(points, expected_points)
    np.testing.assert_array_equal(first + second, expected)


def test_a_replica_depends_on_its_seed_alone(crowded, whole):
    points, delivered, _ = whole
    alone_points, alone = played(*air_and_learner(crowded, SEEDS[1:]), 8 * HOUR_S)
    np.testing.assert_array_equal(alone_points[0], points[1])
    np.testing.assert_array_equal([rows[0] for rows in alone], [rows[1] for rows in delivered])


def test_it_knows_nothing_but_what_a_server_knows(crowded, whole):
    """A scenario in which everything but `Twin.knowledge` is wrong makes the same commands of the same frames."""
    rng = np.random.default_rng(5)
    poisoned = replace(
        crowded,
        name="poisoned",
        node_xy_m=rng.uniform(-9e4, 9e4, (40, 2)),
        gateway_xy_m=np.array([[7e4, -3e4]]),
        propagation=Propagation(exponent=5.0, shadowing_db=11.0, shadowing="link", reference_loss_db=60.0),
        path_loss_db=rng.uniform(20.0, 200.0, (40, 1)),
        channel_loss_db=np.array([17.0]),
        interference=Interference(occupancy=np.array([0.7])),
        active=np.arange(40) < 3,
        traffic=replace(crowded.traffic, interval_s=rng.uniform(1e3, 1e6, 40)),
        changes=(Change(at_s=600.0, values={"traffic.interval_s": 5.0}),),
    )
    learner = Twin(poisoned, SEEDS)
    air = Air(crowded, SEEDS, feedback=learner.feedback)
    points, delivered = played(air, learner, 8 * HOUR_S)
    np.testing.assert_array_equal(points, whole[0])
    np.testing.assert_array_equal(delivered, whole[1])


def test_what_it_knows_is_listed():
    assert Twin.knowledge == KNOWLEDGE
    public = public_scenario(journal_network(5))
    assert set(FIELDS) == {name for name in KNOWLEDGE if "." not in name} - {"nodes", "gateways"}
    assert set(TRAFFIC_FIELDS) == {name.partition(".")[2] for name in KNOWLEDGE if "." in name}
    assert not public.node_xy_m.any() and not public.changes and public.propagation == Propagation()


def test_free_feedback_and_many_channels():
    network = norel_network(40, packets_per_s=1 / 120, feedback="free")
    scenario = replace(network, region=replace(network.region, channels_hz=(868.1e6, 868.3e6, 868.5e6)))
    air, learner = air_and_learner(scenario, goal="ee", least_pdr=0.9)
    points = learner.initial_points()
    outcomes = [run_until(air, learner, points, hours * HOUR_S) for hours in (0.5, 4.0, 6.0)]
    energy = [outcome.energy_mj.sum() / outcome.delivered_bits.sum() for outcome in outcomes]
    assert energy[2] < 0.5 * energy[0] and outcomes[2].delivered.sum() > 0.88 * outcomes[2].sent.sum()
    assert outcomes[2].downlinks.sum() == 0 and len(np.unique(points[..., 2])) == 3


def test_a_plan_is_for_its_goal():
    learners = {goal: agents.make("twin", norel_network(5), [0], goal=goal) for goal in ("pdr", "worst")}
    assert [learner.goal for learner in learners.values()] == ["pdr", "worst"]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"goal": "speed"}, "goal: 'speed'"), ({"least_pdr": 1.2}, "least_pdr = 1.2"), ({"every_h": 0.0}, "every_h = 0.0"),
     ({"horizon_h": np.nan}, "horizon_h = nan")],
)  # fmt: skip
def test_parameters_outside_their_range_are_named(parameters, named):
    with pytest.raises(ValueError, match=named):
        Twin(norel_network(2), [0], **parameters)


def test_networks_without_a_model_are_refused():
    network = norel_network(4)
    split = {"node_network": np.array([0, 0, 1, 1]), "gateway_network": np.array([0, 1])}
    close = replace(network.region, channels_hz=(868.1e6, 868.15e6))
    some = replace(network.region, channel_data_rates=(((7, 125e3),),))
    confirmed = Traffic(confirmed=True, after_end=False, payload_bytes=20)
    summed = replace(network.reception, inter_sf="sir_energy")
    for changed, named in (
        (replace(network, gateway_xy_m=np.zeros((2, 2)), **split), "scenario.node_network: 2 networks"),
        (replace(network, traffic=confirmed), "traffic.confirmed: True"),
        (replace(network, region=close), "region.channels_hz: channels overlap"),
        (replace(network, region=some), "region.channel_data_rates: channels of"),
        (replace(network, feedback="free", reception=summed), "reception.inter_sf: 'sir_energy'"),
    ):
        with pytest.raises(ValueError, match=named):
            Twin(changed, [0])
