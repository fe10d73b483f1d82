"""What is read off the cells of coexisting networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lora_marl.config import load
from scripts.claims import ccs, ccs_cells
from scripts.claims.claim import Claim, Played
from scripts.reproduce import findings

ROOT = Path(__file__).parents[2]


def cell(prr: list[float], **others: list[float]) -> Played:
    return Played((), 1.0, {"prr": prr, "epn_mj": [20.0] * len(prr), "atp": [1.5] * len(prr), **others})


def claim(study: str, name: str) -> Claim:
    (found,) = [c for s in ccs.studies() if s.name == study for c in s.claims if c.name == f"{study}/{name}"]
    return found


def read(study: str, name: str, by_way: dict[str, Played]) -> list[float]:
    found = claim(study, name)
    return found.read(*(by_way[cell.split("/")[2]] for cell in found.cells))


def numbers(**ccs_by_vendor: Any) -> dict[str, Played]:
    alone = {f"independent-{v}": cell([0.5, 0.4], prr_0=[0.5, 0.4], prr_1=[0.5, 0.4]) for v in ccs_cells.UNSEEN}
    ours = {
        f"ccs-{v}": ccs_by_vendor.get(f"v{v}", cell([0.6, 0.4], prr_0=[0.7, 0.4], prr_1=[0.45, 0.4])) for v in (5, 6, 7)
    }
    return alone | ours | {"optimum": cell([0.7, 0.6])}


def test_gains_are_paired_by_seed_and_vendor() -> None:
    assert read("ccs-dynamic", "PP/ccs/gain_prr", numbers()) == pytest.approx([10.0] * 3)
    better = cell([0.5, 0.4])
    better.extra["epn_mj"][:] = [10.0, 20.0]  # type: ignore[index]
    assert read("ccs-dynamic", "PP/ccs/gain_epn_mj", numbers(v5=better)) == pytest.approx([25.0, 0.0, 0.0])


def test_the_share_is_of_what_the_optimum_gains() -> None:
    assert read("ccs-dynamic", "PP/ccs/share_of_optimum", numbers()) == pytest.approx([25.0] * 3)


def test_the_network_that_gains_least_is_found() -> None:
    assert read("ccs-light", "PP/ccs/least_network", numbers()) == pytest.approx([-5.0])
    weak = cell([0.6, 0.4], prr_0=[0.4, 0.36], prr_1=[0.5, 0.4])
    assert read("ccs-light", "PP/ccs/least_network", numbers(v6=weak)) == pytest.approx([-15.0])
    assert read("ccs-light", "PP/ccs/worst_network_and_seed", numbers()) == pytest.approx([-10.0])


def test_targets_are_pooled_over_kinds_and_unseen_vendors() -> None:
    target = claim("ccs-dynamic", "equal-2/ccs/prr")
    assert {name.split("/")[1] for name in target.cells} == {"PP", "DD"}
    assert {name.rpartition("-")[2] for name in target.cells} == {"5", "6", "7"}
    study = next(s for s in ccs.studies() if s.name == "ccs-dynamic")
    played = {name: cell([0.73, 0.75]) for name in (c.name for c in study.cells)}
    (found,) = [f for f in findings(study, played) if f.claim is not target and f.claim.name == target.name]
    assert found.inside is True and found.ours.mean == pytest.approx(0.74)


def test_every_cell_of_a_table_is_named_by_its_way() -> None:
    for study in ccs.studies():
        if study.name not in ("ccs-variants", "ccs-unequal"):
            assert all(each.name.split("/")[2].startswith(each.learner) for each in study.cells)


def test_every_cell_can_be_played() -> None:
    for study in ccs.studies():
        names = [each.name for each in study.cells]
        assert len(set(names)) == len(names)
        for each in study.cells:
            config = load(ROOT / "configs" / each.config, each.changes)
            assert config.coexistence is not None and each.learner in config.learners
