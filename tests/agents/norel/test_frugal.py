"""The frugal NoReL: rounds that grow, commands that are needed, actions of the highest power."""

import numpy as np
import pytest

import agents
from agents.norel.frugal import FrugalNoReL
from agents.run import run_until
from lora_marl.core.air import Air
from lora_marl.core.kernel.state import DECISION
from lora_marl.core.outcome import Decisions
from lora_marl.core.presets import norel_network


def row(sent, delivered, point=(0, 0, 0, 4)):
    rows = np.zeros(1, DECISION)
    rows["sent"], rows["delivered"], rows["point"] = sent, delivered, point
    return Decisions(rows)


def test_rounds_grow_by_packets_received():
    learner = FrugalNoReL(norel_network(3), [0], growth=2.0, longest=40, channel_state="none")
    points = learner.initial_points()
    ended = []
    for _ in range(20):
        learner.decide(row(12, 10, points[0, 0]), points)
        ended.append(int(learner.table.rounds[0, 0, 0]))
    # 10, 20, 40, 40, ... packets received: after 1, 3, 7, 11, 15 and 19 rows.
    assert np.flatnonzero(np.diff([0, *ended])).tolist() == [0, 2, 6, 10, 14, 18]


def test_a_round_is_learned_whole():
    learner = FrugalNoReL(norel_network(3), [0], growth=1.0, round_packets=25, channel_state="none")
    points = learner.initial_points()
    for sent, delivered in ((12, 10), (10, 10), (14, 10)):
        learner.decide(row(sent, delivered, points[0, 0]), points)
    assert learner.table.utility[0, 0, 0].max() == pytest.approx(30 / 36)


def test_actions_are_of_the_highest_power_unless_all_are_wanted():
    for powers, some in (("highest", False), ("all", True)):
        learner = FrugalNoReL(norel_network(20), [0], powers=powers)
        lower = learner.actions.reshape(1, 20, 6, 5)[..., :-1]
        assert lower.any() == some
        assert learner.actions.any(axis=-1).all()


def test_it_needs_fewer_downlinks_and_delivers_more_than_norel():
    scenario = norel_network(300, packets_per_s=0.002)
    outcomes = {}
    for name in ("norel", "norel-frugal"):
        learner = agents.make(name, scenario, [0, 1])
        air, points = Air(scenario, [0, 1], feedback=learner.feedback), learner.initial_points()
        run_until(air, learner, points, 4 * 86400.0)
        outcomes[name] = run_until(air, learner, points, 6 * 86400.0)
    few, many = outcomes["norel-frugal"], outcomes["norel"]
    assert few.downlinks.sum() < 0.1 * many.downlinks.sum()
    assert few.delivered.sum() / few.sent.sum() > many.delivered.sum() / many.sent.sum() + 0.01


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"growth": 0.5}, "growth = 0.5"), ({"longest": 0}, "longest = 0"), ({"sharpness": 0.0}, "sharpness = 0.0"),
     ({"powers": "low"}, "powers: 'low'")],
)  # fmt: skip
def test_parameters_outside_their_range_are_named(parameters, named):
    with pytest.raises(ValueError, match=named):
        FrugalNoReL(norel_network(2), [0], **parameters)
