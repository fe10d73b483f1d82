"""What was measured, from files: traffic, and what links need; each part of it can be stated in a configuration."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lora_marl import config
from lora_marl.config.links import WithoutLink
from lora_marl.core.air import Air
from lora_marl.core.scenario import Scenario
from scripts.runs.metrics import rows
from tests.test_config_files import GATEWAYS, scenario

TRACE = "node,time_s,payload_bytes,counter\na,1,20,7\nb,0.5,51,1\na,601,20,8\n"
LOSSES = (
    "node,gateway,channel,loss_db\na,east,0,100\na,east,868.3 MHz,104.5\na,west,868500000,120\nb,west,1,\nb,east,7,90\n"
)
LINKS = "node;gateway;spread_db;slow_db;slow_s\na;east;1,5;2;1d\nb;west;0,5;;\n"
NOISE = "gateway,channel,noise_db\neast,867.5 MHz,6\nwest,0,-1.5\n"


def built(folder: Path, **sections: object) -> Scenario:
    files = {"gateways.csv": GATEWAYS, "trace.csv": TRACE, "losses.csv": LOSSES, "links.csv": LINKS, "noise.csv": NOISE}
    return scenario(folder, **(files | sections)).build()


def test_a_trace_of_a_file_is_played(tmp_path: Path) -> None:
    traffic = {"kind": "trace", "trace_csv": "trace.csv", "trace_repeat_s": "20min"}
    network = built(tmp_path, traffic=traffic)
    trace = network.traffic.trace
    assert trace is not None and trace.counter is not None
    assert (trace.nodes, trace.repeat_s, trace.node.tolist()) == (2, 1200.0, [0, 1, 0])
    assert (trace.time_s.tolist(), trace.payload_bytes.tolist()) == ([1.0, 0.5, 601.0], [20, 51, 20])
    assert trace.counter.tolist() == [7, 1, 8]
    outcome = Air(network, [0]).advance(np.zeros((1, 2, 4), np.int16), 1800.0)
    assert outcome.sent.tolist() == [[3, 2]]
    read = scenario(tmp_path, **{"gateways.csv": GATEWAYS, "trace.csv": TRACE}, traffic=traffic)  # type: ignore[arg-type]
    assert tmp_path / "trace.csv" in read.files


@pytest.mark.parametrize(
    ("trace", "complaint"),
    [
        ("node,time_s\na,1\n", "the column 'payload_bytes' is required; found: node, time_s"),
        ("node,time_s,payload_bytes\nc,1,20\n", "line 2: 'c' is no node; known: a, b"),
        (
            "node,time_s,payload_bytes\na,5,20\nb,1,20\na,4,20\n",
            "line 4: time_s: 4 lies before the node's last row, at 5",
        ),
        ("node,time_s,payload_bytes\na,1,20\nb,-2,20\n", "line 3: time_s: -2 is not allowed; it is at least 0 s"),
        ("node,time_s,payload_bytes\na,1,20.5\n", "line 2: payload_bytes: 20.5 is not allowed; it is from 1 to 255"),
        ("node,time_s,payload_bytes\na,1,\n", "line 2: payload_bytes: '' is not a finite number"),
        ("node,time_s,payload_bytes,conter\na,1,20,3\n", "unknown column 'conter'; did you mean 'counter'"),
        ("node,time_s,payload_bytes,counter\na,1,20,-3\n", "line 2: counter: -3 is not allowed"),
    ],
)
def test_what_is_wrong_in_a_trace_is_named(tmp_path: Path, trace: str, complaint: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        built(tmp_path, traffic={"kind": "trace", "trace_csv": "trace.csv"}, **{"trace.csv": trace})
    (line,) = caught.value.problems
    assert "traffic.trace_csv: " in line and "trace.csv" in line
    assert re.search(complaint, line), line


@pytest.mark.parametrize(
    ("traffic", "complaint"),
    [
        ({"kind": "trace"}, "trace_csv: is required by kind 'trace'"),
        ({"trace_csv": "trace.csv"}, "trace_csv: is not read by kind 'poisson'; set kind: trace"),
        ({"kind": "trace", "trace_csv": "trace.csv", "interval_s": 5}, "traffic.interval_s: follows from the trace"),
        (
            {"kind": "trace", "trace_csv": "trace.csv", "trace_repeat_s": 600},
            "repeat_s: 600.0 is not after the last row",
        ),
        ({"kind": "trace", "trace_csv": "other.csv"}, "other.csv: No such file.*configuration's folder"),
    ],
)
def test_what_traffic_cannot_be_is_said(tmp_path: Path, traffic: dict[str, object], complaint: str) -> None:
    with pytest.raises(config.ConfigError, match=complaint):
        built(tmp_path, traffic=traffic)


def test_links_come_from_files(tmp_path: Path) -> None:
    files = {"path_loss_csv": "losses.csv", "links_csv": "links.csv", "noise_csv": "noise.csv"}
    links = built(tmp_path, links=files).links
    assert links is not None and links.path_loss_db is not None
    assert np.asarray(links.path_loss_db).shape == (2, 2, 8)
    heard = {tuple(place): links.path_loss_db[tuple(place)] for place in np.argwhere(np.isfinite(links.path_loss_db))}
    assert heard == {(0, 0, 0): 100.0, (0, 0, 1): 104.5, (0, 1, 2): 120.0, (1, 0, 7): 90.0}
    assert np.asarray(links.spread_db).tolist() == [[1.5, 0.0], [0.0, 0.5]]
    assert np.asarray(links.slow_db).tolist() == [[2.0, 0.0], [0.0, 0.0]]
    assert np.asarray(links.slow_s).tolist() == [[86400.0] * 2] * 2
    expected = np.zeros((2, 8))
    expected[0, 5], expected[1, 0] = 6.0, -1.5
    np.testing.assert_array_equal(links.noise_db, expected)


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"losses.csv": LOSSES + "a,east,0,101\n"}, "losses.csv line 7: a, east, 0 occurs twice"),
        (
            {"losses.csv": "node,gateway,channel,loss_db\na,east,8,100\n"},
            "line 2: '8' is no channel; allowed are 0 to 7, or",
        ),
        ({"losses.csv": "node,gateway,channel,loss_db\na,east,868.2 MHz,9\n"}, "'868.2 MHz' is no channel"),
        ({"losses.csv": "node,gateway,channel,loss_db\na,east,0,-9\n"}, r"\[0, 0, 0\]: -9 is not within 0 to 400 dB"),
        ({"losses.csv": "node,gateway,loss_db\na,east,100\n"}, "the column 'channel' is required"),
        ({"links.csv": "node,gateway,spred_db\na,east,1\n"}, "unknown column 'spred_db'; did you mean 'spread_db'"),
        ({"links.csv": "node,gateway\na,east\n"}, "has none of the columns spread_db, sensitivity_db"),
        ({"links.csv": "node,gateway,spread_db\na,east,-1\n"}, r"spread_db\[0, 0\]: -1 is not within 0 to 100 dB"),
        ({"noise.csv": "gateway,channel\neast,0\n"}, "the column 'noise_db' is required"),
        ({"noise.csv": NOISE + "east,5,3\n"}, "noise.csv line 4: east, 5 occurs twice|line 4"),
    ],
)
def test_what_is_wrong_in_files_of_links_is_named(tmp_path: Path, files: dict[str, object], complaint: str) -> None:
    links = {"path_loss_csv": "losses.csv", "links_csv": "links.csv", "noise_csv": "noise.csv"}
    with pytest.raises(config.ConfigError, match=complaint):
        built(tmp_path, links=links, **files)


def test_what_is_in_a_file_is_stated_once_and_silent_nodes_are_named(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="links.noise_db: is in a file, too; keep one of them"):
        built(tmp_path, links={"noise_csv": "noise.csv", "noise_db": 3.0})
    with pytest.warns(WithoutLink, match="1 nodes without any link: b"):
        built(
            tmp_path, links={"path_loss_csv": "losses.csv"},
            **{"losses.csv": "node,gateway,channel,loss_db\na,east,0,100\n"},
        )  # fmt: skip


EVERYTHING = {
    "traffic": {"kind": "trace", "trace_csv": "trace.csv", "nb_trans": [2, 3]},
    "channel_mask": [[0, 1, 2], [3]],
    "links": {
        "path_loss_csv": "losses.csv",
        "spread_db": [1.5, 0.5],
        "sensitivity_db": [[0.0, 1.0], [2.0, 3.0]],
        "slow_db": 2.0,
        "slow_s": "2d",
        "channel_slow_db": 1.0,
        "channel_slow_s": "8h",
        "noise_csv": "noise.csv",
        "off": [["west", 10, 20], [0, 30, 40]],
        "groups": {"roof": ["east", "west"]},
        "group_share": 0.6,
        "lost_share": 0.006,
    },
    "changes": [
        {"at_s": 100, "values": {"links.noise_db": 3.0, "links.spread_db": [1.0, 2.0], "channel_mask": [4, 5]}},
        {"at_s": 200, "until_s": 300, "steps": 2, "values": {"links.sensitivity_db": 4.0}},
        {"at_s": 400, "values": {"traffic.nb_trans": 1}},
    ],
}
"""All that `lora_marl.core.links` and `lora_marl.core.trace` have."""


def test_all_that_measured_links_need_can_be_stated(tmp_path: Path) -> None:
    network = built(tmp_path, **EVERYTHING)
    links = network.links
    assert links is not None
    assert np.shape(links.path_loss_db) == (2, 2, 8)
    assert (links.slow_db, links.slow_s, links.channel_slow_db, links.channel_slow_s) == (2.0, 172800.0, 1.0, 28800.0)
    assert links.off == ((1, 10.0, 20.0), (0, 30.0, 40.0)) and links.groups == {"roof": (0, 1)}
    assert (links.group_share, links.lost_share) == (0.6, 0.006)
    assert network.channel_mask is not None
    assert network.channel_mask.tolist() == [[True] * 3 + [False] * 5, [False] * 3 + [True] + [False] * 4]
    at = {change.at_s: change.values for change in network.changes}
    assert at[100.0]["channel_mask"].tolist() == [False] * 4 + [True] * 2 + [False] * 2
    np.testing.assert_array_equal(at[250.0]["links.sensitivity_db"], [[2.0, 2.5], [3.0, 3.5]])
    points = np.array([[[5, 0, -1, 0]] * 2], np.int16)
    outcome = Air(network, [0]).advance(points, 1000.0)
    assert outcome.sent.tolist() == [[3, 3]]  # NbTrans is 2 and 3 for the first row of each node, and 1 for the third
    (row,) = rows(outcome, network.region, network)
    assert row["frames_delivered"] + row["frames_lost"] == 3


@pytest.mark.parametrize("mask", [[8], [], [[0]], [[0], [1], [2]], ["868.1 MHz"]])
def test_a_mask_names_channels_of_the_region(tmp_path: Path, mask: list[object]) -> None:
    with pytest.raises(config.ConfigError, match="channel_mask"):
        built(tmp_path, channel_mask=mask)
    assert built(tmp_path, channel_mask=[0, 2]).channel_mask.tolist() == [True, False, True] + [False] * 5  # type: ignore[union-attr]
