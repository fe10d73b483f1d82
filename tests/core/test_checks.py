from __future__ import annotations

import math
import re

import pytest

from lora_marl.core.checks import (
    check_above_0,
    check_at_least_0,
    check_choice,
    check_count,
    check_share,
    suggest,
    warn_renamed,
)
from lora_marl.core.region import REGIONS

KNOWN = ("cucb", "cd-lora", "ucb1", "mix-mab", "rs-lora")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("cucbb", "cucb"),
        ("cubc", "cucb"),
        ("CUCB", "cucb"),
        ("ucb2", "ucb1"),
        ("mixmab", "mix-mab"),
        ("rs_lora", "rs-lora"),
    ],
)
def test_a_typing_error_is_answered_with_the_word_that_was_meant(word: str, meant: str) -> None:
    for same_start in (False, True):
        hint = suggest(word, KNOWN, same_start=same_start)
        assert hint == f"; did you mean {meant!r}? Known: cd-lora, cucb, mix-mab, rs-lora, ucb1"


@pytest.mark.parametrize(
    ("word", "meant"), [("uration_h", "duration_h"), ("mdoes", "modes"), ("capture", "capture_db"), ("sedes", "seeds")]
)
def test_a_misspelt_key_is_answered_whatever_its_first_letter(word: str, meant: str) -> None:
    keys = ("duration_h", "modes", "capture_db", "seeds", *(f"x{number}" for number in range(7)))
    assert suggest(word, keys) == f"; did you mean {meant!r}?"


def test_case_is_ignored_and_the_known_spelling_is_given() -> None:
    assert suggest("eu886", REGIONS).startswith("; did you mean 'EU868'?")


@pytest.mark.parametrize("word", ["d-lora", "ucb", "dlora", "qmix", "ppo", "mab", "lora"])
def test_another_algorithm_of_a_similar_name_is_not_suggested(word: str) -> None:
    """`d-lora` and `cd-lora` differ in one letter of seven, and are two algorithms."""
    names = ("cucb", "cd-lora", "mix-mab", "rs-lora")
    assert suggest(word, names, same_start=True) == "; known: cd-lora, cucb, mix-mab, rs-lora"


def test_without_a_similar_word_all_are_listed() -> None:
    assert suggest("x", ("b", "a")) == "; known: a, b"
    assert suggest("x", ()) == "; known: none"


def test_a_choice_is_one_of_those_allowed() -> None:
    check_choice("start", "slowest", ("min_sf", "slowest"))
    with pytest.raises(ValueError, match=r"^start: 'fastest' is not one of min_sf, slowest$"):
        check_choice("start", "fastest", ("min_sf", "slowest"))


def test_a_former_name_is_answered_where_it_is_used() -> None:
    def former() -> None:
        warn_renamed("old", "new")

    with pytest.warns(DeprecationWarning, match=r"^old is now new; the old name is removed in 0\.2\.0$") as caught:
        former()
    assert caught[0].filename == __file__
    assert caught[0].lineno == former.__code__.co_firstlineno + 4


def test_numbers_inside_their_range_pass() -> None:
    check_count("n", 1)
    check_count("n", 0, least=0)
    check_above_0("x", 1e-9)
    check_above_0("x", math.inf, finite=False)
    check_at_least_0("x", 0)
    check_at_least_0("x", math.inf, finite=False)
    check_share("p", 0.0)
    check_share("p", 1)
    check_share("p", 0.999, below_1=True)


@pytest.mark.parametrize(
    ("check", "options", "values", "allowed"),
    [
        (check_count, {}, (0, True, 1.0, "1", None), "a whole number of at least 1"),
        (check_count, {"least": 0}, (-1, False), "a whole number of at least 0"),
        (check_above_0, {}, (0.0, -1, math.nan, math.inf, True, "1"), "a number above 0"),
        (check_above_0, {"finite": False}, (0.0, math.nan), "a number above 0"),
        (check_at_least_0, {}, (-1e-9, math.nan, math.inf, False), "a number of at least 0"),
        (check_at_least_0, {"finite": False}, (-1e-9, math.nan), "a number of at least 0"),
        (check_share, {}, (-0.1, 1.1, math.nan, True, None), "a number from 0 to 1"),
        (check_share, {"below_1": True}, (1.0, 1), "a number of at least 0 and below 1"),
    ],
)
def test_numbers_outside_their_range_are_named(check, options, values, allowed) -> None:
    for value in values:
        with pytest.raises(ValueError, match=re.escape(f"limit: {value!r} is not {allowed}") + "$"):
            check("limit", value, **options)
