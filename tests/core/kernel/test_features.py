"""What no network needs is left out of the loop, and what one needs is not."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import TypingError

from lora_marl.core.kernel import compiled, entry_point
from lora_marl.core.kernel import features as feature_module
from lora_marl.core.kernel.features import DOWNLINKS, FEATURES, LIMITS, needed, specialised
from lora_marl.core.kernel.rule import INTER_SF, RULE

SOURCES = sorted(Path(feature_module.__file__).parent.glob("*.py"))


def guarded_switches() -> set[tuple[str, str]]:
    """Pairs of a feature and the switch of the rule that stands behind it, `FEATURE and rule.switch`."""
    pairs = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And) and len(node.values) > 1:
                first, second = node.values[:2]
                if isinstance(first, ast.Name) and first.id in FEATURES and isinstance(second, ast.Attribute):
                    if RULE.names and second.attr in RULE.names:
                        pairs.add((first.id, second.attr))
    return pairs


@compiled()
def _cannot_be_compiled(x):
    return x.no_such_attribute


def _optional_part(x):
    if DOWNLINKS and x > 0:
        return _cannot_be_compiled(x)
    return x


def test_a_part_that_is_left_out_is_not_compiled() -> None:
    assert entry_point()(specialised(_optional_part, frozenset()))(3) == 3
    with pytest.raises(TypingError, match="no_such_attribute"):
        entry_point()(specialised(_optional_part, frozenset(FEATURES)))(3)


def test_a_default_rule_needs_no_feature() -> None:
    assert needed(np.zeros(1, RULE), repeats=False, draws_points=False) == frozenset()
    assert needed(np.zeros(1, RULE), repeats=False, draws_points=True) == {"RARE"}
    assert needed(np.zeros(1, RULE), repeats=True, draws_points=False) == {"RARE"}


def test_every_switch_behind_a_feature_turns_it_on() -> None:
    pairs = guarded_switches()
    assert len(pairs) > 8
    for feature, switch in pairs:
        rule = np.zeros(1, RULE)
        if RULE[switch] == np.bool_:
            rule[switch] = True
            assert feature in needed(rule, repeats=False, draws_points=False), f"{feature} and rule.{switch}"


@pytest.mark.parametrize(("record", "expected"), [(False, {"LIMITS"}), (True, {"RARE"})])
def test_rare_parts_have_the_limits_of_regions(record: bool, expected: set[str]) -> None:
    rule = np.zeros(1, RULE)
    rule["sub_bands"], rule["record"] = True, record
    assert needed(rule, repeats=False, draws_points=False) == expected


def _optional_limit(x):
    return 1 if LIMITS and x > 0 else 0


@pytest.mark.parametrize(("features", "expected"), [(set(), 0), ({"LIMITS"}, 1), ({"RARE"}, 1)])
def test_limits_are_compiled_where_they_or_rare_parts_are(features: set[str], expected: int) -> None:
    assert specialised(_optional_limit, frozenset(features))(3) == expected


@pytest.mark.parametrize(
    ("inter_sf", "expected"),
    [
        ("none", set()),
        ("sinr", set()),
        ("sir_pairwise", {"MATRIX"}),
        ("sir_energy", {"MATRIX"}),
        ("db_ratio", {"RARE"}),
    ],
)
def test_rules_of_reception_need_their_part(inter_sf: str, expected: set[str]) -> None:
    rule = np.zeros(1, RULE)
    rule["inter_sf"] = INTER_SF[inter_sf]
    assert needed(rule, repeats=False, draws_points=False) == expected
