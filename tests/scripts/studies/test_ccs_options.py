"""Studies of attacks, privacy, compression and late reports: cells, readings, pictures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from agents.ccs.attacks import ATTACKS
from lora_marl.config import load
from scripts.runs.coexistence.strategies import build_strategy
from scripts.studies.ccs import options
from scripts.studies.ccs.options import least_honest, report_bytes
from scripts.studies.ccs.readings import gain
from scripts.studies.claim import CellResult, Study

ROOT = Path(__file__).parents[3]
STUDIES = {study.name: study for study in options.studies()}
ALONE = CellResult((), 1.0, {"prr": [0.5, 0.5], "prr_0": [0.5, 0.5], "prr_1": [0.5, 0.4], "prr_2": [0.5, 0.5]})
OURS = CellResult((), 1.0, {"prr": [0.6, 0.4], "prr_0": [0.1, 0.1], "prr_1": [0.55, 0.42], "prr_2": [0.6, 0.5]})


def test_an_attackers_own_loss_does_not_count() -> None:
    assert least_honest(OURS, ALONE, networks=3) == [pytest.approx(7.5)]
    assert options.honest_gain(3)(OURS, ALONE) == pytest.approx([15.0, 2.5])
    assert gain("prr", 1.0)(OURS, ALONE)[0] == pytest.approx([20.0, -20.0])


def test_every_attack_with_defences_has_a_band() -> None:
    banded = {claim.name: claim.low for claim in STUDIES["ccs-attacks"].claims if math.isfinite(claim.low)}
    names = ("none", *ATTACKS, "optimised")
    assert set(banded) == {
        f"ccs-attacks/{regime}/{name}/least_honest_network" for regime in ("PP", "PPPP", "DDDD") for name in names
    }
    assert set(banded.values()) == {-5.0}


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_every_cell_can_be_played_and_every_claim_is_read_off_cells(study: Study) -> None:
    names = [cell.name for cell in study.cells]
    assert len(set(names)) == len(names)
    assert {name for claim in study.claims for name in claim.cells} <= set(names)
    first = names[0].split("/")[1]
    for cell in study.cells:
        if cell.name.split("/")[1] == first:  # parameters are the same for all regimes
            build_strategy(load(ROOT / "configs" / cell.config, (*cell.changes, "seeds=[0]")), cell.learner)


def test_smaller_snapshots_are_smaller() -> None:
    sizes = {name: report_bytes(f"ccs-compression/PPPP/{name}", {})[0] for name in options.ENCODINGS}
    whole = 4.0 * 27_952
    expected = {
        "float32": 1.0,
        "float16": 0.5,
        "int8": 0.254,
        "top-half": 0.28,
        "top-quarter": 0.156,
        "top-tenth": 0.081,
    }
    for name, share in expected.items():
        assert sizes[name] == pytest.approx(share * whole + 280.0, rel=0.02)
    assert not report_bytes("ccs-compression/PPPP/independent-5", {})


@pytest.mark.parametrize("name", ["ccs-attacks", "ccs-privacy"])
def test_pictures_are_drawn_of_whatever_was_played(name: str, tmp_path: Path) -> None:
    study = STUDIES[name]
    assert study.draw is not None
    values = {f"prr_{s}": [0.5, 0.6] for s in range(4)}
    numbers = {cell.name: CellResult((), 1.0, values) for cell in study.cells[::2]}
    study.draw(tmp_path / "picture.png", numbers)
    assert (tmp_path / "picture.png").stat().st_size > 10_000
