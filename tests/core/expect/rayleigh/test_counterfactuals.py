"""What the others of a channel have without a node is what they have when it is taken out."""

import numpy as np
import pytest

from lora_marl.core.expect.rayleigh import Rayleigh, reference
from lora_marl.core.presets import mmalora_network
from tests.core.expect.rayleigh.networks import BUSY, GOLDEN, golden, random_points
from tests.core.expect.rayleigh.test_closed_form import CHANGED


def without(model, points, i):
    """EE of the others of i's channel, i removed from every table."""
    rest, t = np.arange(len(points)) != i, model.tables
    fewer = t._replace(
        gain=t.gain[rest], size=t.size[rest], overlap=t.overlap[:, :, rest], bits_per_mj=t.bits_per_mj[rest]
    )
    others = points[rest]
    delivery = reference.delivery(fewer, others, model.variant)
    ee = delivery * fewer.bits_per_mj[np.arange(len(others)), others[:, 0], others[:, 3]]
    return ee[others[:, 2] == points[i, 2]].sum()


@pytest.mark.parametrize("variant", ["expect", "meang"])
@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_they_are_those_of_removing_each_node(changed, variant):
    scenario = changed(mmalora_network(20, 3, seed=2, **BUSY))
    model = Rayleigh(scenario, variant=variant)
    points = np.stack([random_points(scenario, seed) for seed in range(3)])
    outcome = model.counterfactuals(points)
    for b, allocation in enumerate(points):
        expected = model.expect(allocation)
        ee = np.nan_to_num(expected.node_ee_bits_per_mj)
        np.testing.assert_allclose(outcome.delivery[b], expected.delivery, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(outcome.ee[b], ee, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(
            outcome.ee_sum_without[b], [without(model, allocation, i) for i in range(20)], rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(
            outcome.ee_sum[b], [ee[allocation[:, 2] == c].sum() for c in allocation[:, 2]], rtol=1e-12
        )


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_golden_rewards(case):
    scenario, points = golden(case)
    rewards = case["reward"]
    outcome = Rayleigh(scenario).counterfactuals(points[None])
    near = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(outcome.ee_sum[0], rewards["EE_c"], **near)
    np.testing.assert_allclose(outcome.ee_sum_without[0], rewards["EE_c_minus_i"], **near)
    np.testing.assert_allclose(outcome.ee_sum[0] - outcome.ee_sum_without[0], rewards["difference_reward"], **near)
    feasible = outcome.delivery[0] >= rewards["D_th"]
    for nodes, name in ((np.array(rewards["n_c"]), "r_paper_N_is_nc"), (len(points), "r_paper_N_total")):
        reward = feasible * ((2 - 1 / nodes) * outcome.ee_sum[0] - outcome.ee_sum_without[0]) / nodes
        np.testing.assert_allclose(reward, rewards[name], **near)


def test_without_a_node_nobody_has_less():
    scenario = mmalora_network(30, 2, **BUSY)
    outcome = Rayleigh(scenario).counterfactuals(random_points(scenario)[None])
    assert np.all(outcome.ee_sum_without >= outcome.ee_sum - outcome.ee - 1e-12)


def test_replicas_do_not_mix():
    scenario = mmalora_network(30, 2, **BUSY)
    points = np.stack([random_points(scenario, seed) for seed in range(4)])
    model = Rayleigh(scenario)
    together = model.counterfactuals(points)
    for b in range(4):
        for batch, single in zip(together, model.counterfactuals(points[b : b + 1]), strict=True):
            np.testing.assert_array_equal(batch[b], single[0])


def test_points_of_another_shape_are_named():
    scenario = mmalora_network(3, 1)
    with pytest.raises(ValueError, match=r"points are int16 \(3, 4\): they must be int16 \[B, 3, 4\]"):
        Rayleigh(scenario).counterfactuals(random_points(scenario))
