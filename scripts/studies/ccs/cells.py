"""Cells of coexisting networks: regimes, conditions and vendors, and how a cell is named.

A regime has a letter for each network: P policy gradient, D DQN; of networks that do not learn, L any channel at
random, A default channels under adaptive data rate. Every seed is a placement, interference and traffic of its own,
the same for all strategies.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.ccs.layout import LETTER_OF
from lora_marl.core.presets.ccs import INTERVAL_S, MOVES_S
from scripts.studies.claim import Cell

UNSEEN = (5, 6, 7)
"""Vendors that the service was not trained on."""

LEARNERS = {letter: learner for learner, letter in LETTER_OF.items()}
"""Learners and rules of networks in a configuration, by letter."""

NON_LEARNING = "LA"
"""Letters of networks that do not learn."""

REGIMES = ("PP", "DD", "DP", "PPPP", "DDDD", "DLP")
"""Regimes of Table 1."""

STRATEGIES = ("independent", "ccs", "independent-all", "random-residual", "averaging")
"""Labels of `configs/ccs_two.yaml` whose servers learn."""

WITHOUT_VENDOR = ("static-partition", "hopping-partition", "ranked-partition", "hopping", "optimum")
"""Labels of rules, for which it makes no difference whose policies servers have."""

MOVE_EVERY = round(MOVES_S / INTERVAL_S)
"""Intervals between two moves of interference."""


def has_non_learning(regime: str) -> bool:
    """Returns whether a regime has networks that do not learn."""
    return any(letter in NON_LEARNING for letter in regime)


def same_air(regime: str) -> str:
    """Returns the first regime whose air is the same under rules: as many networks, and the same non-learning ones."""
    alike = (other for other in REGIMES if (len(other), _non_learning(other)) == (len(regime), _non_learning(regime)))
    return next(alike, regime if has_non_learning(regime) else "P" * len(regime))


def _non_learning(regime: str) -> set[str]:
    return set(regime) & set(NON_LEARNING)


def name_of(study: str, regime: str, label: str, vendor: int | None, at: str = "") -> str:
    """Returns the name of a cell: `study/regime/label-vendor`, or `study/regime@condition/label-vendor`.

    Args:
        study, regime, label: The cell's.
        vendor: None: of a rule, which is the same for all vendors.
        at: The study's condition, where it has several.
    """
    place = same_air(regime) if vendor is None else regime
    return f"{study}/{place}{at and f'@{at}'}/{label}" + ("" if vendor is None else f"-{vendor}")


def cell_of(study: str, regime: str, label: str, vendor: int | None, changes: Sequence[str] = (), at: str = "") -> Cell:
    """Returns the cell of a label on a regime, with overrides of `configs/ccs_two.yaml`; see `name_of`."""
    networks = ", ".join(f"{{learner: {LEARNERS[letter]}}}" for letter in regime)
    fixed = (f"coexistence.networks=[{networks}]", f"coexistence.vendor={UNSEEN[0] if vendor is None else vendor}")
    return Cell(name_of(study, regime, label, vendor, at), "ccs_two.yaml", label, (*fixed, *changes))


def cells_of(
    study: str,
    regime: str,
    labels: Sequence[str],
    changes: Sequence[str] = (),
    at: str = "",
    vendors: Sequence[int] = UNSEEN,
) -> list[Cell]:
    """Returns the cells of labels on a regime: one for each vendor, or for a rule one for all regimes of `same_air`."""
    return [
        cell_of(study, same_air(regime) if vendor is None else regime, label, vendor, changes, at)
        for label in labels
        for vendor in ((None,) if label in WITHOUT_VENDOR else vendors)
    ]


def unique(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Returns each cell once, by name, in order."""
    return tuple({cell.name: cell for cell in cells}.values())
