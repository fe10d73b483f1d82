"""The worth of parts and weights of the coordination service: services that were trained anew without them.

`scripts/ablate_ccs.py` trains and plays them. The study needs their weights, so `reproduce.py` does not have it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from agents.ccs.training import Hyperparameters
from scripts.studies.ccs.cells import UNSEEN, cell_of, name_of
from scripts.studies.ccs.plots import draw_ablations
from scripts.studies.ccs.readings import columns, gain, gain_of_cell
from scripts.studies.claim import Cell, Claim, Results, Study

DEFAULT = Hyperparameters()
STUDY, WHOLE = "ccs-ablations", "whole"
REGIMES = ("PP", "PPPP", "DDDD", "DP")

VARIANTS: Mapping[str, tuple[str, ...]] = {
    WHOLE: (),
    "without codes": ("design.code_scope=none",),
    "code per group": ("design.code_scope=group",),
    "without diversity and discriminator": ("hyper.beta=0", "hyper.gamma=0"),
    "diversity of groups": ("hyper.pairs=group",),
    "without ring": ("design.ring=false",),
    "groups at one place": ("design.spread=0",),
    "without gate": ("design.gate=null",),
    "flat encoder": ("design.encoder=flat",),
    "flat encoder, channels embedded": ("design.encoder=flat", "design.channel_embedding=4"),
    "raw weights": ("design.mapping=raw",),
    "air fitted to packets": ("proxy=configs/ccs/proxy-ccs_study.json",),
    **{f"beta {value:g}": (f"hyper.beta={value:g}",) for value in (0.0, 0.03, 0.1, 0.3, 1.0) if value != DEFAULT.beta},
    **{f"gamma {value:g}": (f"hyper.gamma={value:g}",) for value in (0.0, 0.02, 0.1) if value != DEFAULT.gamma},
}
"""What is changed before training, as `train_ccs.py --set` takes it."""


def study(services: Mapping[str, Path]) -> Study:
    """Returns the study: each service on every regime, beside independent learners of a vendor that it has not seen.

    Args:
        services: Files of weights, by variant.
    """
    cells, claims = list[Cell](), list[Claim]()
    for regime in REGIMES:
        cells.append(cell_of(STUDY, regime, "independent", UNSEEN[0]))
        for variant, path in services.items():
            parameters = f"learners.ccs.parameters={{service: '{path}'}}"
            cells.append(replace(cell_of(STUDY, regime, "ccs", UNSEEN[0], (parameters,)), name=_name(regime, variant)))
            pair = (cells[-1].name, name_of(STUDY, regime, "independent", UNSEEN[0]))
            claims.append(Claim(f"{cells[-1].name}/gain_prr", pair, gain("prr", 1.0), -math.inf, math.inf))
    title = "Coexisting networks: services trained anew without a part or with another weight, load 1"
    draw = partial(draw_ablations, variants=tuple(services), regimes=REGIMES, read=gains)
    return Study(STUDY, title, tuple(cells), tuple(claims), draw, columns(STUDY))


def gains(numbers: Results, regime: str, variant: str) -> list[float]:
    """Returns the gain in PRR of a variant over independent learners, by seed. percent"""
    return gain_of_cell(STUDY, _name(regime, variant), numbers)


def _name(regime: str, variant: str) -> str:
    return f"{STUDY}/{regime}/{variant}"
