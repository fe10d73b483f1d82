from __future__ import annotations

import json

import pytest

from scripts import reproduce
from scripts.claims import experiments
from scripts.published import TABLE_III

CELL = "table3/random-1000"


def test_list(invoke):
    result = invoke(reproduce.app, "--list")
    assert result.exit_code == 0
    assert all(text in result.output for text in ("table3", "journal", "physics", "table3/TH-2000"))


def test_a_cell(invoke, tmp_path):
    path = tmp_path / "out.json"
    result = invoke(reproduce.app, CELL, "--quick", "--jobs", 1, "--results", tmp_path, "--json", path)
    assert result.exit_code == 0, result.output
    records = json.loads(path.read_text())
    assert [record["name"] for record in records] == [
        f"{CELL}/{metric}" for metric in ("pdr_percent", "ee_bits_per_mj", "bits_per_airtime_s")
    ]
    for record in records:
        assert set(record) == {"name", "ours", "spread", "paper", "low", "high", "inside"}
        assert record["inside"] == (record["low"] <= record["ours"] <= record["high"])
    assert "not comparable" in (tmp_path / "reproduce-quick.md").read_text()


@pytest.mark.parametrize("arguments", [("table4",), ()])
def test_unknown_or_no_name(invoke, arguments):
    result = invoke(reproduce.app, *arguments)
    assert result.exit_code == 2 and "journal" in result.output


@pytest.mark.parametrize(
    "cell", [cell for cells in experiments().values() for cell in cells], ids=lambda cell: cell.name
)
def test_every_cell_has_a_learner_and_sensible_bands(cell):
    run = reproduce.shortened(cell)
    assert cell.learner in run.learners
    assert len(run.seeds) == 5
    for claim in cell.claims:
        assert 0 < claim.low < claim.high


def test_table_iii_is_the_golden_one(dlora_vectors):
    golden = dlora_vectors["published"]["conf_table_III_50nodes_PDR_EE_TH"]
    for variant, by_radius in golden.items():
        for radius_m, cell in by_radius.items():
            expected = list(cell)
            if (variant, radius_m) == ("TH", "2000"):
                assert "74.99" in dlora_vectors["published"]["conf_erratum"]
                expected[0] = 74.99
            assert list(TABLE_III[variant][int(radius_m)]) == expected


def test_random_baseline_is_the_authors_result_files(dlora_vectors):
    files = {each["name"]: each for each in dlora_vectors["authors_result_files_50_nodes"]}
    for radius_m, cell in TABLE_III["random"].items():
        found = next(
            each for name, each in files.items() if name.lower().startswith("random") and name.endswith(f"-{radius_m}")
        )
        assert 100 * found["received"] / found["sent"] == pytest.approx(cell[0], abs=0.006)
