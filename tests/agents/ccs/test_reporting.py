"""Options of reporting: what is accepted, and what errors say."""

from __future__ import annotations

import math
from typing import Any

import pytest

from agents.ccs.attacks import ATTACKS
from agents.ccs.reporting import Privacy, Reporting, reporting


def test_options_become_records() -> None:
    assert reporting({}) == Reporting()
    record = reporting({"privacy": {"epsilon": math.inf}, "noise": 1, "delay_rounds": 2.0})
    assert record == Reporting(privacy=Privacy(math.inf), noise=1, delay_rounds=2)
    assert isinstance(record.delay_rounds, int)


@pytest.mark.parametrize("attack", [*ATTACKS, "optimised", None])
def test_every_attack_may_be_named(attack: str | None) -> None:
    assert reporting({"attack": attack}).attack == attack


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"privacy": 8.0}, "privacy: 8.0 is not a mapping of epsilon, delta and clip"),
        ({"privacy": {"delta": 0.5}}, "privacy.epsilon: is missing"),
        ({"noise": True}, "noise: True is not a number"),
        ({"delay_rounds": 1.5}, "delay_rounds: 1.5 is not a whole number"),
        ({"delay_rounds": math.inf}, "delay_rounds: inf is not a whole number"),
        (
            {"share": 2.0, "encoding": "int4", "privacy": {"epsilon": 0.0, "delta": 1.0}},
            "privacy.epsilon: 0.0 is not greater than 0; privacy.delta: 1.0 is not less than 1; "
            "share: 2.0 is not less than or equal to 1; encoding: 'int4' is not 'float32', 'float16', 'int8' or 'top'",
        ),
    ],
)
def test_an_error_names_everything_that_is_wrong(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        reporting(options)
    assert str(error.value) == message


def test_unknown_names_are_named_with_those_of_privacy() -> None:
    with pytest.raises(ValueError, match=r"^privacy\.clips: unknown key; .*; nois: unknown key; did you mean 'noise'"):
        reporting({"nois": 0.1, "privacy": {"epsilon": 1.0, "clips": 1}})
