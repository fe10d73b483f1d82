"""Runs of coexisting networks by the scripts, as a user starts them."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.coexistence.ledger import Ledger
from agents.coexistence.rollout import Rollout
from agents.lns.network import last_layer_of
from lora_marl.config import CoexistenceConfig, CoexistenceRun, ConfigError, load
from scripts import evaluate, train, train_ccs
from scripts.runs.coexistence.rollouts import Rollouts
from scripts.runs.coexistence.run import CoexistenceRunType
from scripts.runs.coexistence.strategies import new_rollout
from scripts.runs.jobs import Job, digest
from scripts.runs.progress import counting
from scripts.service_training import pipeline
from scripts.service_training.pipeline import Pass, ServiceTraining

ROOT = Path(__file__).parents[3]
SMALL = [
    *("--set", "name=small", "seeds=[3,4]", "coexistence.intervals=12"),
    "coexistence.networks=[{learner: pg, nodes: 8}, {learner: uniform, nodes: 5}, {learner: dqn, nodes: 8}]",
]


@pytest.fixture
def call(invoke: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    def run(*more: str) -> Any:
        config = str(ROOT / "configs" / "ccs_two.yaml")
        return invoke(train.app, "--config", config, "--runs", str(tmp_path), *SMALL, *more)

    return run


def small(**others: Any) -> CoexistenceRun:
    networks = [{"learner": "pg", "nodes": 8}, {"learner": "dqn", "nodes": 8}]
    section = {"preset": "ccs_study", "networks": networks, "intervals": 12} | others
    learners = {"independent": {"name": "coexistence-independent"}, "ccs": {}, "hopping": {}}
    return CoexistenceRun.model_validate({"seeds": [3, 4], "learners": learners, "coexistence": section})


def played(config: CoexistenceRun, label: str) -> list[Ledger]:
    return new_rollout(config, label).run()


def test_results_of_direct_depend_on_the_code_of_its_stored_worlds() -> None:
    source = Path(inspect.getfile(Rollouts)).resolve()
    assert any(source.is_relative_to(folder) for folder in CoexistenceRunType(small()).code("direct"))


def test_a_run_leaves_everything_and_is_judged_again(call: Any, invoke: Any, tmp_path: Path) -> None:
    result = call("--json", str(tmp_path / "all.json"))
    assert result.exit_code == 0, result.output
    for name in ("curves.png", "channels.png", "ccs.npz", "3/ccs/metrics.csv", "4/hopping/metrics.csv"):
        assert (tmp_path / "small" / name).stat().st_size > 0
    found = json.loads((tmp_path / "all.json").read_text())
    prr = {record["learner"]: record["mean"] for record in found if record["metric"] == "prr"}
    assert set(prr) == set(load(ROOT / "configs" / "ccs_two.yaml").learners)
    assert all(0.3 < value < 1.0 for value in prr.values())
    again = invoke(evaluate.app, str(tmp_path / "small"), "--json", str(tmp_path / "again.json"))
    assert again.exit_code == 0, again.output
    judged = json.loads((tmp_path / "again.json").read_text())
    assert {record["learner"]: record["mean"] for record in judged if record["metric"] == "prr"} == prr
    assert call().exit_code == 2
    assert call("--resume").exit_code == 0


def test_seeds_are_played_the_same_alone_and_in_company() -> None:
    both, one = small(), small().model_copy(update={"seeds": (4,)})
    for label in ("independent", "ccs"):
        assert np.array_equal(played(both, label)[1].sums, played(one, label)[0].sums)


def test_strategies_meet_the_same_air() -> None:
    plays = [new_rollout(small(), label) for label in ("independent", "hopping")]
    for _ in range(3):
        for play in plays:
            play.step()
    one, other = (play.env.game.air for play in plays)
    assert one.seeds == other.seeds
    for name in ("node_xy_m", "path_loss_db", "traffic.interval_s", "interference.occupancy"):
        assert np.array_equal(*(attrgetter(name)(air.scenario) for air in (one, other)))
    assert np.array_equal(one.link_gain_db, other.link_gain_db)


@pytest.mark.parametrize("parameters", [{"congestion": None}, {}])
def test_the_service_participating_where_it_is_needed(parameters: dict[str, Any]) -> None:
    """By default networks that report a PRR of .76 or more in every round are left alone, and only those."""
    config = small(vendor=5, intervals=20, networks=2 * [{"learner": "pg", "nodes": 12}])
    config.learners["ccs"].parameters.update(parameters)
    independent, coordinated = (played(config, label) for label in ("independent", "ccs"))
    one, other = (np.stack([ledger.sums for ledger in ledgers]) for ledgers in (independent, coordinated))
    assert np.array_equal(one[:, :5], other[:, :5])
    attempts, received = (one[..., k].reshape(len(one), 4, 5, 2).sum(2)[:, :3] for k in (0, 1))
    well = (received >= 0.76 * attempts).all((1, 2))
    assert well.tolist() == [False, True]
    alone = [np.array_equal(mine, its) for mine, its in zip(one, other, strict=True)]
    assert alone == (well.tolist() if not parameters else [False, False])


def rounds_of(
    monkeypatch: pytest.MonkeyPatch, networks: int, **parameters: Any
) -> tuple[Rollout, list[tuple[int, int]]]:
    """A play of equal networks under the service, and who was given something after which interval."""
    config = small(vendor=5, intervals=20, networks=networks * [{"learner": "pg", "nodes": 8}])
    config.learners["ccs"].parameters.update({"congestion": None, "floor": False} | parameters)
    play, given = new_rollout(config, "ccs"), []
    add = play.strategy.residuals.add  # type: ignore[attr-defined]

    def noted(delta: np.ndarray) -> None:
        given.extend((play.done, int(place)) for place in np.flatnonzero(delta.any(axis=(0, 2, 3))))
        add(delta)

    monkeypatch.setattr(play.strategy.residuals, "add", noted)  # type: ignore[attr-defined]
    return play, given


def test_some_of_the_networks_take_part_in_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    play, _ = rounds_of(monkeypatch, 4, participation=0.5)
    play.strategy._fade = 0.0  # type: ignore[attr-defined]
    before = play.strategy.residuals.total.copy()  # type: ignore[attr-defined]
    while not play.finished:
        play.step()
        now = play.strategy.residuals.total  # type: ignore[attr-defined]
        changed = (now != before).any(axis=(-1, -2)).sum(axis=-1)
        assert changed.tolist() == ([2, 2] if play.done % 5 == 0 and play.done > 5 else [0, 0]) or play.done == 5
        before = now.copy()


def test_a_residual_that_does_harm_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    play, given = rounds_of(monkeypatch, 2, accept=True)
    play.strategy._acceptance.margin = -1.0  # type: ignore[attr-defined]  # nothing is good enough
    while play.done < 10:
        play.step()
    assert play.strategy._acceptance.rejected == play.strategy._acceptance.tried > 0  # type: ignore[attr-defined]
    assert [done for done, _ in given] == [5, 5, 10, 10, 10, 10]


def test_trials_are_judged_however_short_the_rounds_are(monkeypatch: pytest.MonkeyPatch) -> None:
    play, _ = rounds_of(monkeypatch, 2, accept=True, every=2)
    while not play.finished:
        play.step()
    assert play.strategy._acceptance.tried > 4  # type: ignore[attr-defined]


@pytest.mark.parametrize("every", [0, -1, 2.5])
def test_intervals_between_rounds_are_whole(every: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=rf"learners.ccs: every: {every} is no whole number of intervals from 1"):
        rounds_of(monkeypatch, 2, every=every)


def test_what_servers_hold_fades_round_by_round_and_what_they_learn_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    play, given = rounds_of(monkeypatch, 2)
    strategy: Any = play.strategy
    while play.done < 5:
        play.step()
    held, learnt = strategy.residuals.total.copy(), _last_layers(strategy) - strategy.residuals.total
    assert held.any()
    monkeypatch.setattr(strategy, "_participating", lambda replica: np.zeros(2, np.bool_))  # nobody reports any more
    strategy._round(1, play.done * strategy.episode.interval_s)
    np.testing.assert_allclose(strategy.residuals.total, (1.0 - strategy._fade) * held, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(_last_layers(strategy) - strategy.residuals.total, learnt, atol=1e-6)
    assert 0.0 < strategy._fade < 1.0


def test_a_residual_that_grows_beyond_all_bounds_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    play, _ = rounds_of(monkeypatch, 2)
    held, before = play.strategy.residuals, _last_layers(play.strategy)  # type: ignore[attr-defined]
    delta = np.zeros_like(held.total)
    delta[:, 0], delta[:, 1] = 400.0, 1.0
    held.take(delta, clip=math.inf)
    taken = held.take(delta, clip=math.inf)
    assert not taken[:, 0].any() and np.array_equal(taken[:, 1], delta[:, 1])
    np.testing.assert_allclose(_last_layers(play.strategy) - before, held.total, atol=1e-4)
    held.take(np.full_like(delta, np.nan))
    assert np.isfinite(held.total).all()


def test_servers_clip_residuals_by_their_own_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    play, _ = rounds_of(monkeypatch, 2)
    largest = 0.25 * np.linalg.norm(_last_layers(play.strategy), axis=(-2, -1))
    taken = play.strategy.residuals.take(np.ones_like(play.strategy.residuals.total), clip=0.25)  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.linalg.norm(taken, axis=(-2, -1)), largest, rtol=1e-5)


def _last_layers(strategy: Any) -> np.ndarray:
    ((servers, _),) = strategy.team.learners
    return last_layer_of(servers.parameters(), servers.schema)


def test_a_network_that_loses_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    play, _ = rounds_of(monkeypatch, 2, floor=True)
    floor = play.strategy._floor  # type: ignore[attr-defined]
    floor.intervals, floor.loss = 3, -1.0  # whoever does not double its record has lost
    floor._independent, floor._coordinated = floor._independent[:3], floor._coordinated[:3]
    while play.done < 8:
        play.step()
    assert not play.strategy.residuals.total.any()  # type: ignore[attr-defined]
    assert not floor.allowed.any()


def test_what_is_wrong_is_said_before_anything_is_played(call: Any) -> None:
    result = call("learners.ccs.parameters={every: 5, clips: 1}")
    assert result.exit_code == 2 and "learners.ccs" in result.output and "clips" in result.output
    result = call("learners.guess={}")
    assert result.exit_code == 2 and "no strategy of coexisting networks" in result.output
    result = call("coexistence.vendor=99")
    assert result.exit_code == 2 and "-99.safetensors" in result.output
    with pytest.raises(ValueError, match="ccs_eu868"):
        CoexistenceConfig(preset="ccs_study", acknowledgements="downlink").build()


def test_networks_are_lawful_unless_a_run_says_otherwise() -> None:
    assert CoexistenceConfig().build().radio.feedback == "downlink"
    assert CoexistenceConfig(acknowledgements="free").build().radio.feedback == "free"
    assert CoexistenceConfig(preset="ccs_study").build().radio.feedback == "free"
    assert CoexistenceConfig(traffic="periodic").build().radio.traffic.kind == "periodic"


def test_a_cell_depends_on_what_is_played() -> None:
    one, other = small(), small(load=2.0)
    assert digest(Job(one, "ccs"), 3) == digest(Job(small(), "ccs"), 3)
    assert digest(Job(one, "ccs"), 3) != digest(Job(other, "ccs"), 3)


def test_rows_are_the_measures_of_one_interval() -> None:
    config = small(networks=[{"learner": "pg", "nodes": 8}, {"learner": "uniform", "nodes": 5}])
    play = new_rollout(config, "independent")
    rows = play.step()
    for row, ledger in zip(rows, play.ledgers.by_replica(), strict=True):
        for name in ("prr", "epn_mj", "atp", "pdr", "delay_s", "return", "acknowledged", "overlap", "jain"):
            assert row[name] == pytest.approx(ledger.measures()[name])
        for s in range(2):
            assert row[f"prr_{s}"] == pytest.approx(ledger.measures([s])["prr"])
        assert row["return"] == pytest.approx(ledger.measures([0])["return"])
        assert np.isnan(ledger.measures([1])["return"])


def test_gateways_answer_as_long_as_they_may() -> None:
    """EU868's 1 % in each of the two sub-bands of RX1's channels, and 10 % in RX2's."""
    networks = [{"learner": "pg", "nodes": 400}] * 2
    eu868 = {"preset": "ccs_eu868", "networks": networks, "load": 4.0}
    downlink, free = (
        played(small(acknowledgements=mode, **eu868), "hopping")[0].measures() for mode in ("downlink", "free")
    )
    assert 0.01 < downlink["downlinks"] < 0.12
    assert downlink["acknowledged"] < 0.6 * downlink["prr"]
    assert downlink["atp"] > 1.5 * free["atp"]
    assert free["downlinks"] == 0.0 and free["acknowledged"] == free["prr"]


PASSES = (Pass(2, 10, (2, 5, 8, 10), 6, 2e-3), Pass(1, 10, (10,), 4, 1e-3))


class Stop(Exception):
    """Stands for a killed process."""


@contextmanager
def killed_in_training(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    def advance(done: int) -> None:
        if what == "training, pass 0" and done == 5:
            raise Stop

    yield advance


def training_in(folder: Path, **others: Any) -> ServiceTraining:
    settings: dict[str, Any] = {"vendors": 1, "seen": 1, "intervals": 3, "passes": PASSES} | others
    return ServiceTraining(folder, folder / "work", **settings)


def test_a_killed_making_of_a_service_goes_on_to_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "STATE_EVERY", 2)
    training_in(tmp_path / "whole").run(counting)
    with pytest.raises(Stop):
        training_in(tmp_path / "cut").run(killed_in_training)
    assert (tmp_path / "cut" / "work" / "training-0.safetensors").exists()
    training_in(tmp_path / "cut").run(counting)
    for name in ("service", "pg-0", "dqn-0"):
        files = [tmp_path / folder / f"{name}.safetensors" for folder in ("whole", "cut")]
        assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(ValueError, match="was begun with seed = 0, not 1"):
        training_in(tmp_path / "cut", seed=1).run(counting)


def test_more_vendors_seen_than_there_are(invoke: Any, tmp_path: Path) -> None:
    result = invoke(train_ccs.app, "--out", str(tmp_path), "--vendors", "2", "--seen", "3")
    assert result.exit_code == 2 and "--seen" in result.output


def test_a_cell_depends_on_the_weights_that_it_begins_with(tmp_path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "pg-5.safetensors").write_bytes(bytes([number]))
    first, second = (digest(Job(small(vendors=str(folder)), "ccs"), 3) for folder in folders)
    assert first != second
