"""Arrays of parts within the state of a whole."""

from __future__ import annotations

import numpy as np

from lora_marl.core.states import part_of, with_prefix


def test_a_part_is_what_was_put_into_the_whole() -> None:
    inner, outer = {"sum": np.arange(3), "a.b": np.zeros(2)}, {"x": np.ones(1)}
    whole = {"done": np.array(3), **with_prefix("inner", inner), **with_prefix("inner_2", outer)}
    assert list(whole) == ["done", "inner.sum", "inner.a.b", "inner_2.x"]
    assert part_of(whole, "inner") == inner and part_of(whole, "inner_2") == outer
    assert part_of(whole, "inn") == {}
