"""Files as people have them: nodes, gateways and path losses."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml

from lora_marl import config
from lora_marl.config.links import WithoutLink
from lora_marl.config.tabular import IgnoredColumns
from lora_marl.config.topology import Sites

NODES = "id,x_m,y_m\na,1,2\nb,3,4\n"
GATEWAYS = "id,x_m,y_m\neast,0,0\nwest,-50,0\n"


def scenario(folder: Path, nodes: str | bytes = NODES, **sections: object) -> config.ScenarioConfig:
    for name, content in {"nodes.csv": nodes, **{k: v for k, v in sections.items() if k.endswith(".csv")}}.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else str(content).encode())
    topology = {"kind": "csv", "nodes_csv": "nodes.csv"}
    if "gateways.csv" in sections:
        topology["gateways_csv"] = "gateways.csv"
    topology |= dict(sections.get("topology", {}))  # type: ignore[call-overload]
    others = {k: v for k, v in sections.items() if not k.endswith(".csv") and k != "topology"}
    values = {"learners": {"random": {}}, "scenario": {"topology": topology, **others}}
    run = config.parse(values, source="x.yaml", folder=folder)
    assert isinstance(run, config.PacketRun)
    return run.scenario


def sites(folder: Path, nodes: str | bytes, **sections: object) -> Sites:
    return scenario(folder, nodes, **sections).topology.build()


@pytest.mark.parametrize(
    "content",
    [
        b"x_m,y_m\n1.5,2\n-3,4\n",
        b"\xef\xbb\xbfx_m,y_m\r\n1.5,2\r\n-3,4\r\n",
        "x_m,y_m\n1.5,2\n-3,4\n".encode("utf-16"),
        b"\xfe\xff" + "x_m;y_m\n1,5;2\n-3;4\n".encode("utf-16-be"),
        b"x_m;y_m\n1,5;2\n-3;4\n",
        b"x_m;y_m\n1.5;2\n-3;4\n",
        b"x_m\ty_m\n1,5\t2\n-3\t4\n",
        b"sep=;\nx_m;y_m\n1,5;2\n-3;4\n",
        b"x_m,y_m\n1.5,2\n\n-3,4\n,\n ,\n",
        b"X_M, Y_m\n 1.5 , 2\n-3, 4",
        b'"x_m","y_m"\n"1.5","2"\n"-3","4"\n',
        b"x_m,y_m,\n1.5,2,\n-3,4,\n",
        b"\nx_m,y_m\n1.5,2\n-3,4\n",
        b"x_m;y_m\r1,5;2\r-3;4\r",
        b"# our nodes, as surveyed\n\n# x; y\nx_m;y_m\n1,5;2\n# moved:\n-3;4\n",
    ],
)
def test_the_same_table_in_many_dialects(tmp_path: Path, content: bytes) -> None:
    assert sites(tmp_path, content).node_xy_m.tolist() == [[1.5, 2], [-3, 4]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"x_m,y_m,x_m\n1,2,3\n", "the column 'x_m' occurs twice; remove or rename one"),
        (b"x_m,y_m,X_M,id,ID\n1,2,3,4,5\n", "the column 'id', 'x_m' occurs twice"),
        (b"x_m;y_m\n1,5;2.5\n1.5;2\n", "column 'x_m': has decimal points and decimal commas; keep to one"),
        (b"1,2\n3,4\n", "has no header; the first row must name the columns, not hold 1, 2"),
        (b"x_m,y_m\n1,2,3\n", "line 2: 3 values for 2 columns"),
        (b"x_m,y_m\n1,2\n\n3,\n", "line 4: y_m: '' is not a finite number"),
        (b"x_m,y_m,lat,lon\n1,2,3,4\n", "has positions in metres and in degrees"),
        (b"x_m,y_m,intreval_s\n1,2,60\n", "unknown column 'intreval_s'; did you mean 'interval_s'"),
        (b"x_m,y_m,interval_min\n1,2,60\n", "unknown column 'interval_min'; did you mean 'interval_s', in s"),
        (b"x_km,y_km\n1,2\n", "unknown column 'x_km'; did you mean 'x_m', in m"),
        (b"x,y\n1,2\n", "the column 'x_m' is required .or lat and lon, in degrees.; found: x, y"),
        (b"id,x_m,y_m\na,1,2\na,3,4\n", "column 'id': 'a' occurs twice"),
        (b"id,x_m,y_m\na,1,2\n,3,4\n", "column 'id': is empty in a row"),
        (b"\x00\x01\x02", "is not a text file"),
        ("x_m,y_m\n1,2\n".encode("utf-16-le"), "is not a text file"),
        (b"x_m,y_m,interval_s\n1,2,3 km\n", "line 2: interval_s: '3 km' is not in a unit of this field"),
        (b'x_m,y_m\n"1,2\n', "line"),
        (b"# x_m,y_m\n1,2\n3,4\n", "has no header; the first row must name the columns, not hold 1, 2"),
        (b"x_m,y_m\n500000,5300000\n", "no node is nearer than 5324 km to a gateway"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        scenario(tmp_path, content)
    (line,) = caught.value.problems
    assert line.startswith("x.yaml: scenario.topology.nodes_csv: ")
    assert re.search(complaint, line), line


def test_a_missing_file_says_from_where_its_path_counts(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match=r"nodes_csv: .*/elsewhere\.csv: No such file.*configuration's folder"):
        scenario(tmp_path, topology={"nodes_csv": "elsewhere.csv"})
    with pytest.raises(config.ConfigError, match="is not a regular file"):
        scenario(tmp_path, topology={"nodes_csv": "/dev/zero"})


def test_other_columns_are_ignored_with_one_line(tmp_path: Path) -> None:
    with pytest.warns(IgnoredColumns, match=r"nodes\.csv: ignored columns: altitude_m, comment$"):
        scenario(tmp_path, "id,x_m,altitude_m,y_m,comment\na,1,500,2,\nb,3,510,4,new\n")


def test_ids_are_kept(tmp_path: Path) -> None:
    built = sites(tmp_path, NODES, **{"gateways.csv": GATEWAYS})
    assert (built.node_ids, built.gateway_ids) == (("a", "b"), ("east", "west"))
    assert sites(tmp_path, "name,x_m,y_m\nu,1,2\nv,3,4\n").node_ids == ("u", "v")
    with pytest.warns(IgnoredColumns, match="ignored columns: name"):
        unnamed = sites(tmp_path, "name,x_m,y_m\nu,1,2\nu,3,4\n")
    assert unnamed.node_ids == () and unnamed.node_names == ("0", "1")
    assert sites(tmp_path, "id;x_m;y_m\nB\xfcro;1;2\n".encode("cp1252")).node_ids == ("B\xfcro",)


def test_values_of_files_may_have_units(tmp_path: Path) -> None:
    built = sites(tmp_path, "x_m,y_m,interval_s,payload_bytes\n1km,2,10min,20\n3,4,60,20 B\n")
    assert built.node_xy_m.tolist() == [[1000, 2], [3, 4]]
    assert built.traffic["interval_s"].tolist() == [600, 60]


DEGREES = "id,lat,lon\na,48.1374,11.5755\nb,48.1474,11.5855\n"


def test_latitude_and_longitude_are_projected_around_the_gateways(tmp_path: Path) -> None:
    gateways = "latitude;lng\n48,1374;11,5755\n48,1574;11,5755\n"
    built = sites(tmp_path, DEGREES, **{"gateways.csv": gateways})
    np.testing.assert_allclose(built.gateway_xy_m, [[0, -1112.1], [0, 1112.1]], atol=0.2)
    np.testing.assert_allclose(built.node_xy_m, [[0, -1112.1], [744.3, 0]], atol=0.3)
    listed = sites(tmp_path, DEGREES, topology={"gateway_lat_lon": [[48.1374, 11.5755], [48.1574, 11.5755]]})
    np.testing.assert_array_equal(listed.gateway_xy_m, built.gateway_xy_m)


def test_places_on_both_sides_of_180_degrees_lie_side_by_side(tmp_path: Path) -> None:
    fiji = {"gateways.csv": "lat,lon\n-16.8,179.9\n-16.8,-179.9\n"}
    built = sites(tmp_path, "lat,lon\n-16.8,179.99\n-16.8,-179.99\n", **fiji)
    np.testing.assert_allclose(built.gateway_xy_m, [[-10_660, 0], [10_660, 0]], atol=10)
    np.testing.assert_allclose(built.node_xy_m, [[-1066, 0], [1066, 0]], atol=10)
    pole = {"gateways.csv": "lat,lon\n89.99,-120\n89.99,0\n89.99,120\n"}
    around = sites(tmp_path, "lat,lon\n90,0\n", **pole)
    apart_m = np.hypot(*(around.gateway_xy_m - around.node_xy_m).T)
    np.testing.assert_allclose(apart_m, 1117, atol=1)


def test_degrees_beside_metres_need_an_origin(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match=r"origin_lat_lon: is required, since nodes are in degrees"):
        scenario(tmp_path, DEGREES)
    built = sites(tmp_path, DEGREES, topology={"origin_lat_lon": [48.1374, 11.5755]})
    np.testing.assert_allclose(built.node_xy_m, [[0, 0], [744.2, 1112.1]], atol=0.3)
    with pytest.raises(config.ConfigError, match=r"line 3: \[95.0, 11.5\] is not a latitude"):
        scenario(tmp_path, "lat,lon\n48,11\n95,11.5\n", topology={"origin_lat_lon": [48, 11]})


def test_nodes_that_are_placed_stand_around_gateways_in_degrees() -> None:
    topology = {"kind": "uniform_disc", "nodes": 5, "gateway_lat_lon": [[48.0, 11.0], [48.02, 11.0]]}
    built = config.ScenarioConfig(topology=topology).build()  # type: ignore[arg-type]
    np.testing.assert_allclose(built.gateway_xy_m, [[0, -1112], [0, 1112]], atol=1)
    with pytest.raises(ValueError, match="origin_lat_lon: .* no position is in degrees"):
        config.ScenarioConfig(topology={"origin_lat_lon": [48.0, 11.0]})  # type: ignore[arg-type]


LOSSES = [[100.0, np.inf], [120.5, 90.0]]


@pytest.mark.parametrize(
    "losses",
    [
        "node,gateway,loss_db\na,east,100\nb,east,120.5\nb,west,90\n",
        "gateway;node;path_loss_db\nEAST;A;100\nwest;a;\neast;b;120,5\nwest;b;90\n",
        "node,east,west\na,100,\nb,120.5,90\n",
        "id,west,east\nb,90,120.5\na,,100\n",
        "east,west\n100,\n120.5,90\n",
    ],
)
def test_path_losses_as_matrix_and_as_list(tmp_path: Path, losses: str) -> None:
    built = scenario(tmp_path, **{"gateways.csv": GATEWAYS, "losses.csv": losses}, path_loss_csv="losses.csv").build()
    np.testing.assert_array_equal(built.path_loss_db, LOSSES)
    assert built.mean_gain_db().tolist() == [[-100.0, -400.0], [-120.5, -90.0]]


def test_ids_that_differ_in_case_alone_are_told_apart(tmp_path: Path) -> None:
    nodes, losses = "id,x_m,y_m\n#ab,1,2\n#AB,3,4\n", "node,gateway,loss_db\n#AB,east,100\n#ab,East,90\n"
    files = {"gateways.csv": GATEWAYS.splitlines()[0] + "\neast,0,0\n", "losses.csv": losses}
    assert scenario(tmp_path, nodes, **files, path_loss_csv="losses.csv").build().path_loss_db.tolist() == [[90], [100]]
    files["losses.csv"] = losses.replace("#ab", "#Ab")
    with pytest.raises(config.ConfigError, match="line 3: '#Ab' is no node"):
        scenario(tmp_path, nodes, **files, path_loss_csv="losses.csv")


@pytest.mark.parametrize("losses", ["0\n100\n120\n", "node;0\n0;100\n1;120\n", "node,gateway_0\n1,120\n0,100\n"])
def test_the_columns_of_a_matrix_may_be_numbers_of_gateways(tmp_path: Path, losses: str) -> None:
    built = scenario(tmp_path, "x_m,y_m\n1,2\n3,4\n", **{"losses.csv": losses}, path_loss_csv="losses.csv").build()
    assert built.path_loss_db.tolist() == [[100.0], [120.0]]
    with pytest.raises(config.ConfigError, match="has no header; the first row must name the columns, not hold 100"):
        scenario(tmp_path, "x_m,y_m\n1,2\n", **{"losses.csv": "100\n120\n"}, path_loss_csv="losses.csv")


@pytest.mark.parametrize("name", ["0", "node_0"])
def test_without_ids_nodes_and_gateways_go_by_their_numbers(tmp_path: Path, name: str) -> None:
    nodes = "x_m,y_m\n1,2\n3,4\n"
    losses = f"node,gateway,loss_db\n{name},0,100\n1,gateway_0,120\n"
    built = scenario(tmp_path, nodes, **{"losses.csv": losses}, path_loss_csv="losses.csv").build()
    assert built.path_loss_db.tolist() == [[100.0], [120.0]]


@pytest.mark.parametrize(
    ("losses", "complaint"),
    [
        ("node,gateway,loss_db\nc,east,100\n", "line 2: 'c' is no node; known: a, b"),
        ("node,gateway,loss_db\na,eas,100\n", "line 2: 'eas' is no gateway; did you mean 'east'"),
        ("node,gateway,loss_db\na,east,100\na,east,101\n", "line 3: a and east occur twice"),
        ("node,gateway,rssi\na,east,100\n", "the column 'loss_db' is required; found: node, gateway, rssi"),
        ("node,gateway,loss_db\na,east,-100\n", r"\[0, 0\]: -100 is not within 0 to 400 dB"),
        ("node,gateway,loss_db\na,east,much\n", "line 2: loss_db: 'much' is not a finite number"),
        ("east,west\n100,100\n", "1 rows for 2 nodes"),
        ("node,east,south\na,1,2\n", "column 'south': 'south' is no gateway"),
        ("node,east\na,1\na,2\n", "column 'node': a node occurs twice"),
    ],
)
def test_what_is_wrong_in_a_file_of_losses_is_named(tmp_path: Path, losses: str, complaint: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        scenario(tmp_path, **{"gateways.csv": GATEWAYS, "losses.csv": losses}, path_loss_csv="losses.csv")
    (line,) = caught.value.problems
    assert line.startswith("x.yaml: scenario.path_loss_csv: ") and "losses.csv" in line
    assert re.search(complaint, line), line


def test_nodes_that_nobody_hears_are_named(tmp_path: Path) -> None:
    losses = "node,gateway,loss_db\na,east,100\n"
    files = {"gateways.csv": GATEWAYS, "losses.csv": losses}
    with (
        pytest.warns(WithoutLink, match="1 nodes without any link: b"),
        pytest.warns(WithoutLink, match="1 gateways without any link: west"),
    ):
        scenario(tmp_path, **files, path_loss_csv="losses.csv")


def test_losses_are_stated_once(tmp_path: Path) -> None:
    losses = {"losses.csv": "east,west\n100,\n120.5,90\n", "gateways.csv": GATEWAYS}
    with pytest.raises(config.ConfigError, match="path_loss_csv: path_loss_db is given, too"):
        scenario(tmp_path, **losses, path_loss_csv="losses.csv", path_loss_db=[[100, 100], [100, 100]])


def test_paths_of_a_base_count_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "nodes.csv").write_text(NODES)
    base = "scenario: {topology: {kind: csv, nodes_csv: nodes.csv}}\nlearners: {random: {}}\n"
    (tmp_path / "sites" / "base.yaml").write_text(base)
    (tmp_path / "heir.yaml").write_text("base: sites/base.yaml\nseeds: [3]\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error", IgnoredColumns)
        run = config.load(tmp_path / "heir.yaml")
    assert isinstance(run, config.PacketRun)
    assert run.scenario.files == [tmp_path / "sites" / "nodes.csv"]
    assert config.parse(yaml.safe_load(config.dump(run)), folder="/elsewhere") == run
