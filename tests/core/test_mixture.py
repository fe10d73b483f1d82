"""Nodes that draw an operating point for every packet."""

import numpy as np
import pytest

from lora_marl.core.air import Air
from lora_marl.core.downlink import Feedback
from lora_marl.core.mixture import Mixture
from lora_marl.core.random import stream_key, uniform
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import network, random_points
from tests.core.test_frames import same

SCENARIO = network(12, traffic=Traffic(interval_s=2.0))


def mixture(replicas=1, points=4, seed=0):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(points), (1, 12)).repeat(replicas, axis=0)
    shares[:, 0, 1:3] = 0.0  # points that are never drawn
    cumulative = (shares / shares.sum(-1, keepdims=True)).cumsum(-1)
    columns = [rng.integers(0, size, (1, 12, points)) for size in SCENARIO.region.factor_sizes]
    drawn = np.stack(columns, -1).astype(np.int16).repeat(replicas, axis=0)
    return Mixture(cumulative=cumulative / cumulative[..., -1:], points=drawn)


def test_every_packet_draws_its_point_by_its_number():
    mixed, points = mixture(), random_points(SCENARIO)
    air = Air(SCENARIO, [7], record=True)
    air.advance(points, 500.0, mixed)
    packets, _ = air.recording()
    key = stream_key(7, "choice")
    for source, index, point in zip(packets.source, packets.index, packets.point, strict=True):
        place = np.searchsorted(mixed.cumulative[0, source], uniform(key, source, index), side="right")
        assert point.tolist() == mixed.points[0, source, place].tolist()
    last = [packets.point[packets.source == n][-1].tolist() for n in range(12)]
    assert points[0].tolist() == last


def test_points_are_drawn_with_their_probabilities():
    mixed, points = mixture(), random_points(SCENARIO)
    air = Air(SCENARIO, [1], record=True)
    air.advance(points, 10_000.0, mixed)
    packets, _ = air.recording()
    shares = np.diff(mixed.cumulative[0], prepend=0.0, axis=-1)
    for n in range(12):
        sent = packets.point[packets.source == n]
        drawn_shares = np.array([(sent == point).all(axis=1).mean() for point in mixed.points[0, n]])
        np.testing.assert_allclose(drawn_shares, shares[n], atol=4 * 0.5 / len(sent) ** 0.5)


def test_a_certain_mixture_plays_as_its_points():
    points = random_points(SCENARIO, 2)
    certain = Mixture(cumulative=np.ones((2, 12, 1)), points=points[:, :, None, :].copy())
    mixed = Air(SCENARIO, [3, 4]).advance(np.zeros_like(points), 200.0, certain)
    same(mixed, Air(SCENARIO, [3, 4]).advance(points, 200.0))


@pytest.mark.parametrize("threads", [1, 2])
def test_neither_cuts_nor_replicas_nor_snapshots_matter(threads):
    whole = Air(SCENARIO, [3]).advance(random_points(SCENARIO), 100.0, mixture())
    air, points = Air(SCENARIO, [8, 3], threads=threads), random_points(SCENARIO, 2)
    parts = air.advance(points, 13.7, mixture(2)) + air.advance(points, 44.4, mixture(2))
    other = Air(SCENARIO, [8, 3], threads=threads)
    other.load_state_dict(air.state_dict())
    same(parts + other.advance(points, 100.0, mixture(2)), whole, slice(1, 2))


def test_mixtures_that_do_not_fit_are_named():
    points = np.zeros((1, 2, 3, 4), np.int16)
    rising = np.tile([0.2, 0.5, 1.0], (1, 2, 1))
    with pytest.raises(ValueError, match=r"mixture.cumulative\[0, 1\]: .* does not rise from 0 to 1"):
        Mixture(cumulative=rising * [[[1.0], [0.9]]], points=points)
    with pytest.raises(ValueError, match=r"mixture.cumulative\[0, 0\]"):
        Mixture(cumulative=rising[..., ::-1], points=points)
    with pytest.raises(ValueError, match=r"mixture.points: int64 \(1, 2, 3, 4\); allowed is int16"):
        Mixture(cumulative=rising, points=points.astype(int))
    with pytest.raises(ValueError, match=r"mixture.cumulative: shape \(2, 3\)"):
        Mixture(cumulative=rising[0], points=points[0])
    with pytest.raises(ValueError, match=r"mixture.cumulative: of \(1, 2\) replicas and nodes; not \(1, 12\)"):
        Air(SCENARIO, [0]).advance(random_points(SCENARIO), 1.0, Mixture(cumulative=rising, points=points))
    commanded = Air(network(12, feedback="downlink"), [0], feedback=Feedback(decides="server"))
    with pytest.raises(ValueError, match="mixture: nodes that a server commands"):
        commanded.advance(random_points(SCENARIO), 1.0, mixture())
    outside = Mixture(cumulative=np.ones((1, 12, 1)), points=np.full((1, 12, 1, 4), 9, np.int16))
    with pytest.raises(ValueError, match=r"points\[0, \d+\]: \[9, 9, 9, 9\] is outside"):
        Air(SCENARIO, [0]).advance(random_points(SCENARIO), 10.0, outside)
