"""Tables of coexisting networks in the documents: what they say, and that only they are written anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from scripts import ccs_page
from scripts.runs.statistics import estimate
from scripts.studies import studies
from scripts.studies.ccs import tables
from scripts.studies.ccs.cells import UNSEEN, name_of
from scripts.studies.ccs.readings import KPIS
from scripts.studies.claim import CellResult, Results
from tests.scripts.conftest import Invoke

MEASURES = ("prr", "epn_mj", "atp", "overlap", "legacy_prr", "legacy_epn_mj", "legacy_atp")
SEEDS, CHANNELS = 3, 8
STUDIES = {name: ccs_page.without_direct(study) for name, study in studies().items() if name.startswith("ccs-")}
CLAIMS = {claim.name: claim for study in studies().values() for claim in study.claims}


def played(rng: np.random.Generator, best: bool) -> CellResult:
    """Whatever came of a cell, better than all else where it is the reference."""
    names = [*MEASURES, *(f"{kpi}_{s}" for kpi in KPIS for s in range(8))]
    late = rng.integers(1, 13)  # intervals until it is as good as it gets
    curves = [[{"interval": t + 1.0, "prr": 0.6 if t % 30 >= late else 0.3} for t in range(240)] for _ in range(SEEDS)]
    extra = {name: rng.uniform(0.4, 0.8, SEEDS).tolist() for name in names}
    airtime_s = rng.uniform(0.0, 1.0, (240, 8, CHANNELS))
    return CellResult(curves, 1.0, extra | ({"prr": [0.9] * SEEDS} if best else {}), airtime_s=airtime_s)


@pytest.fixture(scope="module")
def numbers() -> Results:
    """Every cell that pages show, whatever came of it."""
    rng = np.random.default_rng(0)
    names = [cell.name for study in STUDIES.values() for cell in study.cells]
    return {name: played(rng, name.endswith("/optimum")) for name in names}


def cells(text: str) -> list[list[str]]:
    return [[each.strip(" `") for each in line.strip("|").split("|")] for line in text.splitlines()]


def rows(key: tuple[str, str], numbers: Results, labels: int = 1) -> dict[tuple[str, ...], list[str]]:
    """Lines of a table without header by their first columns."""
    return {tuple(line[:labels]): line[labels:] for line in cells(ccs_page.TABLES[key](numbers))[2:]}


def claimed(numbers: Results, name: str) -> str:
    """What a study's own claim says, as tables write it."""
    found = estimate(CLAIMS[name].read(*(numbers[cell] for cell in CLAIMS[name].cells)))
    half = (found.ci_high - found.ci_low) / 2.0
    return f"{found.mean:.1f} ± {half:.1f}" if half > 0.0 else f"{found.mean:.1f}"


def mean(numbers: Results, study: str, regime: str, strategy: str, of: str = "prr", at: str = "") -> str:
    means = [np.mean(numbers[name_of(study, regime, strategy, v, at)].extra[of]) for v in UNSEEN]
    return f"{np.mean(means):.3f}"[1:] if of == "prr" else f"{np.mean(means):.2f}"


def test_gains_of_a_regime_are_those_of_its_claims(numbers: Results) -> None:
    header, _, *lines = cells(ccs_page.TABLES["ccs-dynamic", "gains"](numbers))
    assert [line[0] for line in lines] == ["2 P", "2 D", "D + P", "4 P", "4 D", "D + L + P"]
    assert [line[-1] for line in lines] == ["20, 10, 15", "", "", "10, 8, 10", "", "5, 5, 5"]
    for line, regime in zip(lines, ("PP", "DD", "DP", "PPPP", "DDDD", "DLP"), strict=True):
        place = f"ccs-dynamic/{regime}"
        assert line[1:5] == [
            mean(numbers, "ccs-dynamic", regime, strategy, of)
            for strategy in ("independent", "ccs")
            for of in ("prr", "overlap")
        ]
        assert line[5:8] == [claimed(numbers, f"{place}/ccs/gain_{kpi}") for kpi in KPIS]
        share = CLAIMS[f"{place}/ccs/share_of_optimum"]
        assert line[8] == f"{np.mean(share.read(*(numbers[cell] for cell in share.cells))):.0f}"
        for column, strategy in ((9, "independent"), (10, "ccs")):
            both = [CLAIMS[f"{place}/{strategy}/{what}"] for what in ("settles", "settles_after_moves")]
            wanted = [np.mean(claim.read(*(numbers[cell] for cell in claim.cells))) for claim in both]
            assert line[column] == "; ".join(f"{each:.0f}" for each in wanted)
    assert len(header) == 12


def test_least_and_worst_networks_are_those_of_the_claims(numbers: Results) -> None:
    for regime, line in zip(("PP", "DD"), cells(ccs_page.TABLES["ccs-light", "gains"](numbers))[2:4], strict=True):
        place = f"ccs-light/{regime}/ccs"
        assert line[-2:] == [
            claimed(numbers, f"{place}/{what}") for what in ("least_network", "worst_network_and_seed")
        ]


def test_saved_energy_is_a_gain(numbers: Results) -> None:
    halved = dict(numbers)
    for vendor in UNSEEN:
        alone = numbers[f"ccs-dynamic/DD/independent-{vendor}"]
        extra = dict(alone.extra) | {"epn_mj": [each / 2.0 for each in alone.extra["epn_mj"]]}
        halved[f"ccs-dynamic/DD/ccs-{vendor}"] = CellResult(alone.curves, 1.0, extra)
    line = cells(tables.gains("ccs-dynamic")(halved))[3]
    assert line[0] == "2 D" and line[5:8] == ["0.0 ± 0.0", "50.0 ± 0.0", "0.0 ± 0.0"]


def test_vendors_stand_alone_before_they_stand_with_the_service(numbers: Results) -> None:
    line = rows(("ccs-heavy", "vendors"), numbers, 2)["4 D", "6"]
    names = [f"ccs-heavy/DDDD/{strategy}-6" for strategy in ("independent", "ccs")]
    wanted = [f"{np.mean(numbers[name].extra[kpi]):.3f}" for kpi in ("prr", "epn_mj", "atp") for name in names]
    assert [each.split(" ±")[0] for each in line[:2] + line[3:]] == wanted
    gains = [100.0 * (b / a - 1.0) for a, b in zip(*(numbers[name].extra["prr"] for name in names), strict=True)]
    assert float(line[2].split(" ±")[0]) == pytest.approx(np.mean(gains), abs=0.006)


def test_rules_without_learning_are_the_same_for_all_kinds(numbers: Results) -> None:
    by_strategy = rows(("ccs-dynamic", "strategies"), numbers)
    hopping = next(line for (strategy,), line in by_strategy.items() if strategy.startswith("any channel"))
    assert len(set(hopping[:3])) == 1 and len(set(hopping[3:5])) == 1 and len(set(hopping)) == 3
    assert by_strategy["parameter averaging",][1] == mean(numbers, "ccs-dynamic", "DD", "averaging")


def test_equal_learners_are_pooled_over_kinds_and_crossed_over_vendors_and_seeds(numbers: Results) -> None:
    for size, text in rows(("ccs-dynamic", "pooled"), numbers).items():
        values = [
            [numbers[f"ccs-dynamic/{letter * int(size[0])}/ccs-{v}"].extra["prr"] for letter in "PD"] for v in UNSEEN
        ]
        found = estimate(np.mean(values, axis=1))
        assert text == [f"{found.mean:.3f} ± {(found.ci_high - found.ci_low) / 2.0:.3f}".replace("0.", ".")]


@pytest.mark.parametrize("study", ["ccs-variants", "ccs-privacy", "ccs-stale", "ccs-compression"])
def test_options_gain_what_their_claims_say(study: str, numbers: Results) -> None:
    header, _, *lines = cells(ccs_page.TABLES[study, "gains"](numbers))
    regimes = {"2 P": "PP", "4 P": "PPPP", "4 D": "DDDD", "D + P": "DP"}
    for line in lines:
        for title, text in zip(header[1:], line[1:], strict=True):
            if "gain" in title:
                place = f"{study}/{regimes[title.removesuffix(', gain [%]')]}/{line[0]}"
                assert text == claimed(numbers, f"{place}/gain_prr"), place
    assert len(lines) * sum("gain" in title for title in header) == sum(
        cell.learner == "ccs" for cell in STUDIES[study].cells
    )


def test_reports_are_smaller_in_smaller_encodings(numbers: Results) -> None:
    size = {
        name: int(line[-1].replace(",", "")) for (name,), line in rows(("ccs-compression", "gains"), numbers).items()
    }
    assert size["float32"] > size["float16"] > size["int8"] > size["top-quarter"] > size["top-tenth"]


def test_attacks_cost_the_honest_what_their_claims_say(numbers: Results) -> None:
    for (attack,), line in rows(("ccs-attacks", "gains"), numbers).items():
        wanted = []
        for regime in ("PP", "PPPP", "DDDD"):
            for option in (attack, f"{attack} undefended"):
                place = f"ccs-attacks/{regime}/{option}"
                all_of = claimed(numbers, f"{place}/gain_of_honest").split(" ±")[0]
                least = claimed(numbers, f"{place}/least_honest_network")
                wanted.append(all_of if regime == "PP" else f"{all_of} ({least})")
        assert line == wanted, attack
    (line,) = (line for name, line in rows(("ccs-attacks", "medians"), numbers).items() if name == ("copy",))
    places = [f"ccs-attacks/{r}/copy{how}/gain_of_honest" for r in ("PP", "PPPP", "DDDD") for how in ("", "-median")]
    assert line == [claimed(numbers, place).split(" ±")[0] for place in places]


@pytest.mark.parametrize("study", ["ccs-networks", "ccs-load"])
def test_sweeps_have_each_place_once(study: str, numbers: Results) -> None:
    found = rows((study, "sweep"), numbers, 2)
    for (regime, at), line in found.items():
        assert line[:2] == [mean(numbers, study, regime, strategy, at=at) for strategy in ("independent", "ccs")]
        assert line[2] == claimed(numbers, f"{study}/{regime}@{at}/ccs/gain_prr")
    assert len(found) == len(STUDIES[study].claims)


def test_unequal_demand_is_read_network_by_network(numbers: Results) -> None:
    found = rows(("ccs-unequal", "gains"), numbers, 2)
    demands = ("loads-4111", "nodes-3111", "silent")
    for label, strategy in (("with the floor", "ccs"), ("without the floor", "ccs without floor")):
        for s in range(4):
            wanted = [claimed(numbers, f"ccs-unequal/{demand}/{strategy}/gain_prr_{s}") for demand in demands]
            assert found[label, str(s)] == wanted
    settled = rows(("ccs-unequal", "settled"), numbers)
    claims = [CLAIMS[f"ccs-unequal/{demand}/ccs/settles"] for demand in demands]
    assert settled["with the service",] == [f"{c.read(numbers[c.cells[0]])[0]:.0f}" for c in claims]
    alone = numbers["ccs-unequal/silent/independent-5"].extra
    each = ", ".join(f"{np.mean(alone[f'prr_{s}']):.3f}"[1:] for s in range(4))
    assert rows(("ccs-unequal", "prr"), numbers)["independent",][2] == f"{np.mean(alone['prr']):.3f}"[1:] + f" ({each})"


def test_the_law_s_table_is_that_of_its_claims(numbers: Results) -> None:
    for (regime, at), line in rows(("ccs-eu868", "gains"), numbers, 2).items():
        place = f"ccs-eu868/{regime}@{at}/ccs"
        assert line[:2] == [mean(numbers, "ccs-eu868", regime, strategy, at=at) for strategy in ("independent", "ccs")]
        names = ("gain_prr", "gain_epn_mj", "least_network", "worst_network_and_seed")
        assert line[2:6] == [claimed(numbers, f"{place}/{name}") for name in names]
    first = rows(("ccs-eu868", "strategies"), numbers, 2)
    assert first["DD", "0.05"][1] == f"{np.mean(numbers['ccs-eu868/DD@0.05/ccs-5'].extra['prr']):.3f}"[1:]
    assert [line[-1] == "-" for (regime, _), line in first.items()] == [regime == "DAP" for regime, _ in first]


def test_what_spills_over_on_networks_that_do_not_learn_comes_after_the_gains_of_learners(numbers: Results) -> None:
    lines = cells(ccs_page.TABLES["ccs-figure-4", "gains"](numbers))[2:]
    assert [line[1] for line in lines] == ["DQN", "policy gradient", "non-learning network"] * 2
    for line, who in zip(lines, ("dqn", "pg", "legacy") * 2, strict=True):
        assert line[2:] == [claimed(numbers, f"ccs-figure-4/{line[0]}/ccs/{who}_gain_{kpi}") for kpi in KPIS]


def test_every_table_is_on_a_page_and_every_picture_is_drawn_anew() -> None:
    texts = [page.read_text(encoding="utf-8") for page in ccs_page.PAGES]
    shown = {(match["study"], match["what"]) for text in texts for match in ccs_page.PLACE.finditer(text)}
    assert set(ccs_page.TABLES) == shown
    assert set(ccs_page.PICTURES) <= set(ccs_page.studies_of(texts))


@pytest.fixture
def page(tmp_path: Path, numbers: Results, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with two tables, one picture and words; nothing is played."""

    def play(shown: Any, *args: Any, **kwargs: Any) -> Results:
        found.write_text(found.read_text().replace("Words.", "Other words."))  # somebody writes meanwhile
        return {cell.name: numbers[cell.name] for study in shown for cell in study.cells}

    monkeypatch.setattr(ccs_page, "simulated", play)
    found = tmp_path / "page.md"
    found.write_text(
        "Words.\n\n<!-- ccs-light: strategies -->\n| old |\n|---|\n\n| kept |\n\n![](figures/coexistence_load.png)\n"
        "<!-- ccs-static: strategies -->\n| old, too |"
    )
    return found


def run(invoke: Invoke, page: Path, *more: str) -> Any:
    return invoke(ccs_page.app, page, "--results", page.parent, "--figures", page.parent / "figures", *more)


def test_only_tables_right_under_their_comments_are_written_anew(invoke: Invoke, page: Path, numbers: Results) -> None:
    result = run(invoke, page)
    assert result.exit_code == 0, result.output
    light, static = (tables.strategies(study)(numbers) for study in ("ccs-light", "ccs-static"))
    assert page.read_text() == (
        f"Other words.\n\n<!-- ccs-light: strategies -->\n{light}\n| kept |\n\n![](figures/coexistence_load.png)\n"
        f"<!-- ccs-static: strategies -->\n{static}"
    )
    assert [path.name for path in (page.parent / "figures").iterdir()] == ["coexistence_load.png"]
    (study,) = (study for name, study in STUDIES.items() if name == "ccs-load")
    assert study.draw is not None
    study.draw(page.parent / "whole.png", {cell.name: numbers[cell.name] for cell in study.cells})
    pictures = (page.parent / "figures" / "coexistence_load.png", page.parent / "whole.png")
    small, whole = (matplotlib.image.imread(picture)[..., :3] for picture in pictures)
    assert np.abs(small - whole).max() < 0.1 and whole.std() > 0.0, "a palette leaves out no colour"


def test_only_some_studies_are_written_anew_if_so_wished(invoke: Invoke, page: Path, numbers: Results) -> None:
    assert run(invoke, page, "--only", "ccs-static").exit_code == 0
    text = page.read_text()
    assert "| old |" in text and "| old, too |" not in text and tables.strategies("ccs-static")(numbers) in text
    assert list((page.parent / "figures").iterdir()) == []


@pytest.mark.parametrize("only", ["ccs-lihgt", "ccs-heavy"])
def test_a_study_that_no_page_shows_is_refused(only: str, invoke: Invoke, page: Path) -> None:
    before = page.read_text()
    result = run(invoke, page, "--only", only)
    assert result.exit_code == 2 and only in result.stderr and "known: ccs-light, ccs-static, ccs-load" in result.stderr
    assert page.read_text() == before


@pytest.mark.parametrize(
    "wrong",
    [
        "<!-- ccs-light: gainz -->\n| a |\n",
        "<!-- ccs-light:gains -->\n| a |\n",
        "<!-- ccs_light: gains -->\n| a |\n",
        "<!-- ccs-light: gains -->\n\n| not right under it |\n",
    ],
)
def test_a_comment_that_no_table_can_follow_is_refused(wrong: str, invoke: Invoke, page: Path) -> None:
    page.write_text(page.read_text().replace("| kept |", wrong))
    before = page.read_text()
    result = run(invoke, page)
    assert result.exit_code == 2 and wrong.splitlines()[0] in result.stderr and "ccs-light: gains" in result.stderr
    assert page.read_text() == before


def test_a_page_that_is_not_there_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    result = run(invoke, tmp_path / "none.md")
    assert result.exit_code == 2 and "none.md" in result.stderr
