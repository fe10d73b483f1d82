"""Cells of coexisting networks: regimes and vendors, and how a cell is named.

Regimes: P policy gradient, D DQN, L legacy. Every seed is a placement, interference and traffic of its own, the same
for all ways.
"""

from __future__ import annotations

from collections.abc import Sequence

from scripts.claims.claim import Cell

UNSEEN = (5, 6, 7)
LEARNERS = {"P": "pg", "D": "dqn", "L": "uniform"}
REGIMES = ("PP", "DD", "DP", "PPPP", "DDDD", "DLP")
WAYS = ("independent", "ccs", "independent-all", "random-residual", "averaging")
FEWER = WAYS[:2]
WITHOUT_VENDOR = ("static-partition", "hopping-partition", "ranked-partition", "hopping", "optimum")


def same_air(regime: str) -> str:
    """The first regime of as many learners and legacy networks: what rules without learning do is the same there."""
    return next(each for each in REGIMES if (len(each), "L" in each) == (len(regime), "L" in regime))


def name_of(study: str, regime: str, way: str, vendor: int | None) -> str:
    """Of a cell: `study/regime/way-vendor`; None: of a way without learning, the same for all vendors."""
    regime = same_air(regime) if vendor is None else regime
    return f"{study}/{regime}/{way}" + ("" if vendor is None else f"-{vendor}")


def cell_of(study: str, regime: str, way: str, vendor: int | None, changes: Sequence[str] = ()) -> Cell:
    """A way on a regime, with overrides of `configs/ccs_two.yaml`."""
    networks = ", ".join(f"{{learner: {LEARNERS[letter]}}}" for letter in regime)
    fixed = (f"coexistence.networks=[{networks}]", f"coexistence.vendor={UNSEEN[0] if vendor is None else vendor}")
    return Cell(name_of(study, regime, way, vendor), "ccs_two.yaml", way, (*fixed, *changes))
