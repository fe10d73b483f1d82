"""Covers of a set of gateways by the sets of gateways at which single interferers hit."""

from __future__ import annotations

from functools import cache
from itertools import combinations

MOST_GATEWAYS = 5


@cache
def irredundant_covers(members: int) -> tuple[tuple[int, ...], ...]:
    """Families of non-empty subsets of {0, ..., members - 1} that cover it and of which no subset can be left out.

    Subsets are bit masks. There are 1, 2, 8, 49, 462 families for 1 to 5 members.

    Source: the model of "Modeling and Analysis of LoRa networks with several gateways" (INFOCOM'21), sets C(M).
    """
    whole = (1 << members) - 1
    found: set[tuple[int, ...]] = set()

    def grow(chosen: tuple[int, ...], covered: int) -> None:
        if covered == whole:
            if all(_union(chosen[:i] + chosen[i + 1 :]) != whole for i in range(len(chosen))):
                found.add(tuple(sorted(chosen)))
            return
        lowest = (whole & ~covered) & -(whole & ~covered)
        for subset in range(1, whole + 1):
            if subset & lowest:
                grow((*chosen, subset), covered | subset)

    grow((), 0)
    return tuple(sorted(found))


def _union(subsets: tuple[int, ...]) -> int:
    union = 0
    for subset in subsets:
        union |= subset
    return union


def subsets(mask: int) -> list[int]:
    """The non-empty subsets of a bit mask, as bit masks."""
    bits = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
    return [sum(1 << bit for bit in chosen) for size in range(1, len(bits) + 1) for chosen in combinations(bits, size)]
