"""Figures 3 and 4 of the CCS paper on our air: interference that moves, and different learners beside legacy networks.

The paper shows one simulation and gives no numbers. Ours: mean and band over seeds, and channel by time of the first
seed; of legacy networks both kinds, that on any channel at random, which nobody can help, and that on the default
channels under adaptive data rate, which learners can avoid.
"""

from __future__ import annotations

from functools import partial

from scripts.studies.ccs.cells import LEARNERS, UNSEEN, cells_of, name_of, once
from scripts.studies.ccs.plots import draw_gains, draw_moving
from scripts.studies.ccs.readings import KPIS, columns, gain, pair, reading, reported, spill_over
from scripts.studies.ccs.regimes import STRETCH
from scripts.studies.claim import Study

WAYS = ("independent", "ccs")
MOVING, MIXED = ("PP", "PPPP"), ("DLP", "DAP")


def studies() -> list[Study]:
    """`ccs-figure-3` and `ccs-figure-4`."""
    return [_moving("ccs-figure-3"), _mixed("ccs-figure-4")]


def _moving(study: str) -> Study:
    """Overlap and oscillation, and PRR over time."""
    cells = [cell for regime in MOVING for cell in cells_of(study, regime, WAYS, vendors=UNSEEN[:1])]
    claims = [
        reported(f"{cell.name}/{name}", (cell.name,), reading(name))
        for cell in cells
        for name in ("prr", "overlap", "switches")
    ]
    panels = {regime: {way: name_of(study, regime, way, UNSEEN[0]) for way in WAYS} for regime in MOVING}
    draw = partial(draw_moving, panels=panels, stretch=STRETCH)
    title = "Coexisting networks, Fig. 3: moving interference, PRR over time and who uses which channel"
    return Study(study, title, once(cells), tuple(claims), draw, columns(study))


def _mixed(study: str) -> Study:
    """Gains by kind of learner, and spill-over."""
    cells = [cell for regime in MIXED for cell in cells_of(study, regime, WAYS)]
    claims = [claim for regime in MIXED for claim in spill_over(study, regime)]
    claims += [
        reported(f"{study}/{regime}/ccs/{LEARNERS[letter]}_gain_{name}", pair(study, regime), gain(f"{name}_{s}", sign))
        for regime in MIXED
        for s, letter in enumerate(regime)
        if letter in "DP"
        for name, sign in KPIS.items()
    ]
    panels = {regime: (pair(study, regime), [LEARNERS[letter] for letter in regime]) for regime in MIXED}
    title = "Coexisting networks, Fig. 4: DQN and policy gradient beside a legacy network, gains of each"
    return Study(study, title, once(cells), tuple(claims), partial(draw_gains, panels=panels), columns(study))
