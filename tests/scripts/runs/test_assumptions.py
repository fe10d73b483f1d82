"""What stands above every table: the radio's assumptions, and which of them are defaults."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from rich.console import Console

from lora_marl.config import ScenarioConfig, load, parse
from scripts.runs.assumptions import (
    DEFAULT_MARK,
    assumptions,
    assumptions_markdown,
    assumptions_of,
    assumptions_of_all,
    assumptions_table,
)
from tests.scripts.conftest import ROOT

TOPICS = ["propagation", "shadowing", "reception", "feedback", "duty cycle", "traffic", "region", "energy"]


def run(scenario: dict) -> object:
    return parse({"scenario": scenario, "learners": {"random": {}}})


def texts(scenario: dict) -> dict[str, str]:
    return {row.topic: row.text for row in assumptions_of(run(scenario))}


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings(action="ignore"):
        yield


def test_of_an_empty_configuration_everything_is_marked() -> None:
    rows = assumptions(ScenarioConfig().build())
    assert [row.topic for row in rows] == TOPICS
    for row in rows:
        assert row.text.endswith(DEFAULT_MARK), row


@pytest.mark.parametrize(
    ("section", "topic", "text"),
    [
        ({"propagation": {"exponent": 3.0}}, "propagation", "log-distance, exponent 3, 128.95 dB at 1,000 m*"),
        ({"propagation": {"model": "friis"}}, "propagation", "free space at the carrier, exponent 2.32*"),
        ({"propagation": {"shadowing": "link"}}, "shadowing", "7.8 dB*, drawn once per link; no fading*"),
        ({"propagation": {"shadowing_db": 0, "fading": "rayleigh"}}, "shadowing", "none; Rayleigh fading"),
        ({"feedback": "downlink"}, "feedback", "downlink: answers cost airtime, and can be refused or lost"),
        ({"traffic": {"duty_cycle": None}}, "duty cycle", "no limit"),
        ({"traffic": {"duty_cycle": 0.01}}, "duty cycle", "1 % of the time"),
        ({"traffic": {"interval_s": 300}}, "traffic", "a packet every 300 s at random, 50 bytes*"),
    ],
)
def test_what_is_stated_is_not_marked(section: dict, topic: str, text: str) -> None:
    assert texts(section)[topic] == text


@pytest.mark.parametrize("name", ["norel", "mmalora", "ccs_two", "jammed"])
def test_every_kind_of_run_has_them(name: str) -> None:
    rows = assumptions_of(load(ROOT / "configs" / f"{name}.yaml"))
    assert [row.topic for row in rows][: len(TOPICS)] == TOPICS


def test_of_several_runs_differences_are_shown() -> None:
    several = [run({"propagation": {"exponent": gamma}}) for gamma in (2.0, 3.0)]
    rows = {row.topic: row.text for row in assumptions_of_all(several)}
    assert rows["propagation"].startswith("differs: log-distance, exponent 2,") and " | " in rows["propagation"]
    assert rows["region"] == texts({})["region"]
    many = [run({"propagation": {"exponent": 2.0 + step / 10}}) for step in range(5)]
    assert {row.text for row in assumptions_of_all(many) if row.topic == "propagation"} == {"differs, 5 kinds"}


def test_nothing_is_cut_at_80_columns() -> None:
    rows = assumptions_of(load(Path(ROOT / "configs" / "journal_fit.yaml")))
    console = Console(width=80, markup=False)
    with console.capture() as capture:
        console.print(assumptions_table(rows))
    words = " ".join(capture.get().split())
    assert "…" not in words and all(word in words for row in rows for word in row.text.split())
    assert "7.8 dB\\*" in assumptions_markdown(rows)  # a star is no emphasis
