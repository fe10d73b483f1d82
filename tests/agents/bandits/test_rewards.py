import numpy as np
import pytest

from agents.bandits.rewards import indicator, reward_table
from lora_marl.core.metric_factors import metric_bonus, sf_weights, shares
from lora_marl.core.reception import Fate

FACTORS = ("sf", "channel", "tp")


def test_sf_weights_are_those_of_the_paper_and_of_the_published_code(dlora_vectors):
    golden = dlora_vectors["rewards"]
    np.testing.assert_allclose(sf_weights(range(7, 13)), golden["sf_weight_true_2pow"], rtol=1e-12)
    np.testing.assert_allclose(sf_weights(range(7, 13), "xor"), golden["sf_weight_authors_xor_bug"], rtol=1e-12)


def test_bonuses_are_golden(dlora_vectors, conference):
    golden = dlora_vectors["rewards"]
    for eta in (1.8, 3.5):
        bonus = metric_bonus(conference.region, xi=0, zeta=1, eta=eta)
        expected = next(value for key, value in golden.items() if key.startswith(f"tp_bonus_eta{eta}"))
        np.testing.assert_allclose(bonus["tp"], expected, rtol=1e-12)
    np.testing.assert_allclose(bonus["bw"], golden["bw_weight"], rtol=1e-12)


@pytest.mark.parametrize(("kind", "suffix"), [("pm1", ""), ("indicator01", "_paper_literal")])
def test_rewards_are_golden(dlora_vectors, journal, kind, suffix):
    region = journal.region
    table = reward_table(indicator(kind), metric_bonus(region, xi=1, zeta=0, eta=1.8), region, FACTORS)
    for example in dlora_vectors["rewards"]["journal_examples"]:
        rows = [Fate.DELIVERED] if example["received"] else [fate for fate in Fate if fate > Fate.DELIVERED]
        sf, tp = region.spreading_factors.index(example["sf"]), 14 + region.tp_dbm.index(example["tp"])
        expected = [example[f"r_{factor}{suffix}"] for factor in ("sf", "cf", "tp")]
        for row in rows:
            np.testing.assert_allclose(table[row, [sf, 6, tp]], expected, rtol=1e-12)


def test_the_bonus_is_added_to_failures_too(journal):
    table = reward_table(indicator("indicator01"), {"tp": np.arange(7.0)}, journal.region, ("tp",))
    np.testing.assert_array_equal(table[Fate.COLLIDED], np.arange(7.0))


def test_bad_values_are_named(journal):
    with pytest.raises(ValueError, match="indicator: 'plus' is not one of pm1, indicator01"):
        indicator("plus")
    with pytest.raises(ValueError, match="sf_weight: 'x' is not one of true, xor"):
        sf_weights([7], "x")
    with pytest.raises(ValueError, match="eta = nan"):
        metric_bonus(journal.region, xi=0, zeta=0, eta=float("nan"))
    with pytest.raises(ValueError, match="sum"):
        shares([-2.0, 2.0])
