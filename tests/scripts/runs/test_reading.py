"""What one sees in the table of a run in words, and the commands that go on from it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from lora_marl.config import load
from scripts.runs.packets.reading import next_commands, reading
from scripts.runs.report import NAMES, Result
from tests.scripts.conftest import CONFIG, ROOT


@pytest.fixture
def config():
    with pytest.warns(UserWarning):
        return load(CONFIG)


def result(label: str, pdr: float, ee: float) -> Result:
    row = {metric: 1.0 for metric in NAMES} | {"pdr": pdr, "ee_bits_per_mj": ee}
    return Result(label, "journal", [row, row])


def test_of_the_demo_it_says_who_is_best_and_why(config) -> None:
    table = [
        ("cucb", 0.896, 64.8),
        ("random", 0.792, 45.2),
        ("static-sf7", 0.862, 141),
        ("distance-quantile", 0.938, 49),
    ]
    delivery, energy = reading(config, [result(*line) for line in table])
    assert delivery.startswith(
        "distance-quantile delivers most packets, 93.8 % without learning: it knows the distances"
    )
    assert "cucb, which has to learn from packets that fail, delivers 89.6 %, +10.4 points" in delivery
    assert energy.startswith("static-sf7 delivers most bits per energy, 141.0 bits/mJ without learning: packets at SF7")
    assert "for cucb the paper prints 74, we get 64.80" in energy
    assert (ROOT / "docs" / "results_dlora.md").is_file()


def test_where_a_learner_is_best_the_next_one_is_named(config) -> None:
    delivery, _ = reading(config, [result("cucb", 0.95, 60), result("static-sf7", 0.8, 100)])
    assert delivery == "cucb delivers most packets, 95.0 %; next is static-sf7 with 80.0 %."


def test_energy_that_is_saved_by_losing_packets_is_not_praised(config) -> None:
    table = [result("random", 0.49, 1270), result("cucb", 0.9, 65), result("static-sf7", 0.86, 141)]
    _, energy = reading(config, table)
    assert ", but only 49.0 % of its packets; of those that deliver nearly as much" in energy
    assert "; of those that deliver nearly as much as the best, static-sf7 has most, 141.0 bits/mJ" in energy


def test_one_learner_alone_is_compared_with_nobody(config) -> None:
    assert reading(config, [result("cucb", 0.95, 60)]) == []


def test_next_commands_are_those_of_the_run(config) -> None:
    changed = config.model_copy(update={"name": "mine"})
    commands = next_commands(changed, Path("runs/mine"), Path("my file.yaml"), ["duration_h=20", "seeds=[0,1]"])
    assert len(commands) == 3
    for _, command in commands:
        words = shlex.split(command)
        assert (ROOT / words[1]).is_file() and "my file.yaml" in words
        assert "duration_h=20" in words and "seeds=[0,1]" in words
    half = shlex.split(commands[1][1])
    assert "scenario.topology.nodes=50" in half and "name=mine-50" in half


def test_a_listed_network_is_not_halved(config) -> None:
    topology = config.scenario.topology.model_copy(update={"kind": "csv"})
    listed = config.model_copy(update={"scenario": config.scenario.model_copy(update={"topology": topology})})
    (_, again, _) = next_commands(listed, Path("runs/x"), Path("x.yaml"), [])
    assert "seeds=[5,6]" in again[1] and "topology" not in again[1]
