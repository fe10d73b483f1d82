"""What a user writes becomes what the core runs, and what is wrong with it is said in one line."""

from __future__ import annotations

import dataclasses
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml
from typing_extensions import Buffer, TypeAliasType

from lora_marl import config
from lora_marl.config.section import Section, fields_of
from lora_marl.core import tables
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Reception
from lora_marl.core.scenario import Scenario
from lora_marl.core.traffic import Traffic

CONFIGS = Path(__file__).parents[1] / "configs"
LEARNERS = {"random": {}}


def written(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problem(values: dict, *, known_learners: bool = True) -> str:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(({"learners": LEARNERS} if known_learners else {}) | values, source="x.yaml")
    return str(caught.value)


def scenario_problem(**sections: dict) -> str:
    return problem({"scenario": sections})


def test_defaults_are_those_of_the_core() -> None:
    scenario = config.parse({"learners": LEARNERS}).scenario.build()
    assert scenario.propagation == Propagation()
    assert scenario.traffic == Traffic()
    assert scenario.reception == Reception()
    sections = {"node_xy_m", "gateway_xy_m", "region", "propagation", "reception", "traffic"}
    for field in dataclasses.fields(Scenario):
        if field.name not in sections:
            default = field.default_factory() if field.default is dataclasses.MISSING else field.default
            assert getattr(scenario, field.name) == default, field.name


def test_arrays_of_named_types_are_numbers_in_files() -> None:
    """From Python 3.12 on numpy's `ArrayLike` is a named alias, which pydantic cannot read."""
    named = TypeAliasType("named", Buffer | np.ndarray | float)
    record = dataclasses.make_dataclass("Record", [("loss_db", named, 1.0), ("other_db", named | None, None)])
    section = fields_of(record)(type("Losses", (Section,), {"__module__": __name__}))
    losses = section(loss_db=[1.0, 2.0], other_db=[[3.0]])
    assert (losses.loss_db, losses.other_db) == ([1.0, 2.0], [[3.0]])


def test_every_field_of_the_records_can_be_set() -> None:
    sections = config.ScenarioConfig()
    for section, record in {"propagation": Propagation, "reception": Reception, "traffic": Traffic}.items():
        keys = set(type(getattr(sections, section)).model_fields)
        if record is Traffic:  # its trace is a file's
            keys = keys - {"trace_csv", "trace_repeat_s"} | {"trace"}
        assert {field.name for field in dataclasses.fields(record)} == keys


@pytest.mark.parametrize("name", ["dlora_table_i", "dlora_code", "lorasimplus", "iot_mab", "norel", "ns3_gateway"])
def test_sensitivities_by_name(name: str) -> None:
    built = config.ScenarioConfig(reception={"sensitivity_dbm": name}).build()
    assert np.array_equal(built.reception.sensitivity_dbm, tables.SENSITIVITY_DBM[name])


@pytest.mark.parametrize("name", ["goursaud", "norel", "orthogonal"])
def test_sir_matrices_by_name_and_as_lists(name: str) -> None:
    by_name = config.ScenarioConfig(reception={"inter_sf": "sir_pairwise", "sir_db": name}).build()
    as_lists = config.ScenarioConfig(reception={"sir_db": tables.SIR_DB[name].tolist()}).build()
    assert np.array_equal(by_name.reception.sir_db, as_lists.reception.sir_db)


def test_topologies() -> None:
    for kind in ("uniform_disc", "published_disc", "ring"):
        built = config.ScenarioConfig(topology={"kind": kind, "nodes": 7, "radius_m": 500}).build()
        assert built.node_xy_m.shape == (7, 2)
        assert np.hypot(*built.node_xy_m.T).max() <= 500.001
    clusters = {"kind": "clusters", "nodes": 9, "clusters": 3, "cluster_radius_m": 10}
    assert config.ScenarioConfig(topology=clusters).build().nodes == 9
    arrays = {"kind": "arrays", "node_xy_m": [[1, 2], [3, 4]], "gateway_xy_m": [[0, 0], [9, 9]]}
    built = config.ScenarioConfig(topology=arrays).build()
    assert built.node_xy_m.tolist() == [[1, 2], [3, 4]]
    assert built.gateways == 2


def test_the_published_placement() -> None:
    built = config.load(CONFIGS / "default.yaml").scenario.build()
    assert built.node_xy_m[:3].tolist() == [[309, -772], [-437, -499], [-543, -715]]


def test_csv_gives_positions_and_traffic_and_is_sought_beside_the_config(tmp_path: Path) -> None:
    written(tmp_path, "x_m,y_m,interval_s,payload_bytes\n1,2,30,10\n3,4,60,20\n", "nodes.csv")
    written(tmp_path, "x_m,y_m\n5,6\n", "gateways.csv")
    topology = "{kind: csv, nodes_csv: nodes.csv, gateways_csv: gateways.csv}"
    path = written(tmp_path, f"scenario: {{topology: {topology}}}\nlearners: {{random: {{}}}}\n")
    loaded = config.load(path)
    built = loaded.scenario.build()
    assert built.node_xy_m.tolist() == [[1, 2], [3, 4]]
    assert built.gateway_xy_m.tolist() == [[5, 6]]
    assert np.asarray(built.traffic.interval_s).tolist() == [30, 60]
    assert np.asarray(built.traffic.payload_bytes).tolist() == [10, 20]
    assert config.parse(yaml.safe_load(config.dump(loaded)), folder="/elsewhere") == loaded


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("x_m,y_m\n1,2\n3,nan\n", r"line 3: y_m: 'nan' is not a finite number"),
        ("x_m,y_m\n1,a\n", r"line 2: y_m: 'a' is not a finite number"),
        ("x_m,y_m\n1\n", r"line 2: 1 values for 2 columns"),
        ("x_m,ym\n1,2\n", r"unknown column 'ym'; did you mean 'y_m', in m\?"),
        ("x_m\n1\n", r"the column 'y_m' is required \(or lat and lon, in degrees\); found: x_m"),
        ("x_m,y_m\n", r"has no rows"),
        ("", r"the column 'x_m' is required"),
    ],
)
def test_bad_csv(tmp_path: Path, rows: str, complaint: str) -> None:
    path = written(tmp_path, rows, "nodes.csv")
    message = scenario_problem(topology={"kind": "csv", "nodes_csv": str(path)})
    assert re.search(r"^x\.yaml: scenario\.topology\.nodes_csv: .*nodes\.csv.*" + complaint, message)


def test_missing_csv() -> None:
    assert "nodes_csv: is required" in scenario_problem(topology={"kind": "csv"})
    assert "No such file" in scenario_problem(topology={"kind": "csv", "nodes_csv": "nowhere.csv"})


def test_unknown_keys_name_the_nearest() -> None:
    assert problem({"scenario": {"trafic": {}}}) == "x.yaml: scenario.trafic: unknown key; did you mean 'traffic'?"
    assert problem({"sedes": [1]}) == "x.yaml: sedes: unknown key; did you mean 'seeds'?"
    message = problem({"learners": {"mine": {"name": "cucb", "parameter": {}}}})
    hint = "did you mean 'parameters'? Known: episodes, name, parameters"
    assert message == f"x.yaml: learners.mine.parameter: unknown key; {hint}"
    message = scenario_problem(reception={"capture": 6})
    assert message == "x.yaml: scenario.reception.capture: unknown key; did you mean 'capture_db'?"


def test_every_problem_has_its_line() -> None:
    message = problem({"seeds": [-1], "duration_h": 0, "scenario": {"traffic": {"knid": "poisson"}}})
    assert [line.split(": ")[1] for line in message.splitlines()] == ["seeds[0]", "scenario.traffic.knid", "duration_h"]


@pytest.mark.parametrize(
    ("values", "place", "says"),
    [
        ({"duration_h": -3}, "duration_h", "-3"),
        ({"duration_h": float("inf")}, "duration_h", "inf"),
        ({"duration_h": float("nan")}, "duration_h", "nan"),
        ({"interval_h": 0}, "interval_h", "0"),
        ({"seeds": []}, "seeds", "at least one"),
        ({"seeds": [1, 1]}, "seeds", "1 occurs twice"),
        ({"seeds": [0.5]}, "seeds[0]", "0.5"),
        ({"name": "../up"}, "name", "pattern"),
        ({"learners": {}}, "learners", "at least one"),
        ({"learners": None}, "learners", "is not a mapping"),
        ({"learners": {"cucb": 3}}, "learners.cucb", "3 is not a mapping"),
        ({"learners": {"cucb": {"episodes": 0}}}, "learners.cucb.episodes", "0"),
        ({"learners": {"cucb": {"episodes": 5}}}, "learners.cucb.episodes", "needs episode_s"),
        ({"environment": {"name": "uplink"}}, "environment.name", "did you mean 'uplink_v0'?"),
        ({"schema_version": 0}, "schema_version", "0"),
        ({"scenario": 7}, "scenario", "7 is not a mapping"),
    ],
)
def test_bad_runs(values: dict, place: str, says: str) -> None:
    message = problem(values)
    assert message.startswith(f"x.yaml: {place}: "), message
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("sections", "place", "says"),
    [
        ({"region": {"name": "EU86"}}, "scenario.region.name", "did you mean 'EU868'?"),
        ({"region": {"spreading_factors": [7, 13]}}, "scenario.region.spreading_factors[1]", "13 is not one of 7, 8"),
        ({"region": {"spreading_factors": []}}, "scenario.region.spreading_factors", "empty"),
        ({"region": {"channels_hz": []}}, "scenario.region.channels_hz", "empty"),
        ({"region": {"tp_dbm": []}}, "scenario.region.tp_dbm", "empty"),
        ({"region": {"bandwidths_hz": [100e3]}}, "scenario.region.bandwidths_hz[0]", "100000 is not one of"),
        ({"topology": {"nodes": 0}}, "scenario.topology.nodes", "0 is not greater than or equal to 1"),
        ({"topology": {"nodes": 1_000_001}}, "scenario.topology.nodes", "1000000"),
        ({"topology": {"kind": "square"}}, "scenario.topology.kind", "'square' is not"),
        ({"topology": {"radius_m": float("nan")}}, "scenario.topology.radius_m", "nan"),
        ({"topology": {"kind": "arrays"}}, "scenario.topology.node_xy_m", "required"),
        (
            {"topology": {"kind": "arrays", "node_xy_m": [[0, float("nan")]]}},
            "scenario.topology.node_xy_m",
            "node_xy_m[0, 1]: nan is not within",
        ),
        ({"topology": {"kind": "arrays", "node_xy_m": [[0, 1], [2]]}}, "scenario.topology.node_xy_m", "even list"),
        ({"topology": {"gateway_xy_m": [[0, float("inf")]]}}, "scenario.topology.gateway_xy_m", "inf is not within"),
        ({"traffic": {"interval_s": -1}}, "scenario.traffic.interval_s", "-1"),
        ({"traffic": {"interval_s": 0}}, "scenario.traffic.interval_s", "0"),
        ({"traffic": {"interval_s": "often"}}, "scenario.traffic.interval_s", "'often'"),
        ({"traffic": {"kind": "poison"}}, "scenario.traffic.kind", "'poison' is not 'poisson'"),
        ({"traffic": {"payload_bytes": 0}}, "scenario.traffic.payload_bytes", "0"),
        ({"traffic": {"payload_bytes": 200}}, "scenario.traffic.payload_bytes", "200 exceeds EU868's"),
        ({"traffic": {"duty_cycle": 2}}, "scenario.traffic.duty_cycle", "2"),
        ({"propagation": {"exponent": -1}}, "scenario.propagation.exponent", "-1"),
        ({"propagation": {"shadowing_db": -1}}, "scenario.propagation.shadowing_db", "-1"),
        ({"reception": {"sensitivity_dbm": "dlora"}}, "scenario.reception.sensitivity_dbm", "'dlora' is no table"),
        ({"reception": {"sensitivity_dbm": [1, 2]}}, "scenario.reception.sensitivity_dbm", "shape"),
        ({"reception": {"inter_sf": "sir_energy"}}, "scenario.reception.sir_db", "needs a matrix"),
        ({"reception": {"demodulators": 0}}, "scenario.reception.demodulators", "0"),
        ({"low_data_rate": "sometimes"}, "scenario.low_data_rate", "sometimes"),
        ({"coding_rate": 5}, "scenario.coding_rate", "5"),
        ({"energy": "solar"}, "scenario.energy", "solar"),
        ({"channel_loss_db": [1.0, 2.0]}, "scenario.channel_loss_db", "shape"),
        ({"changes": [{"at_s": -1, "values": {}}]}, "scenario.changes[0].at_s", "-1"),
        ({"changes": [{"at_s": 1, "values": {"propagation.exponant": 3}}]}, "scenario.changes", "exponant"),
        ({"changes": [{"at_s": 1, "values": {"propagation.exponent": -3}}]}, "scenario", "-3"),
        ({"changes": [{"at_s": 2, "until_s": 2, "values": {}}]}, "scenario", "until_s 2.0 is not after at_s 2.0"),
        (
            {"changes": [{"at_s": 1, "until_s": 2, "values": {"propagation.shadowing": "link"}}]},
            "scenario",
            "propagation.shadowing cannot go from 'packet' to 'link' little by little",
        ),
        (
            {"changes": [{"at_s": 1, "until_s": 2, "values": {"propagation.exponant": 3}}]},
            "scenario",
            "did you mean 'propagation.exponent'",
        ),
        ({"active": 101}, "scenario", "active: 101 of 100 nodes"),
        ({"traffic": {"confirmed": True}}, "scenario.traffic", "after_end: True"),
        ({"traffic": {"retry_s": [5, 3]}}, "scenario.traffic.retry_s", "not a least and a largest time"),
        ({"interference": {}}, "scenario.interference.occupancy", "required"),
        ({"interference": {"occupancy": [0.1, 0.2]}}, "scenario.interference.occupancy", "shape"),
        ({"interference": {"occupancy": [1, 0, 0]}}, "scenario.interference.occupancy", "1.0"),
        ({"node_network": [0, 1]}, "scenario", "only one of node_network and"),
        ({"changes": [{"at_s": 5, "values": {}}, {"at_s": 4, "values": {}}]}, "scenario", "not in order of time"),
    ],
)
def test_bad_scenarios(sections: dict, place: str, says: str) -> None:
    message = scenario_problem(**sections)
    assert re.match(rf"x\.yaml: {re.escape(place)}[:. []", message), message
    assert says in message
    assert "\n" not in message


def test_changes_that_go_little_by_little() -> None:
    changes = [
        {"at_s": 100, "until_s": 200, "steps": 4, "values": {"channel_loss_db": [4, 0, 8], "traffic.interval_s": 60}},
        {"at_s": 300, "until_s": 400, "steps": 2, "values": {"channel_loss_db": [0, 0, 0]}},
    ]
    region = {"channels_hz": [868.1e6, 868.3e6, 868.5e6]}
    values = {"learners": {"cucb": {}}, "scenario": {"region": region, "changes": changes}}
    built = config.parse(values).scenario.build().changes
    assert [change.at_s for change in built] == [125, 150, 175, 200, 350, 400]
    losses = [list(change.values["channel_loss_db"]) for change in built]
    assert losses == [[1, 0, 2], [2, 0, 4], [3, 0, 6], [4, 0, 8], [2, 0, 4], [0, 0, 0]]
    assert [change.values["traffic.interval_s"] for change in built[:4]] == [30, 40, 50, 60]


def test_networks_confirmed_traffic_and_interference() -> None:
    sections = {
        "topology": {"kind": "arrays", "node_xy_m": [[0, 100], [100, 0]], "gateway_xy_m": [[0, 0], [50, 50]]},
        "region": {"channels_hz": [868.1e6, 868.3e6, 868.5e6]},
        "node_network": [1, 0],
        "gateway_network": [0, 1],
        "traffic": {"after_end": False, "confirmed": True, "retry_s": [2.5, 4.0], "queue_frames": 2},
        "interference": {"occupancy": [0.1, 0.5, 0.0], "power_dbm": [-110, -105]},
        "changes": [{"at_s": 60, "until_s": 120, "steps": 2, "values": {"interference.occupancy": [0.3, 0.5, 0.2]}}],
    }
    scenario = config.parse({"learners": LEARNERS, "scenario": sections}).scenario.build()
    assert scenario.node_network.tolist() == [1, 0] and scenario.gateway_network.tolist() == [0, 1]
    assert scenario.traffic.confirmed and scenario.traffic.retry_s == (2.5, 4.0)
    assert scenario.interference.power_dbm == (-110.0, -105.0) and scenario.interference.burst_s == (0.25, 0.75)
    occupancies = [change.values["interference.occupancy"] for change in scenario.changes]
    np.testing.assert_allclose(occupancies, [[0.2, 0.5, 0.1], [0.3, 0.5, 0.2]])


def test_active_may_be_a_number_of_nodes() -> None:
    changes = [{"at_s": 1, "values": {"active": 100}}]
    values = {"learners": {"cucb": {}}, "scenario": {"active": 30, "changes": changes}}
    scenario = config.parse(values).scenario.build()
    np.testing.assert_array_equal(scenario.active, np.arange(100) < 30)
    assert scenario.changes[0].values["active"].all()


@pytest.mark.parametrize(
    ("name", "changes", "last_h"),
    [("inversion", 1, 1000), ("drift", 200, 1500), ("jammed", 6, 1000), ("load", 1, 500), ("joining", 1, 500)],
)
def test_scenarios_that_change(name: str, changes: int, last_h: float) -> None:
    run = config.load(CONFIGS / f"{name}.yaml")
    scenario = run.scenario.build()
    assert scenario.name == run.name == name
    assert len(scenario.changes) == changes
    assert scenario.changes[-1].at_s == last_h * 3600 < run.duration_h * 3600


def test_a_newer_schema_is_refused_before_its_keys() -> None:
    message = problem({"schema_version": 4, "holograms": True})
    assert message == "x.yaml: schema_version: 4 is newer than 3, the newest known; upgrade lora_marl"


def test_a_resolved_file_of_version_2_keeps_the_downlinks_and_limits_that_it_had(tmp_path: Path) -> None:
    """They were the same in all regions, and files did not state them."""
    stated = {
        "region": {"name": "CN470", "channels_hz": [470.1e6]},
        "feedback": "downlink",
        "traffic": {"payload_bytes": 20},
    }
    path = written(tmp_path, yaml.safe_dump({"schema_version": 2, "scenario": stated, "learners": LEARNERS}))
    run = config.load(path)
    assert isinstance(run, config.PacketRun)
    scenario = run.scenario.build()
    assert scenario.downlink == PAPERS_DOWNLINK and scenario.region.dwell_time_s is None
    assert scenario.receive_windows.channels_hz == (470.1e6, 869.525e6)


def test_learners_take_their_label_as_name() -> None:
    learners = config.parse(
        {"learners": {"cucb": {}, "mine": {"name": "pkg.mod:Cls", "parameters": {"c": 1}}}}
    ).learners
    assert [learner.name for learner in learners.values()] == ["cucb", "pkg.mod:Cls"]


def test_training_time() -> None:
    learners = {"a": {}, "b": {"episodes": 3}}
    run = config.parse({"learners": learners, "duration_h": 2, "episode_s": 400})
    assert run.training_s("a") == 7200
    assert run.training_s("b") == 1200


def test_inheritance_merges_mappings_and_replaces_the_rest(tmp_path: Path) -> None:
    written(
        tmp_path,
        "seeds: [1, 2]\nscenario: {traffic: {interval_s: 5, payload_bytes: 9}}\nlearners: {a: {}, b: {}}\n",
        "base.yaml",
    )
    path = written(
        tmp_path, "base: base.yaml\nseeds: [3]\nscenario: {traffic: {interval_s: 7}}\nlearners: {a: null, c: {}}\n"
    )
    run = config.load(path)
    assert run.seeds == (3,)
    assert run.scenario.build().traffic == Traffic(interval_s=7, payload_bytes=9)
    assert list(run.learners) == ["b", "c"]


def test_inheritance_that_leads_nowhere(tmp_path: Path) -> None:
    circle = written(tmp_path, "base: run.yaml\n")
    with pytest.raises(config.ConfigError, match=r"run\.yaml: base: inherits from itself"):
        config.load(circle)
    with pytest.raises(config.ConfigError, match=r"none\.yaml: No such file"):
        config.load(written(tmp_path, "base: none.yaml\n"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("seeds: [1\n", "line 2"),
        ("- 1\n", "is not a mapping"),
        ("", "is not a mapping"),
        ("seeds: [1]\nseeds: [2]\n", "'seeds' occurs twice"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(config.ConfigError, match=complaint) as caught:
        config.load(written(tmp_path, text))
    assert "run.yaml: " in str(caught.value)
    assert len(caught.value.problems) == 1


def test_overrides_win_and_read_like_yaml() -> None:
    overrides = [
        "seeds=[7]",
        "duration_h=1e-1",
        "scenario.low_data_rate=on",
        "scenario.propagation.exponent=3",
        "learners.cucb.parameters.c=0.5",
        "learners.random=null",
    ]
    run = config.load(CONFIGS / "dlora.yaml", overrides)
    assert run.seeds == (7,)
    assert run.duration_h == 0.1
    assert run.scenario.build().low_data_rate == "on"
    assert run.scenario.build().propagation.exponent == 3
    assert run.learners["cucb"].parameters == {
        "c": 0.5,
        "xi": 1,
        "eta": 1.8,
        "prior": 1,
        "indicator": "pm1",
        "sf_weight": "xor",
    }
    assert list(run.learners) == ["cucb", "static-sf7", "distance-quantile"]


@pytest.mark.parametrize("override", ["seeds", "=3", "seeds.x=3", "seeds=[1", "scenario.trafic.kind=poisson"])
def test_bad_overrides(override: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.load(CONFIGS / "dlora.yaml", [override])
    assert len(caught.value.problems) == 1


def test_dump_reads_back() -> None:
    for path in CONFIGS.glob("*.yaml"):
        run = config.load(path, [] if path.name.startswith("ccs") else ["scenario.reception.capture_db=.inf"])
        assert config.parse(yaml.safe_load(config.dump(run))) == run


def test_journal_fit() -> None:
    scenario = config.load(CONFIGS / "journal_fit.yaml").scenario.build()
    assert scenario.region.factor_sizes == (6, 1, 8, 7)
    assert scenario.region.channels_hz == tuple(868.1e6 + 0.2e6 * channel for channel in range(8))
    reception = scenario.reception
    assert (reception.inter_sf, reception.interferers, reception.channel_overlap) == ("db_ratio", "at_start", "lorasim")
    assert (reception.spared_preamble_symbols, reception.capture_db) == (0, 6)
    assert not reception.same_sf_needs_equal_bw
    assert not reception.lost_packets_interfere
    assert scenario.low_data_rate == "off"


def test_conference_as_run() -> None:
    run = config.load(CONFIGS / "conference_as_run.yaml", ["scenario.topology.radius_m=2500"])
    scenario = run.scenario.build()
    assert scenario.region.factor_sizes == (6, 3, 8, 7)
    assert (scenario.nodes, scenario.traffic.interval_s, scenario.traffic.payload_bytes) == (50, 4, 20)
    assert scenario.reception.sensitivities_dbm(np.array([11]), np.array([500e3])).item() == -133
    assert (run.episode_s, run.evaluation_s) == (400, 1200)
    episodes = {learner.parameters["variant"]: learner.episodes for learner in run.learners.values()}
    assert episodes == {"D": 5000, "PDR": 4000, "EE": 2000, "TH": 2000}
    assert {learner.name for learner in run.learners.values()} == {"conference-cucb"}


def test_the_main_job() -> None:
    run = config.load(CONFIGS / "dlora.yaml")
    assert list(run.learners) == ["cucb", "random", "static-sf7", "distance-quantile"]
    assert (run.seeds, run.duration_h) == ((0, 1, 2, 3, 4), 500)


def test_placements_are_enough_for_all_seeds():
    text = {"scenario": {"topology": {"placements": 3}}, "learners": {"random": {}}}
    assert config.parse({**text, "seeds": [0, 1]}).scenario.topology.placements == 3
    with pytest.raises(ValueError, match="scenario.topology.placements: 3 for 4 seeds"):
        config.parse({**text, "seeds": [0, 1, 2, 3]})


@pytest.mark.parametrize(
    ("base", "change", "message"),
    [
        (
            "ccs_two.yaml",
            "duration_h=9",
            "duration_h: has no effect in a run with a section coexistence",
        ),
        (
            "ccs_two.yaml",
            "scenario.topology.nodes=5",
            "scenario: has no effect .* are coexistence.networks",
        ),
        (
            "dlora.yaml",
            "scenario.topology={kind: arrays, node_xy_m: [[0, 0]], nodes: 5}",
            "nodes: 5; kind 'arrays'",
        ),
    ],
)
def test_what_would_have_no_effect_is_refused(base: str, change: str, message: str) -> None:
    with pytest.raises(config.ConfigError, match=message):
        config.load(Path(__file__).parents[1] / "configs" / base, [change])


SECTIONS = {"energy": {"episodes": 3}, "coexistence": {"networks": [{"learner": "pg"}]}}


@pytest.mark.parametrize(
    ("section", "kind"),
    [(None, config.PacketRun), ("energy", config.EnergyRun), ("coexistence", config.CoexistenceRun)],
)
def test_the_section_tells_the_kind_of_run(section: str | None, kind: type) -> None:
    run = config.parse({"learners": LEARNERS} | ({section: SECTIONS[section]} if section else {}))
    assert type(run) is kind
    assert config.parse(yaml.safe_load(config.dump(run))) == run


@pytest.mark.parametrize(
    ("section", "field", "value", "instead"),
    [
        ("energy", "duration_h", 9, "its length is energy.episodes"),
        ("energy", "episode_s", 400, "its length is energy.episodes"),
        ("coexistence", "interval_h", 10.0, "its length is coexistence.intervals"),
        ("coexistence", "scenario", {}, "its networks are coexistence.networks"),
        ("coexistence", "environment", {"name": "uplink_v0"}, "its rewards are coexistence.reward"),
    ],
)
def test_a_field_of_another_kind_of_run_names_what_does_its_job(
    section: str, field: str, value: object, instead: str
) -> None:
    message = problem({section: SECTIONS[section], field: value})
    assert message == f"x.yaml: {field}: has no effect in a run with a section {section}; {instead}"


def test_a_section_or_a_field_without_a_value_says_nothing() -> None:
    run = config.parse({"learners": LEARNERS, "energy": SECTIONS["energy"], "coexistence": None, "episode_s": None})
    assert isinstance(run, config.EnergyRun)


def test_another_kind_of_run_does_not_inherit_the_hours_of_its_base(tmp_path: Path) -> None:
    written(tmp_path, "duration_h: 9\nscenario: {topology: {nodes: 7}}\nlearners: {random: {}}\n", "base.yaml")
    run = config.load(written(tmp_path, "base: base.yaml\nenergy: {episodes: 3}\n"))
    assert isinstance(run, config.EnergyRun) and run.scenario.topology.nodes == 7
    with pytest.raises(config.ConfigError, match="duration_h: has no effect in a run with a section energy"):
        config.load(written(tmp_path, "base: base.yaml\nenergy: {episodes: 3}\nduration_h: 9\n"))


def test_learners_of_coexisting_networks_have_no_episodes() -> None:
    message = problem({"coexistence": SECTIONS["coexistence"], "learners": {"ccs": {"episodes": 3}}})
    assert message.startswith("x.yaml: learners.ccs.episodes: has no effect in a run with a section coexistence; ")


def test_learners_of_the_closed_form_have_episodes() -> None:
    run = config.parse({"energy": SECTIONS["energy"], "learners": {"maac": {"episodes": 7}}})
    assert run.learners["maac"].episodes == 7


@pytest.mark.parametrize("section", [None, *SECTIONS])
def test_a_resolved_file_of_version_1_is_upgraded(section: str | None, tmp_path: Path) -> None:
    """It states the fields of all kinds of runs, as `config.yaml` in the folders of older runs does."""
    kinds = [
        config.parse({"learners": LEARNERS, **({name: SECTIONS[name]} if name else {})}) for name in (None, section)
    ]
    every, run = (yaml.safe_load(config.dump(kind)) for kind in kinds)
    resolved = {"energy": None, "coexistence": None, "environment": None, **every, **run, "schema_version": 1}
    path = written(tmp_path, yaml.safe_dump(resolved))
    assert config.load(path) == kinds[1]
    assert config.load(path).schema_version == config.SCHEMA_VERSION
    if section is not None:
        with pytest.raises(config.ConfigError, match="duration_h: has no effect"):
            config.load(path, ["duration_h=3"])


@pytest.mark.parametrize(
    ("networks", "says"),
    [
        ([], "coexistence.networks: needs at least 1, has 0"),
        ([{"lerner": "pg"}], "coexistence.networks[0].lerner: unknown key; did you mean 'learner'?"),
        ([{"learner": "uniform"}, {"learner": "adr"}], "networks: of learners uniform, adr none learns"),
    ],
)
def test_networks_that_cannot_be_are_said_to_be_so_once(networks: list[dict[str, str]], says: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse({"coexistence": {"networks": networks}, "learners": {"independent": {}}})
    (problem,) = caught.value.problems
    assert says in problem


@pytest.mark.parametrize(
    ("field", "default", "value"),
    [
        ("duration_h", 500, 9),
        ("episode_s", None, 400),
        ("scenario", {"traffic": {}}, {"topology": {"nodes": 5}}),
        ("environment", None, {"name": "uplink_v0"}),
    ],
)
def test_version_1_refused_what_had_no_effect_beside_coexistence(field: str, default: object, value: object) -> None:
    """Its resolved files state the defaults of these fields; another value is a mistake of whoever wrote it."""
    stated = {"schema_version": 1, "coexistence": SECTIONS["coexistence"], "learners": {"ccs": {}}}
    assert isinstance(config.parse({**stated, field: default}), config.CoexistenceRun)
    with pytest.raises(config.ConfigError, match=f"{field}: has no effect in a run with a section coexistence"):
        config.parse({**stated, field: value})


def test_version_1_ignored_the_hours_of_a_run_on_the_closed_form() -> None:
    run = config.parse({"schema_version": 1, "energy": SECTIONS["energy"], "learners": LEARNERS, "duration_h": 9})
    assert isinstance(run, config.EnergyRun)


def test_former_names_warn_in_the_name_of_the_caller(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "learners: {independent: {}, mine: {name: 'scripts.policy:ExportedPolicy'}}\n"
        "coexistence: {networks: [{learner: pg}]}\n",
    )
    for read in (lambda: config.load(path), lambda: config.parse(yaml.safe_load(path.read_text()))):
        with pytest.warns(DeprecationWarning, match="the old name is removed in 0.2.0") as caught:
            read()
        assert [warning.filename for warning in caught] == [__file__] * 2


def test_the_former_path_of_an_exported_policy_is_accepted_with_a_warning():
    learners = {"mine": {"name": "scripts.policy:ExportedPolicy", "parameters": {"path": "somewhere"}}}
    with pytest.warns(DeprecationWarning, match=r"scripts\.policy:ExportedPolicy is now scripts\.runs\.policy"):
        run = config.parse({"learners": learners})
    assert run.learners["mine"].name == "scripts.runs.policy:ExportedPolicy"


def test_a_report_that_begins_within_an_interval_says_what_it_will_be() -> None:
    with pytest.warns(
        UserWarning, match="report_last_h: 24 h begin within an interval of 10 h .*the last 30 h are rep"
    ):
        config.parse({"learners": LEARNERS, "duration_h": 100, "interval_h": 10, "report_last_h": 24})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config.parse({"learners": LEARNERS, "duration_h": 100, "interval_h": 10, "report_last_h": 20})
        config.parse({"learners": LEARNERS, "duration_h": 0.5, "interval_h": 0.05, "report_last_h": 0.1})
        config.parse({"learners": LEARNERS, "duration_h": 20, "interval_h": 10, "report_last_h": 24})
