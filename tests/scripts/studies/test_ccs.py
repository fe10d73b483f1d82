"""What is read off the cells of coexisting networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from agents.ccs.model import Coordinator
from lora_marl.config import TrainConfig, load
from scripts import reproduce
from scripts.runs import checkpoints
from scripts.runs.coexistence import strategies
from scripts.runs.figures import paper_figure
from scripts.studies.ccs import cells, eu868, figures, regimes
from scripts.studies.ccs.readings import settled, settling
from scripts.studies.claim import CellResult, Claim, Results, Study, claim_results
from scripts.studies.results import cell_table

ROOT = Path(__file__).parents[3]


STUDIES = [study for module in (regimes, figures, eu868) for study in module.studies()]
NETWORKS = 8


def cell(prr: list[float], **others: list[float]) -> CellResult:
    return CellResult((), 1.0, {"prr": prr, "epn_mj": [20.0] * len(prr), "atp": [1.5] * len(prr), **others})


def claim(study: str, name: str) -> Claim:
    (found,) = [c for s in STUDIES if s.name == study for c in s.claims if c.name == f"{study}/{name}"]
    return found


def read(study: str, name: str, by_label: dict[str, CellResult]) -> list[float]:
    """Values by seed, or the means of vendors."""
    found = claim(study, name)
    values = np.asarray(found.read(*(by_label[cell.split("/")[2]] for cell in found.cells)))
    return (values.mean(axis=-1) if values.ndim == 2 else values).tolist()


def numbers(**ccs_by_vendor: Any) -> dict[str, CellResult]:
    alone = {f"independent-{v}": cell([0.5, 0.4], prr_0=[0.5, 0.4], prr_1=[0.5, 0.4]) for v in cells.UNSEEN}
    ours = {
        f"ccs-{v}": ccs_by_vendor.get(f"v{v}", cell([0.6, 0.4], prr_0=[0.7, 0.4], prr_1=[0.45, 0.4])) for v in (5, 6, 7)
    }
    return alone | ours | {"optimum": cell([0.7, 0.6])}


def test_vendors_of_the_tables_are_ones_that_the_shipped_service_has_not_seen() -> None:
    made = Coordinator.load(ROOT / "configs" / "ccs" / "service.safetensors").made
    assert int(made["seen"]) <= min(cells.UNSEEN) and max(cells.UNSEEN) < int(made["vendors"])
    assert list(strategies.SEEN_VENDORS) == list(range(int(made["seen"])))


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
    study = replace(next(s for s in STUDIES if s.name == "ccs-dynamic"), claims=(target,))
    (found,) = claim_results(study, {each.name: cell([0.73, 0.75]) for each in study.cells})
    assert found.inside is True and found.ours.mean == pytest.approx(0.74)


def test_every_cell_of_a_table_is_named_by_its_way() -> None:
    for study in STUDIES:
        if study.name not in ("ccs-variants", "ccs-unequal"):
            assert all(each.name.split("/")[2].startswith(each.learner) for each in study.cells)


def test_every_cell_can_be_played() -> None:
    loaded: dict[tuple[str, ...], TrainConfig] = {}
    for study in STUDIES:
        names = [each.name for each in study.cells]
        assert len(set(names)) == len(names)
        for each in study.cells:
            key = (each.config, *each.changes)
            if key not in loaded:
                loaded[key] = load(ROOT / "configs" / each.config, each.changes)
            config = loaded[key]
            assert config.coexistence is not None and each.learner in config.learners
            config.coexistence.build()


def test_rules_are_played_once_for_all_learners() -> None:
    assert [cells.same_air(regime) for regime in ("DP", "DDD", "DPDPDP", "DLP")] == ["PP", "PPP", "PPPPPP", "DLP"]
    assert cells.same_air("DAP") == "DAP"
    names = [each.name for each in cells.cells_of("s", "DD", ("ccs", "hopping"), at="2")]
    assert names == ["s/DD@2/ccs-5", "s/DD@2/ccs-6", "s/DD@2/ccs-7", "s/PP@2/hopping"]


def test_spill_over_is_what_legacy_gains() -> None:
    both = [cell([0.5] * 2, legacy_prr=[value] * 2, learning_prr=[0.5] * 2) for value in (0.55, 0.5)]
    by_label = {
        f"{label}-{v}": each for label, each in zip(("ccs", "independent"), both, strict=True) for v in (5, 6, 7)
    }
    assert read("ccs-dynamic", "DLP/ccs/legacy_gain_prr", by_label) == pytest.approx([10.0] * 3)
    assert read("ccs-figure-4", "DLP/ccs/learning_gain_prr", by_label) == pytest.approx([0.0] * 3)


def test_a_curve_has_settled_where_five_intervals_are_near_its_later_mean() -> None:
    steps = np.repeat([0.5, 0.6], [12, 28])
    assert settled(steps) == 12
    assert settled(1.0 - steps) == 12
    assert settled(np.full(10, 0.4)) == 0
    assert settled(np.where(np.arange(40) < 20, 0.5 + 0.0051 * np.arange(40), 0.6)) == 16
    assert np.isnan(settled(np.full(3, 0.4))) and np.isnan(settled(np.tile([0.0, 0.1, 0.5, 0.1], 10), within=1e-6))


def curves(prr: np.ndarray) -> CellResult:
    return CellResult([[{"prr": float(value)} for value in seed] for seed in prr], 1.0)


def test_intervals_to_settle_are_of_the_start_and_of_the_mean_over_moves() -> None:
    prr = np.full((2, 120), 0.6)
    prr[:, :12] = 0.5
    prr[:, 30:34] = prr[:, 60:68] = 0.4
    prr[0, 40:] += 0.1  # the mean over seeds counts
    prr[1, 40:] -= 0.1
    assert settling(30)(curves(prr)) == [12.0]
    assert settling()(curves(prr[:, :30])) == [12.0]
    assert settling(30, after_moves=True)(curves(prr)) == [8.0]
    assert np.isnan(settling(30, after_moves=True)(curves(prr[:, :30]))[0])


def made_up(study: Study) -> Results:
    rng = np.random.default_rng(0)
    kpis = ("prr", "epn_mj", "atp", "pdr")
    names = [*kpis, "overlap", "switches", "jain", "acknowledged", "downlinks"]
    names += [f"{who}_{name}" for who in ("learning", "legacy", *range(NETWORKS)) for name in kpis]
    names += [f"{name}_{s}" for s in range(NETWORKS) for name in kpis]
    return {
        each.name: CellResult(
            [[{"prr": value} for value in seed] for seed in rng.uniform(0.6, 0.61, (2, 70)).tolist()],
            1.0,
            {name: rng.uniform(0.2, 0.8, 2).tolist() for name in names}
            | ({"prr": [0.9, 0.9]} if each.learner == "optimum" else {}),
            airtime_s=rng.random((70, len(each.name.split("/")[1].partition("@")[0]), 8)),
        )
        for each in study.cells
    }


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_study_is_read_and_drawn(study: Study, tmp_path: Path) -> None:
    numbers = made_up(study)
    assert all(np.isfinite(found.ours.mean) for found in claim_results(study, numbers))
    lines = cell_table(study, numbers).splitlines()
    assert len(lines) == 2 + len(study.cells) and all(line.count("|") == lines[0].count("|") for line in lines)
    if study.draw is None:
        return
    for name, played in (("all", numbers), ("few", dict(list(numbers.items())[:3]))):
        path = tmp_path / f"{name}.png"
        study.draw(path, played)
        pixels = matplotlib.image.imread(path)[::4, ::4]
        assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 20


def test_a_sweep_shows_every_way_on_its_axis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from scripts.studies.ccs import plots

    drawn: list[Figure] = []

    def kept(width_inch: float, height_inch: float) -> Figure:
        drawn.append(paper_figure(width_inch, height_inch))
        return drawn[-1]

    monkeypatch.setattr(plots, "paper_figure", kept)
    (study,) = (each for each in STUDIES if each.name == "ccs-networks")
    assert study.draw is not None
    study.draw(tmp_path / "x.png", made_up(study))
    titles = [axes.get_title() for axes in drawn[0].axes]
    assert titles == list(figures.KINDS)
    places = [[line.get_xdata().tolist() for line in axes.get_lines()] for axes in drawn[0].axes]
    assert places[0] == [[1, 2, 3, 4, 6, 8]] * 5 and places[2] == [[2, 4, 6, 8]] * 5


def test_a_study_is_played_and_drawn(invoke: Any, tmp_path: Path) -> None:
    arguments = ("ccs-figure-3", "--quick", "--jobs", 1, "--results", tmp_path, "--json", tmp_path / "found.json")
    result = invoke(reproduce.app, *arguments)
    assert result.exit_code == 0, result.output
    ours = {claim["name"]: claim["ours"] for claim in json.loads((tmp_path / "found.json").read_text())}
    for regime in figures.MOVING:
        assert 0.6 < ours[f"ccs-figure-3/{regime}/independent-5/overlap"] < 1.0
    assert (tmp_path / "reproduce-quick" / "ccs-figure-3.png").stat().st_size > 50_000
    (one, *_) = (tmp_path / "reproduce-quick" / "cells").glob("*.npz")
    assert checkpoints.read(one)["airtime_s"].shape[::2] == (12, 8), "two rounds of the service, and some"
    overlaps = [ours[f"ccs-figure-3/PPPP/{label}-5/overlap"] for label in ("independent", "ccs")]
    assert overlaps[0] != overlaps[1]
