"""Cells of coexisting networks: regimes, conditions and vendors, and how a cell is named.

Regimes: P policy gradient, D DQN; legacy: L any channel at random, A default channels under ADR. Every seed is a
placement, interference and traffic of its own, the same for all ways.
"""

from __future__ import annotations

from collections.abc import Sequence

from scripts.studies.claim import Cell

UNSEEN = (5, 6, 7)
LEARNERS = {"P": "pg", "D": "dqn", "L": "uniform", "A": "adr"}
LEGACY = "LA"
REGIMES = ("PP", "DD", "DP", "PPPP", "DDDD", "DLP")
WAYS = ("independent", "ccs", "independent-all", "random-residual", "averaging")
WITHOUT_VENDOR = ("static-partition", "hopping-partition", "ranked-partition", "hopping", "optimum")


def same_air(regime: str) -> str:
    """The first regime of as many learners and legacy networks: what rules without learning do is the same there."""
    alike = (each for each in REGIMES if (len(each), _legacy(each)) == (len(regime), _legacy(regime)))
    return next(alike, regime if _legacy(regime) else "P" * len(regime))


def _legacy(regime: str) -> set[str]:
    return set(regime) & set(LEGACY)


def name_of(study: str, regime: str, way: str, vendor: int | None, at: str = "") -> str:
    """Of a cell: `study/regime/way-vendor`, or `study/regime@condition/way-vendor`.

    Args:
        study, regime, way: Of the cell.
        vendor: None: of a way without learning, the same for all vendors.
        at: Under which of the study's conditions, where it has several.
    """
    place = same_air(regime) if vendor is None else regime
    return f"{study}/{place}{at and f'@{at}'}/{way}" + ("" if vendor is None else f"-{vendor}")


def cell_of(study: str, regime: str, way: str, vendor: int | None, changes: Sequence[str] = (), at: str = "") -> Cell:
    """A way on a regime, with overrides of `configs/ccs_two.yaml`; see `name_of`."""
    networks = ", ".join(f"{{learner: {LEARNERS[letter]}}}" for letter in regime)
    fixed = (f"coexistence.networks=[{networks}]", f"coexistence.vendor={UNSEEN[0] if vendor is None else vendor}")
    return Cell(name_of(study, regime, way, vendor, at), "ccs_two.yaml", way, (*fixed, *changes))


def cells_of(
    study: str,
    regime: str,
    ways: Sequence[str],
    changes: Sequence[str] = (),
    at: str = "",
    vendors: Sequence[int] = UNSEEN,
) -> list[Cell]:
    """Ways on a regime, of each vendor, or once where that makes no difference and for all regimes of `same_air`."""
    return [
        cell_of(study, same_air(regime) if vendor is None else regime, way, vendor, changes, at)
        for way in ways
        for vendor in ((None,) if way in WITHOUT_VENDOR else vendors)
    ]


def once(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Each cell once, by name, in order."""
    return tuple({cell.name: cell for cell in cells}.values())
