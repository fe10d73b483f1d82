"""Nothing that a file holds makes the loader hang, grow, or fail otherwise than with one line for each problem."""

from __future__ import annotations

import copy
import random
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from lora_marl import config
from lora_marl.config.reading import read_file

CONFIGS = Path(__file__).parents[1] / "configs"
BEGIN = "learners: {random: {}}\n"


def refusal(path: Path, *overrides: str) -> str:
    """The one line with which a file is refused, within a second of CPU."""
    begin_s = time.process_time()
    with pytest.raises(config.ConfigError) as caught:
        config.load(path, overrides)
    assert time.process_time() - begin_s < 5.0
    (line,) = caught.value.problems
    assert "\n" not in line and len(line) < 1100
    return line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seeds: !!int abc\n", "has a value that is none of its type"),
        ("name: !!bool maybe\n", "has a value that is none of its type"),
        ("name: !!timestamp abc\n", "line 2: the tag 'tag:yaml.org,2002:timestamp' is not plain data"),
        ("name: !!python/object:os.system x\n", "the tag"),
        (f"duration_h: {'9' * 5000}\n", "a number of 5000 characters; at most 400"),
        ("duration_h: 1:30:00\n", "'1:30:00' is not a valid number"),
        ("duration_h: 2001-13-45\n", "'2001-13-45' is not a valid number"),
        ("duration_h: 0b_\n", "'0b_' is not a valid number"),
        (f"seeds: {'[' * 5000}{']' * 5000}\n", "is nested too deeply"),
        (f"seeds: {'[' * 100}{']' * 100}\n", "is nested too deeply"),
        ("? [1, 2]\n: 3\n", "line 2, column 3: a key is a list or a mapping"),
        ("name: &a [*a]\n", "an alias holds itself"),
        ("1: 2\n", "1 is not a key"),
        ('base: "x\\0y"\n', "is no name of a file"),
        ("base: /dev/zero\n", "/dev/zero: is not a regular file"),
        ("base: .\n", "is not a regular file"),
        ("base: [1]\n", "No such file"),
    ],
)
def test_strange_yaml_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(BEGIN + text)
    assert says in refusal(path)


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: [010, 0o17, 0x1f, 1_000, 1e3, .5, -.inf, 12:30, on, ~, null, '']\n")
    assert read_file(path)["a"] == [10, 15, 31, "1_000", 1000.0, 0.5, float("-inf"), "12:30", "on", None, None, ""]


def test_billion_laughs_and_many_keys_are_bounded(tmp_path: Path) -> None:
    laughs = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    path = tmp_path / "x.yaml"
    path.write_text(BEGIN + laughs)
    assert "has more than 500000 values once aliases are expanded" in refusal(path)
    path.write_text(BEGIN + "".join(f"key{number}: 1\n" for number in range(30_000)))
    with pytest.raises(config.ConfigError) as caught:
        config.load(path)
    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1].endswith("29950 more problems")
    path.write_text(BEGIN + f"seeds: [{', '.join(map(str, range(100_000)))}]\n")
    assert "100000 seeds; at most 10000" in refusal(path)
    path.write_text(BEGIN + "scenario: {topology: {placements: 1000000000}}\n")
    assert "placements: 1000000000 is not less than or equal to 10000" in refusal(path)
    path.write_text(BEGIN + "scenario: {topology: {placements: 10000, nodes: 100000}}\n")
    assert "at most 20000000 positions are drawn" in refusal(path)
    path.write_text(f"a: [{'1,' * 1_100_000}]")
    assert refusal(path).endswith("has more than 500000 values")
    path.write_bytes(b"#" * (16 * 2**20 + 1))
    assert "at most 16777216 are read" in refusal(path)


def test_a_message_does_not_quote_a_file_that_is_no_configuration(tmp_path: Path) -> None:
    for content in (
        "root:x:0:0:secret word\n",
        "- secret\n- word\n",
        "secret: [word\n",
        "\tsecret word",
        "'secret word",
    ):
        (tmp_path / "other").write_text(content)
        path = tmp_path / "x.yaml"
        path.write_text("base: other\n" + BEGIN)
        with pytest.raises(config.ConfigError) as caught:
            config.load(path)
        assert all("word" not in line for line in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    "label",
    ["/elsewhere/x", "a/b", "..", ".", "config.yaml", "Config.YAML", "versions.json", "map.png", "a\\b", "a\nb", "",
     " a", "a" * 101, "-x", "a  b"],
)  # fmt: skip
def test_a_label_that_is_no_name_of_a_folder_is_refused(label: str) -> None:
    with pytest.raises(config.ConfigError, match="is no label: it names a folder"):
        config.parse({"learners": {label: {"name": "random"}}})


@pytest.mark.parametrize("label", ["cucb", "D-LoRa-PDR", "my_parts:Steps", "c=2, eta=1.8", "pg (vendor 5)", "a"])
def test_labels_that_people_use_are_accepted(label: str) -> None:
    run = config.parse({"learners": {label: {"name": "random"}}})
    assert list(run.learners) == [label]


STRANGE: list[Any] = [
    None, True, -1, 0, 1, 10**30, 0.5, float("nan"), float("inf"), "", "x", "10min", "1e400", "\0", [], [[]], [1, [2]],
    ["a"], {}, {"a": 1}, {1: 2}, [None], [{}], "a" * 10_000,
]  # fmt: skip


def mutated(values: Any, rng: random.Random) -> Any:
    """The values with one to three places replaced, removed or added."""
    values = copy.deepcopy(values)
    for _ in range(rng.randint(1, 3)):
        place = values
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(place[key], dict | list) and rng.random() < 0.8:
                place = place[key]
                continue
            action = rng.random()
            if action < 0.8:
                place[key] = copy.deepcopy(rng.choice(STRANGE))
            elif action < 0.9:
                del place[key]
            elif isinstance(place, dict):
                place["".join(rng.sample("abcdefgh_/. ", 5))] = rng.choice(STRANGE)
            break
    return values


CHANGING = {
    "scenario": {
        "topology": {"kind": "arrays", "node_xy_m": [[0, 1], [2, 3]], "gateway_xy_m": [[0, 0], [9, 9]]},
        "region": {"channels_hz": [868.1e6, 868.3e6], "tp_dbm": [2, 14]},
        "reception": {"sir_db": [[0] * 6] * 6, "sensitivity_dbm": [[-120] * 3] * 6},
        "interference": {"occupancy": [0.1, 0.2], "power_dbm": [-110, -100]},
        "changes": [
            {"at_s": 1, "values": {"traffic.interval_s": [3, 4], "propagation.exponent": 3}},
            {"at_s": 2, "until_s": 9, "steps": 3, "values": {"channel_loss_db": [1, 2], "active": 1}},
        ],
        "path_loss_db": [[100, 110], [120, 130]],
        "node_network": [0, 1],
        "gateway_network": [0, 1],
    },
    "learners": {"cucb": {"parameters": {"c": 1}}, "random": {}},
    "seeds": [0, 1],
}


@pytest.mark.parametrize("name", ["changing", "ccs_two.yaml", "norel.yaml", "mmalora.yaml"])
def test_a_mutated_configuration_loads_or_is_refused_in_lines(name: str) -> None:
    rng = random.Random(7)
    start: Any = CHANGING
    if name != "changing":
        start = yaml.safe_load(config.dump(config.load(CONFIGS / name)))
        start.get("scenario", {}).get("topology", {}).update(nodes=5)
    for _ in range(60):
        values = mutated(start, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                config.parse(values, source="x.yaml")
            except config.ConfigError as error:
                assert error.problems and all("\n" not in line for line in error.problems), error.problems


def test_a_text_of_several_lines_in_place_of_a_list_is_one_line() -> None:
    changes = "- {at_s: 1, values: {}}\n    - {at_s: 2,\u2028 values: {}}\n" * 3
    for values in ({"scenario": {"changes": changes}}, {"seeds": "1,\n2"}, {"seeds": changes}):
        with pytest.raises(config.ConfigError) as caught:
            config.parse({"learners": {"random": {}}, **values})
        assert all(len(problem.splitlines()) == 1 for problem in caught.value.problems)
