from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import agents
from lora_marl.config import load
from scripts import compare
from scripts.comparison import report
from scripts.comparison.lineup import label_list, lineups
from scripts.comparison.result import MEASURES, Comparison, definition_of, differences
from scripts.comparison.table import Column, as_markdown, cell, for_terminal
from scripts.runs.jobs import Job, Store, chunks, digest, plan, run_job, with_seeds
from scripts.runs.packets import results
from scripts.runs.packets.experiment import PacketExperiment
from scripts.runs.packets.results import first_reported
from tests.scripts.conftest import ROOT

CONFIG = ROOT / "configs" / "journal_fit.yaml"
TINY = ("--set", "scenario.topology.nodes=6", "--hours", 2, "--jobs", 1, "--name", "tiny")
TRIVIAL = ["random", "static-sf7", "distance-quantile"]
BY_KEY = {measure.key: measure for measure in MEASURES}


class Refusing:
    """A learner that is not for this scenario."""

    def __init__(self, scenario, seeds):
        raise ValueError("only one gateway is computed <i>|x</i>")


@pytest.fixture
def tiny(invoke, tmp_path, monkeypatch):
    """Runs the tiny comparison with empty pictures; `(*more arguments)`."""

    def draw(folder, comparison, band):
        for kind in ("curves", "usage", "map"):
            (folder / f"{kind}-{comparison.config.name}.png").touch()

    monkeypatch.setattr(report, "draw", draw)

    def call(*arguments: object):
        fixed = (*TINY, "--out", tmp_path, "--seeds", "0,1", "--no-reference")
        return invoke(compare.app, CONFIG, *fixed, *arguments)

    return call


@pytest.fixture
def played(monkeypatch):
    """Learner and seeds of every job that is played."""
    jobs: list[tuple[str, tuple[int, ...]]] = []
    experiment = results.PacketExperiment

    def noted(config, label):
        jobs.append((label, config.seeds))
        return experiment(config, label)

    monkeypatch.setattr(results, "PacketExperiment", noted)
    return jobs


def job(*changes: str, label: str = "cucb") -> Job:
    with pytest.warns(UserWarning):
        config = load(CONFIG, ["scenario.topology.nodes=6", "duration_h=2", "interval_h=1", *changes])
    return Job(config, label)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A comparison with everything in it: two scenarios, a change, a reference, a text that needs escaping."""
    folder = tmp_path_factory.mktemp("finished")
    changed = folder / "changed.yaml"
    changed.write_text(f"base: {CONFIG}\nname: changed\nscenario:\n  changes: [{{at_s: 36000, values: {{}}}}]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(agents.LEARNERS, "reference-pdr", "agents.rules.fixed:DistanceQuantile")
        patch.setitem(agents.LEARNERS, "reference-ee", "tests.scripts.test_compare:Refusing")
        arguments = [CONFIG, changed, *TINY, "--hours", 24, "--out", folder, "--seeds", "0,1", "--learners", "ucb1"]
        arguments += ["--set", 'learners={cucb: {}, "mine (x)": {name: ucb1}}', "--json", folder / "copy.json"]
        result = CliRunner().invoke(compare.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return folder / "tiny", result.output


def records(folder: Path) -> dict[tuple[str, str, str], dict]:
    measures = json.loads((folder / "comparison.json").read_text())
    return {(row["scenario"], row["learner"], row["metric"]): row for row in measures}


class TestFiles:
    def test_all_are_there(self, finished):
        stems = [f"{kind}-{name}" for kind in ("curves", "usage", "map") for name in ("journal_fit", "changed")]
        begins = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
        pictures = {f"{stem}.{suffix}": begin for stem in stems for suffix, begin in begins.items()}
        names = {path.name for path in finished[0].iterdir()}
        assert names == {"comparison.md", "comparison.json", "report.html", "jobs", *pictures}
        for picture, begin in pictures.items():
            assert (finished[0] / picture).read_bytes().startswith(begin)

    def test_trivial_references_are_always_among_them(self, finished):
        labels = [key[1] for key in records(finished[0]) if key[::2] == ("journal_fit", "pdr")]
        assert labels == ["cucb", "mine (x)", "ucb1", *TRIVIAL, "reference-pdr"]

    def test_records(self, finished):
        measures = records(finished[0])
        assert json.loads((finished[0].parent / "copy.json").read_text()) == list(measures.values())
        for record in measures.values():
            values = [value for value in record["values"] if value is not None]
            assert record["seeds"] == len(values)
            if len(values) == 2:
                assert record["ci_low"] <= record["mean"] <= record["ci_high"]
                assert record["mean"] == pytest.approx(np.mean(values))

    def test_differences_are_paired_by_seed(self, finished):
        measures = records(finished[0])
        ours, theirs = (measures["changed", label, "ee_bits_per_mj"]["values"] for label in ("random", "cucb"))
        by_seed = [100 * (our / their - 1) for our, their in zip(ours, theirs, strict=True)]
        assert measures["changed", "random", "ee_bits_per_mj"]["difference"] == pytest.approx(np.mean(by_seed))
        assert measures["changed", "cucb", "ee_bits_per_mj"]["difference"] is None

    def test_share_of_the_reference(self, finished):
        measures = records(finished[0])
        for label in ("distance-quantile", "reference-pdr"):
            assert measures["journal_fit", label, "share_pdr"]["mean"] == 100
        pdr = [measures["journal_fit", label, "pdr"]["values"] for label in ("random", "reference-pdr")]
        expected = [100 * own / reference for own, reference in zip(*pdr, strict=True)]
        assert measures["journal_fit", "random", "share_pdr"]["values"] == pytest.approx(expected)

    def test_a_reference_that_refuses_is_said_once_and_left_out(self, finished):
        assert finished[1].count("only one gateway is computed") == 2  # once a scenario
        assert not any(metric == "share_ee" for _, _, metric in records(finished[0]))
        assert "only one gateway is computed" in (finished[0] / "report.html").read_text()

    def test_recovery_only_where_something_changes(self, finished):
        scenarios = {scenario for scenario, _, metric in records(finished[0]) if metric == "recovery_h"}
        assert scenarios == {"changed"}
        assert records(finished[0])["changed", "static-sf7", "recovery_h"]["mean"] == 0.0  # nothing really changed

    def test_markdown_says_what_was_measured(self, finished):
        text = (finished[0] / "comparison.md").read_text()
        assert "mine (x)" in text and "Identical air" in text and "scripts/compare.py" in text
        tables = [line for line in text.splitlines() if line.startswith("| learner")]
        assert len(tables) == 2 and "Δ PDR [points]" in tables[0]
        for line in text.splitlines():
            if line.startswith("| "):
                assert len(re.findall(r"(?<!\\)\|", line)) in {len(table.split("|")) - 1 for table in tables}


def page_text(folder: Path) -> str:
    """The page of a comparison without the plotting library that it contains."""
    text = (folder / "report.html").read_text()
    without = re.sub(r'<script id="plotly">.*?</script>', "", text, flags=re.DOTALL)
    assert len(without) < len(text) - 1_000_000
    return without


class Page(HTMLParser):
    """Everything that a page loads or links to."""

    def __init__(self):
        super().__init__()
        self.targets: list[tuple[str, str]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.targets += [(tag, value) for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


class TestPage:
    def test_loads_nothing(self, finished):
        page, text = Page(), page_text(finished[0])
        page.feed(text)
        images = [value for tag, value in page.targets if tag == "img"]
        assert len(images) == 6 and all(value.startswith("data:image/png;base64,") for value in images)
        assert all(value.startswith("#") for tag, value in page.targets if tag != "img")
        assert not page.tags & {"link", "iframe", "object", "base"}
        assert "url(" not in text and "@import" not in text and "//" not in re.sub(r"base64,[^\"]*", "", text)

    def test_escapes(self, finished):
        text = page_text(finished[0])
        assert "&lt;i&gt;|x&lt;/i&gt;" in text and "<i>" not in text

    def test_explains_every_measure_it_shows(self, finished):
        text = (finished[0] / "report.html").read_text()
        for metric in {metric for _, _, metric in records(finished[0])}:
            assert f"<dt>{BY_KEY[metric].name} [" in text

    @pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
    def test_a_browser_draws_curves_and_a_map(self, finished):
        browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
        page = (finished[0] / "report.html").as_uri()
        document = subprocess.run(
            [*browser, "--dump-dom", page], capture_output=True, text=True, check=True, timeout=120
        ).stdout
        sections = document.split('<section id="scenario-')[1:]
        assert len(sections) == 2
        for section in sections:
            curves, places = section.split('class="chart map')
            assert curves.count('class="js-line"') >= 7  # a line for each learner, and the edges of bands
            assert places.count('class="point"') == 6 + 1  # nodes and the gateway
            assert '<option value="reference-pdr">' in section
            ticks = re.findall(r">(SF\d+)</text>", places)
            assert ticks == [f"SF{sf}" for sf in range(7, 13)]  # a colour for each spreading factor

    def test_without_the_plotting_library_the_pictures_are_left(self, tiny, tmp_path, monkeypatch):
        monkeypatch.setattr("scripts.comparison.page._plotly", lambda: "")
        assert tiny().exit_code == 0
        text = (tmp_path / "tiny/report.html").read_text()
        assert "need the package plotly" in text and text.count("data:image/png") == 3


class TestResume:
    def test_finished_jobs_are_taken_over(self, tiny, tmp_path, played):
        assert tiny().exit_code == 0
        assert played[-1] == ("distance-quantile", (0, 1)) and ("cucb", (0, 1)) in played
        before = (tmp_path / "tiny/comparison.json").read_bytes()
        played.clear()
        assert tiny().exit_code == 0
        assert played == [] and (tmp_path / "tiny/comparison.json").read_bytes() == before
        assert tiny("--fresh").exit_code == 0
        assert len(played) == 4

    def test_only_new_seeds_and_learners_are_played(self, tiny, played):
        tiny()
        played.clear()
        tiny("--seeds", "0,1,2", "--learners", "ucb1")
        assert dict(played) == {"cucb": (2,), "ucb1": (0, 1, 2), **dict.fromkeys(TRIVIAL, (2,))}

    def test_another_scenario_is_another_job(self, tiny, played):
        tiny()
        played.clear()
        tiny("--set", "scenario.traffic.interval_s=40")
        assert len(played) == 4

    def test_an_interrupted_call_keeps_what_was_finished(self, tiny, tmp_path, played, monkeypatch):
        step, segments = PacketExperiment.step, []

        def interrupted(self):
            segments.append(self)
            if len(segments) == 4:  # two hours each: in the second job
                raise KeyboardInterrupt
            return step(self)

        with monkeypatch.context() as patch:
            patch.setattr(PacketExperiment, "step", interrupted)
            result = tiny()
        assert result.exit_code == 130
        assert len([line for line in result.output.splitlines() if "1 of 4 jobs are kept" in line]) == 1
        assert len(list((tmp_path / "tiny/jobs").iterdir())) == 2
        first = played[0]
        played.clear()
        assert tiny().exit_code == 0
        assert len(played) == 3 and first not in played

    def test_a_damaged_file_is_played_again(self, tiny, tmp_path, played):
        tiny()
        path = next((tmp_path / "tiny/jobs").iterdir())
        path.write_bytes(path.read_bytes()[:100])
        played.clear()
        result = tiny()
        assert result.exit_code == 0 and "is damaged" in result.output
        assert len(played) == 1

    def test_files_need_no_pickle(self, tmp_path):
        one = job("seeds=[3]")
        Store(tmp_path).write(one, run_job(0, one)[1])
        (path,) = tmp_path.iterdir()
        with np.load(path, allow_pickle=False) as file:
            assert file["points"].shape == (6, 4) and file["row/pdr"].shape == (2,)


class TestJobs:
    @pytest.mark.parametrize("label", ["cucb", "random"])
    def test_a_seed_does_not_depend_on_its_chunk(self, label):
        whole = job("seeds=[3,1,4]", "learners.random={}", label=label)
        together = run_job(0, whole)[1]
        for part in chunks(whole, 3):
            (alone,) = run_job(0, part)[1]
            state = together[whole.seeds.index(part.seeds[0])]
            assert alone.keys() == state.keys()
            for name, array in alone.items():
                np.testing.assert_array_equal(array, state[name], err_msg=name)

    def test_seeds_are_cut_up_only_as_far_as_workers_need(self):
        five = job("seeds=[0,1,2,3,4]")
        assert [part.seeds for part in plan([five], 2)] == [(0, 1), (2, 3, 4)]
        assert [part.seeds for part in plan([five, five], 2)] == [five.seeds, five.seeds]
        assert len(plan([five], 64)) == 5

    def test_positions_by_replica_keep_seeds_together(self):
        topology = "scenario.topology={kind: arrays, node_xy_m: [[[1, 2]], [[300, 400]]]}"
        placed = job(topology, "seeds=[7,8]")
        assert [part.seeds for part in chunks(placed, 2)] == [(7, 8)]
        assert digest(placed, 7) != digest(with_seeds(placed, [8, 7]), 7)

    def test_a_digest_is_of_one_seed_of_one_learner(self):
        one = job("learners.other={name: cucb, parameters: {c: 1}}", "seeds=[0,1]")
        assert digest(one, 0) == digest(with_seeds(one, [0]), 0) != digest(one, 1)
        assert digest(one, 0) != digest(Job(one.config, "other"), 0)

    def test_first_reported_stretch(self):
        schedule = PacketExperiment(job("duration_h=5").config, "cucb").schedule
        assert [first_reported(schedule, last_h) for last_h in (1, 2, 100)] == [4, 3, 0]


def comparison(baseline="a", **values):
    full = {
        label: {measure.key: [math.nan] * 3 for measure in MEASURES} | {"pdr": pdr, "ee_bits_per_mj": ee}
        for label, (pdr, ee) in values.items()
    }
    return Comparison(job("seeds=[0,1,2]").config, {}, full, baseline)


class TestStatistics:
    def test_paired_difference_by_hand(self):
        compared = comparison(a=([0.5, 0.6, 0.7], [10, 20, 40]), b=([0.52, 0.63, 0.74], [11, 24, 52]))
        pdr = compared.difference("b", BY_KEY["pdr"])
        assert pdr.mean == pytest.approx(3.0)  # 2, 3 and 4 points
        assert pdr.ci_high - pdr.mean == pytest.approx(4.303 * 1.0 / math.sqrt(3))
        ee = compared.difference("b", BY_KEY["ee_bits_per_mj"])
        assert ee.mean == pytest.approx(20.0)  # 10, 20 and 30 %
        assert compared.difference("a", BY_KEY["pdr"]) is None

    def test_a_common_share_of_the_air_does_not_widen_a_paired_interval(self):
        compared = comparison(a=([0.1, 0.5, 0.9], [1, 1, 1]), b=([0.2, 0.6, 1.0], [1, 1, 1]))
        difference = compared.difference("b", BY_KEY["pdr"])
        assert difference.spread == pytest.approx(0.0, abs=1e-9)
        assert compared.estimate("b", BY_KEY["pdr"]).spread == pytest.approx(40.0)

    def test_nothing_over_nothing_is_not_a_number(self):
        assert math.isnan(differences([1.0], [0.0], BY_KEY["ee_bits_per_mj"])[0])

    def test_cells(self):
        compared = comparison(a=([0.5, 0.6, math.nan], [10, 10, 10]))
        assert cell(compared, "a", Column(BY_KEY["ee_bits_per_mj"])).text == "10"
        assert cell(compared, "a", Column(BY_KEY["pdr"])).text.endswith("(2 of 3)")
        assert cell(compared, "a", Column(BY_KEY["recovery_h"])).text == "-"
        assert "recovery" not in as_markdown(compared)


@pytest.mark.parametrize(("width", "shown"), [(40, 2), (80, 4), (200, 4)])
def test_a_narrow_terminal_has_fewer_columns_and_all_digits(width, shown):
    compared = comparison(a=([0.59, 0.6, 0.61], [10, 20, 40]), b=([0.61, 0.63, 0.65], [11, 24, 52]))
    table = for_terminal(compared, width)
    assert len(table.columns) == 1 + shown
    console = Console(width=width, markup=False)
    with console.capture() as capture:
        console.print(table)
    assert "+3.00 ± 2.48" in capture.get() and "…" not in capture.get()


def test_processes_play_the_same(tiny, tmp_path):
    assert tiny("--jobs", 2).exit_code == 0
    before = (tmp_path / "tiny/comparison.json").read_bytes()
    assert tiny("--fresh").exit_code == 0
    assert (tmp_path / "tiny/comparison.json").read_bytes() == before


def test_baseline_and_changes_of_all_configurations(tiny, tmp_path):
    result = tiny("--baseline", "random", "learners.cucb.parameters.c=1")
    assert result.exit_code == 0, result.output
    measures = records(tmp_path / "tiny")
    assert measures["journal_fit", "random", "pdr"]["difference"] is None
    assert measures["journal_fit", "cucb", "pdr"]["baseline"] == "random"
    command = (tmp_path / "tiny/comparison.md").read_text()
    assert "configs/journal_fit.yaml --seeds 0,1 --hours 2.0 --baseline random" in command
    assert "--set learners.cucb.parameters.c=1" in command


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--learners", "cucbb"], "did you mean 'cucb'"),
        (["--learners", "cucb,,ucb1"], "empty name"),
        (
            ["--learners", "runs/nowhere"],
            "--learners: runs/nowhere: holds no policy, which is policy.safetensors and pol",
        ),
        (["--learners", str(ROOT / "configs")], "(has no policy.safetensors and no policy.json)"),
        (["--baseline", "nobody"], "--baseline: 'nobody'"),
        (["--hours", "0"], "--hours"),
        (["--seeds", "0,0"], "occurs twice"),
        (["--name", "../x"], "--name"),
        (["--ray-address", "auto"], "--backend ray"),
        (["--set", "learners.cucb.parameters.etaa=1"], "did you mean 'eta'"),
        ([CONFIG], "occurs twice"),
        (["nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_input_is_one_line(tiny, tmp_path, arguments, text):
    result = tiny(*arguments)
    assert result.exit_code == 2 and "Traceback" not in result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("error:")]
    assert text in line
    assert list(tmp_path.iterdir()) == []


def test_a_papers_name_asks_for_the_learner_of_the_file_under_the_label_that_was_typed():
    (lineup,) = lineups([ROOT / "configs" / "journal_fit.yaml"], [], ["D-LoRa", "MIX-MAB"], references=False)
    learners = lineup.config.learners
    assert learners["D-LoRa"] == learners["cucb"]
    assert agents.learner_name(learners["MIX-MAB"].name) == "mix-mab"


def test_labels():
    assert label_list(None, "--learners") == []
    assert label_list("a, b,a", "--learners") == ["a", "b"]


def test_missing_ray_is_one_line(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = tiny("--backend", "ray")
    assert result.exit_code == 2 and "needs the extra `ray`" in result.output


@pytest.mark.external
def test_ray_plays_the_same(tiny, tmp_path):
    pytest.importorskip("ray")
    assert tiny().exit_code == 0
    before = (tmp_path / "tiny/comparison.json").read_bytes()
    result = tiny("--fresh", "--no-reference", "--backend", "ray", "--jobs", 2)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "tiny/comparison.json").read_bytes() == before


def test_definitions_state_the_hours_that_were_averaged():
    short = job("report_last_h=100").config
    long = job("duration_h=300", "report_last_h=100", "name=other").config
    assert definition_of(BY_KEY["pdr"], [short]) == "Packets delivered per packet sent. Over: the last 2 h."
    text = definition_of(BY_KEY["pdr"], [short, long])
    assert text.endswith("Over: the last 2 h (journal_fit), the last 100 h (other).")
    assert "to the last 2 h (journal_fit), 100 h (other); empty" in definition_of(
        BY_KEY["converged_pdr_h"], [short, long]
    )
    assert "Over" not in definition_of(BY_KEY["state_bytes"], [short])


def test_the_hours_are_those_of_whole_rows():
    uneven = job("duration_h=30", "interval_h=12", "report_last_h=5").config
    assert definition_of(BY_KEY["fairness"], [uneven]).endswith("Over: the last 6 h.")


def test_the_command_on_the_page_says_where_it_was_called(tmp_path, monkeypatch):
    options = {"--name": "mine"}
    monkeypatch.chdir(compare.ROOT)
    assert compare._command([Path("a.yaml")], [], options, no_reference=True) == (
        "python scripts/compare.py a.yaml --name mine --no-reference"
    )
    monkeypatch.chdir(compare.ROOT / "configs")
    assert compare._command([Path("a.yaml")], ["x=1"], {}, no_reference=False) == (
        "cd configs && python ../scripts/compare.py a.yaml --set x=1"
    )
    monkeypatch.chdir(tmp_path)
    words = compare._command([Path("a.yaml")], [], {}, no_reference=False).split()
    assert words[:4] == ["cd", str(tmp_path.resolve()), "&&", "python"] and (tmp_path / words[4]).resolve().exists()
