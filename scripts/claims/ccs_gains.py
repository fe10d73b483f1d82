"""Claims that studies of coexisting networks share: what the service gains, beside what paper 000 prints."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from numpy.typing import ArrayLike

from scripts.claims.ccs_cells import LEGACY, UNSEEN, name_of
from scripts.claims.ccs_reads import gain, least_network, share_of_optimum, worst_network
from scripts.claims.claim import Claim

OURS = "our target"
PAPER = {2: (20, 10, 15), 4: (10, 8, 10), 3: (5, 5, 5)}
"""Gains that the paper prints for two, four and mixed networks: PRR, EPN, ATP; its air is not published."""

KPIS = {"prr": 1.0, "epn_mj": -1.0, "atp": -1.0}
"""And whether more of it is better."""


def pair(study: str, regime: str, at: str = "", vendors: Sequence[int] = UNSEEN) -> tuple[str, ...]:
    """Cells of the service by vendor, then those of independent learners."""
    return tuple(name_of(study, regime, way, v, at) for way in ("ccs", "independent") for v in vendors)


def reported(name: str, cells: tuple[str, ...], read: Callable[..., ArrayLike], note: str = "") -> Claim:
    """A number without a band."""
    return Claim(name, cells, read, -math.inf, math.inf, None, note)


def gains(study: str, regime: str) -> list[Claim]:
    """What the service gains: paper 000, Table 1; beside legacy also the learners alone, and what spills over."""
    names = pair(study, regime)
    paper = PAPER[len(regime)]
    claims = [
        Claim(f"{study}/{regime}/ccs/gain_{name}", names, gain(name, sign), -math.inf, math.inf, float(printed),
              "the paper's air is not published")
        for (name, sign), printed in zip(KPIS.items(), paper, strict=True)
    ]  # fmt: skip
    best = (*names, name_of(study, regime, "optimum", None))
    claims.append(reported(f"{study}/{regime}/ccs/share_of_optimum", best, share_of_optimum))
    return claims + (spill_over(study, regime) if set(regime) & set(LEGACY) else direct(study, regime))


def direct(study: str, regime: str) -> list[Claim]:
    """What residuals gain that are optimised for the very networks, a second reference, with the first vendor."""
    names = tuple(name_of(study, regime, way, UNSEEN[0]) for way in ("direct", "independent"))
    best = (*names, name_of(study, regime, "optimum", None))
    return [
        reported(f"{study}/{regime}/direct/gain_prr", names, gain("prr", 1.0)),
        reported(f"{study}/{regime}/direct/share_of_optimum", best, share_of_optimum),
    ]


def spill_over(study: str, regime: str, at: str = "") -> list[Claim]:
    """What learners and legacy networks gain when the service coordinates the learners.

    A legacy network that sends on any channel at random meets the same load whatever the others agree on.
    """
    place = f"{study}/{regime}{at and f'@{at}'}/ccs"
    return [
        reported(f"{place}/{who}_gain_{name}", pair(study, regime, at), gain(f"{who}_{name}", sign))
        for who in ("learning", "legacy")
        for name, sign in KPIS.items()
    ]


def harmless(study: str, regime: str, low: float = -math.inf, at: str = "") -> list[Claim]:
    """What the network that gains least gains in the mean over seeds, and the worst network and seed."""
    names, place = pair(study, regime, at), f"{study}/{regime}{at and f'@{at}'}/ccs"
    least = partial(least_network, networks=len(regime))
    worst = partial(worst_network, networks=len(regime))
    return [
        Claim(f"{place}/least_network", names, least, low, math.inf, None, OURS if math.isfinite(low) else ""),
        reported(f"{place}/worst_network_and_seed", names, worst),
    ]
