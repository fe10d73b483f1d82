from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.downlink import Feedback
from lora_marl.core.kernel import tables
from lora_marl.core.presets import journal_network, norel_network
from lora_marl.core.propagation import Propagation
from lora_marl.core.random import stream_key
from lora_marl.core.traffic import Traffic
from tests.core.scenarios import network, region

KEYS = np.array([stream_key(seed, "shadowing") for seed in range(3)])


def made(scenario):
    return tables.make_tables(scenario, KEYS, record=False, count_arms=False, feedback=Feedback())


def test_every_table_is_an_own_writable_array_in_c_order():
    """One type for all scenarios: the kernel is compiled once."""
    frozen = np.full(20, 7.0)
    frozen.setflags(write=False)
    plain = made(network())
    odd = made(network(traffic=Traffic(interval_s=frozen, payload_bytes=np.tile([20, 50], 10)), region=region(8)))
    for one, other in zip(plain, odd, strict=True):
        assert other.flags.c_contiguous and other.flags.writeable
        assert (one.dtype, one.ndim) == (other.dtype, other.ndim)


def test_snapshots_of_the_first_kernels_know_their_network():
    """Fields that came later count only where they are not off."""
    digests = [made(scenario).digest() for scenario in (journal_network(7), norel_network(5))]
    assert digests == [3408875034, 284056857]
    counted = replace(journal_network(7), energy="states")
    assert made(counted).digest() not in digests


def test_reach_lists_exactly_the_channels_that_overlap():
    wide = made(network(region=region(6, 100e3, (125e3, 500e3))))
    for channel, row in enumerate(wide.reach):
        listed = row[row >= 0].tolist()
        assert listed == [c for c in range(6) if wide.overlaps[channel, :, c, :].any()]


def test_link_shadowing_has_its_spread_and_its_common_share():
    air = Propagation(shadowing="link", shadowing_db=7.8, shadowing_common_share=0.5)
    scenario = network(4000, gateways=2, propagation=air)
    still = made(replace(scenario, propagation=replace(air, shadowing_db=0.0))).gain_db
    shadowing_db = made(scenario).gain_db - still
    assert shadowing_db.shape == (3, 4000, 2)
    assert shadowing_db.std() == pytest.approx(7.8, rel=0.02)
    assert np.corrcoef(shadowing_db[0].T)[0, 1] == pytest.approx(0.5, abs=0.05)
    assert np.corrcoef(shadowing_db[0, :, 0], shadowing_db[1, :, 0])[0, 1] == pytest.approx(0.0, abs=0.05)


def test_indices_follow_the_regions_own_lists():
    part = made(network(region=region(spreading_factors=(9, 11), bandwidths_hz=(250e3,), tp_dbm=(2.0, 14.0))))
    assert part.sensitivity_dbm.tolist() == [[-125.0], [-130.0]]
    assert part.tp_mw == pytest.approx([10**0.2, 10**1.4])
    assert part.airtime_s.shape == (1, 2, 1)
