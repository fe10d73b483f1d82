"""Names on the first page of a log: short, and still different."""

import pytest

pytest.importorskip("pyarrow")

from scripts.bridge.first_page import short_names


def test_names_that_differ_at_their_ends_stay_different():
    assert short_names(["24e124fffef41a10", "24e124fffef41a11"]) == ["…fef41a10", "…fef41a11"]


def test_names_that_differ_at_their_beginnings_are_given_more_of():
    assert short_names(["aa-11111111", "bb-11111111"]) == ["aa-11111111", "bb-11111111"]
    assert short_names(["roof", "tower"]) == ["roof", "tower"]
