from statistics import NormalDist

import numpy as np
import pytest
from numba import njit

from lora_marl.core.random import (
    bits,
    draw_index,
    exponential,
    normal,
    normal_quantile,
    stream_key,
    stream_keys,
    uniform,
)


@njit
def many(draw, key, nodes, counters):
    drawn = np.empty((nodes, counters))
    for n in range(nodes):
        for i in range(counters):
            drawn[n, i] = draw(key, n, i)
    return drawn


def test_keys_of_many_streams_are_those_of_numpy():
    seeds = [0, 1, 12345, 2**32 - 1, 2**32, 2**32 + 1, 2**40 + 7, 2**63 - 1]
    names = ["traffic", "hop", ""]
    assert stream_keys(seeds, names).tolist() == [[int(stream_key(seed, name)) for seed in seeds] for name in names]


@pytest.mark.parametrize("p", [1e-300, 1e-20, 1e-9, 0.01, 0.0749, 0.0751, 0.3, 0.5, 0.9249, 0.9251, 1 - 1e-12])
def test_normal_quantile(p):
    assert normal_quantile(p) == pytest.approx(NormalDist().inv_cdf(p), rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(
    ("draw", "mean", "variance"), [(uniform, 0.5, 1 / 12), (exponential, 1.0, 1.0), (normal, 0.0, 1.0)]
)
def test_moments_and_independence(draw, mean, variance):
    drawn = many(draw, stream_key(0, "test"), 1000, 1000)
    assert drawn.mean() == pytest.approx(mean, abs=5e-3)
    assert drawn.var() == pytest.approx(variance, rel=1e-2)
    centred = drawn - mean
    for lagged in (centred[1:] * centred[:-1], centred[:, 1:] * centred[:, :-1]):
        assert lagged.mean() / variance == pytest.approx(0.0, abs=5e-3)


def test_streams_differ_by_seed_and_by_name_and_repeat():
    keys = {stream_key(seed, name) for seed in range(100) for name in ("traffic", "shadowing", "noise")}
    assert len(keys) == 300
    assert stream_key(7, "traffic") == stream_key(7, "traffic")


def test_draws_do_not_repeat_over_nodes_packets_and_gateways():
    key = stream_key(0, "shadowing")
    drawn = {bits(key, n, draw_index(p, g)) for n in range(20) for p in range(-1, 20) for g in range(-1, 5)}
    assert len(drawn) == 20 * 21 * 6


def test_uniform_never_reaches_its_ends():
    """The largest and smallest hash still give a finite logarithm and quantile."""
    for extreme in (0, 2**64 - 1):
        u = (float(extreme >> 12) + 0.5) * 2.0**-52
        assert 0.0 < u < 1.0
        assert np.isfinite(normal_quantile(u))
