from __future__ import annotations

import json
import math
import re
import subprocess
import sys

import pytest

from agents.maac.groups import Hyperparameters
from agents.planners import PLANNERS
from lora_marl.config import EnergyRun
from scripts import reproduce
from scripts.runs.energy.experiment import MAAC
from scripts.runs.packets.published_numbers import TABLE_III
from scripts.studies import NOT_REPRODUCIBLE, studies
from scripts.studies.claim import CellResult
from scripts.studies.dlora.inversion import recovery_h
from scripts.studies.norel import networks
from scripts.studies.results import shortened

CELLS = [cell for study in studies().values() for cell in study.cells]


def test_list_has_every_study_and_what_cannot_be_reproduced(invoke):
    result = invoke(reproduce.app, "--list")
    assert result.exit_code == 0
    for name in (*studies(), *NOT_REPRODUCIBLE):
        assert name in result.output


def test_without_torch_the_list_is_there_and_says_what_is_missing(invoke, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    how = "needs torch, of the extra torch: pip install -e '.[torch]' in the clone"
    listed = invoke(reproduce.app, "--list")
    assert listed.exit_code == 0 and "fig3b" in listed.output
    assert f"studies of coexisting networks: each {how}" in listed.output
    for arguments, named in (
        (["ccs-table1"], "'ccs-table1' is no study"),
        (["mmalora-attention"], "mmalora-attention: "),
    ):
        refused = invoke(reproduce.app, *arguments)
        assert refused.exit_code == 2
        assert named in refused.output and how in refused.output and "Traceback" not in refused.output


@pytest.mark.parametrize("command", ["fit_proxy", "ablate_ccs", "train_ccs", "ccs_page"])
def test_a_command_names_the_extra_that_it_needs(command):
    script = reproduce.Path(reproduce.__file__).with_name(f"{command}.py")
    code = (
        "import runpy, sys; sys.modules['torch'] = None; "
        f"sys.argv = [{str(script)!r}, '--help']; runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=script.parents[1])
    assert result.returncode == 2, result.stderr
    assert result.stderr == "error: this needs torch, of the extra torch: pip install -e '.[torch]' in the clone\n"


def test_a_study_leaves_table_records_and_picture_and_is_not_played_twice(invoke, tmp_path):
    path = tmp_path / "out.json"
    arguments = ("fig3b", "fig5", "--quick", "--jobs", 1, "--results", tmp_path, "--json", path)
    result = invoke(reproduce.app, *arguments)
    assert result.exit_code == 0, result.output
    records = json.loads(path.read_text())
    claims = [claim for name in ("fig3b", "fig5") for claim in studies()[name].claims]
    assert [record["name"] for record in records] == [claim.name for claim in claims]
    for record, claim in zip(records, claims, strict=True):
        assert set(record) == {
            "name",
            "ours",
            "spread",
            "ci_low",
            "ci_high",
            "paper",
            "difference",
            "low",
            "high",
            "inside",
        }
        assert record["inside"] == (claim.low <= record["ours"] <= claim.high)
        assert record["difference"] == (None if claim.paper is None else record["ours"] - claim.paper)
    folder = tmp_path / "reproduce-quick"
    assert "not comparable" in (folder / "table.md").read_text()
    assert {path.name for path in folder.glob("*.png")} == {"fig3b.png", "fig5.png"}
    modified = {path: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()}
    assert len(modified) == 3 * 5
    assert invoke(reproduce.app, *arguments).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()} == modified
    assert json.loads(path.read_text()) == records


@pytest.mark.parametrize("arguments", [("wholly-unlike",), ()])
def test_unknown_or_no_name(invoke, arguments):
    result = invoke(reproduce.app, *arguments)
    assert result.exit_code == 2 and "fig2" in result.output


def test_a_misspelt_name_is_told_the_nearest(invoke):
    result = invoke(reproduce.app, "norel-denisty")
    assert result.exit_code == 2
    assert "error: 'norel-denisty' is no study; did you mean 'norel-density'? (all: --list)" in result.output


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_cell_has_a_learner_that_can_be_made(cell):
    run = shortened(cell)
    fewer = {"mmalora-literal": 3, "norel": 1 if cell.learner in networks.REFERENCES else 4}
    assert len(run.seeds) >= next((seeds for name, seeds in fewer.items() if cell.name.startswith(name)), 5)
    if isinstance(run, EnergyRun):
        name, parameters = run.learners[cell.learner].name, run.learners[cell.learner].parameters
        assert name in PLANNERS or (name == MAAC and Hyperparameters(**parameters).capacity == 4000)
    assert (
        not {"c", "cucb"} & set(run.learners[cell.learner].parameters)
        or run.learners[cell.learner].parameters["c"] == 2
    )


@pytest.mark.parametrize("study", studies().values(), ids=lambda study: study.name)
def test_claims_speak_of_cells_of_their_study_and_have_bands(study):
    names = {cell.name for cell in study.cells}
    assert len(names) == len(study.cells)
    assert len({claim.name for claim in study.claims}) == len(study.claims) > 0
    for claim in study.claims:
        assert set(claim.cells) <= names and claim.name.startswith(f"{study.name}/")
        assert claim.low < claim.high


def rows(pdr_by_hour, **more):
    return [
        {
            "time_h": hour + 1.0, "evaluation": 0.0, "duration_s": 3600.0, "sent": 1000.0, "delivered": 1000 * pdr,
            "below_sensitivity": 0.0, "interfered": 0.0, "collided": 0.0, "no_demodulator": 0.0, "gateway_sending": 0.0,
            "dropped": 0.0, "downlinks": 0.0, "downlinks_received": 0.0, "downlinks_refused": 0.0,
            "downlink_airtime_s": 0.0,
            "airtime_s": 1.0, "energy_mj": 1.0, "delivered_bits": 8.0, "fairness": 1.0,
            **{name: values[hour] for name, values in more.items()},
        }
        for hour, pdr in enumerate(pdr_by_hour)
    ]  # fmt: skip


def test_values_are_read_at_their_time_and_usage_as_a_share():
    result = CellResult(
        [rows([0.5, 0.7, 0.9], sent_sf7=[1, 2, 3], sent_sf8=[3, 2, 1], sent_tp2dbm=[4, 4, 4])], last_h=1
    )
    assert result.values("pdr_percent") == [pytest.approx(90)]
    assert result.values("pdr_percent", 2) == [pytest.approx(70)]
    assert result.values("pdr_percent", 2, 2) == [pytest.approx(60)]
    assert result.values("sent_sf7") == [pytest.approx(75)]
    assert result.values("sent_tp2dbm", 1) == [pytest.approx(100)]


def test_recovery_is_read_off_every_seed():
    slow = [0.9] * 1000 + [0.7] * 20 + [0.9] * 40
    never = [0.9] * 1000 + [0.7] * 60
    hours = recovery_h(CellResult([rows(slow), rows(never)], last_h=100))
    assert hours[0] == 20 and math.isnan(hours[1])


def test_table_iii_is_the_golden_one(dlora_vectors):
    golden = dlora_vectors["published"]["conf_table_III_50nodes_PDR_EE_TH"]
    for variant, by_radius in golden.items():
        for radius_m, cell in by_radius.items():
            expected = list(cell)
            if (variant, radius_m) == ("TH", "2000"):
                assert "74.99" in dlora_vectors["published"]["conf_erratum"]
                expected[0] = 74.99
            assert list(TABLE_III[variant][int(radius_m)]) == expected


@pytest.mark.parametrize("baseline", ["random"])
def test_baselines_are_the_authors_result_files(dlora_vectors, baseline):
    files = {record["name"]: record for record in dlora_vectors["authors_result_files_50_nodes"]}
    for radius_m, cell in TABLE_III[baseline].items():
        record = next(
            record
            for name, record in files.items()
            if name.lower().startswith(baseline) and name.endswith(f"-{radius_m}")
        )
        assert 100 * record["received"] / record["sent"] == pytest.approx(cell[0], abs=0.006)


def test_long_studies_say_before_how_long_they_take(capsys):
    by_name = studies()
    reproduce.tell_duration([by_name["norel-compat"]], quick=False)
    said = capsys.readouterr().err
    assert re.match(
        r"about \d+ min of CPU time, less what an earlier call has finished; --quick takes a fiftieth", said
    )
    reproduce.tell_duration([by_name["norel-tracking"]], quick=False)
    assert capsys.readouterr().err == ""


def test_the_list_of_studies_says_how_long_each_takes(invoke):
    output = invoke(reproduce.app, "--list").output
    assert output.startswith("CPU time on one core, estimated from shortened runs:")
    for name in studies():
        assert re.search(rf"^{name}: .*, (under a minute|about [\d.]+ (min|h))$", output, re.MULTILINE), name
