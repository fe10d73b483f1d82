"""Rollouts of coexisting networks that go on from a state give the numbers of an uninterrupted one, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.coexistence.rollout import Rollout
from lora_marl.config import CoexistenceRun
from scripts import train
from scripts.runs import checkpoints
from scripts.runs.coexistence.strategies import new_rollout

ROOT = Path(__file__).parents[3]
SERVICE = {"congestion": None, "every": 2}
LABELS: dict[str, tuple[str, dict[str, Any]]] = {
    "independent": ("coexistence-independent", {}),
    "averaging": ("averaging", {"every": 3}),
    "floor, trials and few participants": ("ccs", SERVICE | {"floor": True, "accept": True, "participation": 0.5}),
    "private": ("ccs", SERVICE | {"privacy": {"epsilon": 100.0}}),
    "late reports": ("ccs", SERVICE | {"delay_rounds": 2, "noise": 0.1, "encoding": "int8", "floor": False}),
    "attacked": ("ccs", SERVICE | {"attack": "random", "floor": False}),
    "attacked by one that knows all": ("ccs", SERVICE | {"attack": "optimised", "floor": False}),
    "random residuals": ("random-residual", SERVICE),
    "optimum": ("optimum", {}),
    "ranked partition": ("ranked-partition", {}),
    "hopping": ("hopping", {}),
    "hopping partition": ("hopping-partition", {}),
    "chance": ("coexistence-random", {}),
    "policy": ("policy", {"path": str(ROOT / "configs" / "policies" / "coexistence_v0")}),
}


def rollout_of(name: str, parameters: dict[str, Any], intervals: int = 11) -> Rollout:
    networks = [{"learner": "pg", "nodes": 8}, {"learner": "uniform", "nodes": 5}, {"learner": "dqn", "nodes": 8}]
    networks.append({"learner": "pg", "nodes": 8, "silent_s": [[240, 420]]})
    section = {"preset": "ccs_study", "networks": networks, "intervals": intervals, "vendor": 5}
    learners = {"label": {"name": name, "parameters": parameters}}
    config = CoexistenceRun.model_validate({"seeds": [3, 4], "learners": learners, "coexistence": section})
    return new_rollout(config, "label")


@pytest.mark.parametrize("label", LABELS)
def test_a_resumed_rollout_gives_the_same_rows_and_sums(label: str, tmp_path: Path) -> None:
    first, resumed = (rollout_of(*LABELS[label]) for _ in range(2))
    for _ in range(7):
        first.step()
    checkpoints.write(tmp_path / "state.npz", first.state_dict())
    resumed.load_state_dict(checkpoints.read(tmp_path / "state.npz"))
    assert resumed.done == 7
    while not first.finished:
        assert repr(first.step()) == repr(resumed.step())
    assert resumed.finished
    for one, other in zip(first.ledgers.by_replica(), resumed.ledgers.by_replica(), strict=True):
        assert one.sums.tobytes() == other.sums.tobytes() and one.airtime_s.tobytes() == other.airtime_s.tobytes()


def test_a_state_is_a_copy() -> None:
    rollout = rollout_of("ccs", SERVICE)
    for _ in range(2):
        rollout.step()
    state = rollout.state_dict()
    before = {name: array.copy() for name, array in state.items()}
    for _ in range(4):
        rollout.step()
    assert all(np.array_equal(state[name], array, equal_nan=array.dtype.kind == "f") for name, array in before.items())


@pytest.mark.parametrize("missing", ["observations", "strategy.random", "environment.cycle", "strategy.team.0.steps"])
def test_a_state_that_is_not_whole_is_refused_by_name(missing: str) -> None:
    rollout = rollout_of("ccs", SERVICE)
    rollout.step()
    state = {name: array for name, array in rollout.state_dict().items() if name != missing}
    with pytest.raises(ValueError, match=rf"{missing.rpartition('.')[2]} is missing"):
        rollout_of("ccs", SERVICE).load_state_dict(state)


class Crash(Exception):
    """Stands for a killed process."""


def test_a_killed_run_goes_on_within_a_label(invoke: Callable[..., Any], tmp_path: Path, monkeypatch: Any) -> None:
    networks = "coexistence.networks=[{learner: pg, nodes: 8}, {learner: uniform, nodes: 5}, {learner: dqn, nodes: 8}]"
    small = ("--set", "name=small", "seeds=[3,4]", "coexistence.intervals=13", networks)
    labels = "learners={ccs: {parameters: {every: 2}}, averaging: {}, hopping: {}}"
    config = ROOT / "configs" / "ccs_two.yaml"

    def trained(folder: Path, *more: str) -> Any:
        return invoke(train.app, "--config", str(config), "--runs", str(folder), *small, labels, *more)

    step = Rollout.step

    def killed_after_nine(rollout: Rollout) -> list[dict[str, float]]:
        if rollout.done == 9:
            raise Crash
        return step(rollout)

    with monkeypatch.context() as patch:
        patch.setattr(Rollout, "step", killed_after_nine)
        assert isinstance(trained(tmp_path / "cut").exception, Crash)
    cut = tmp_path / "cut" / "small"
    assert [path.name for path in cut.glob("*.npz")] == ["ccs-000008.npz"]
    played: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Rollout, "step", lambda rollout: (played.append(rollout.done), step(rollout))[1])
        result = trained(tmp_path / "cut", "--resume")
    assert result.exit_code == 0, result.output
    assert played[:5] == [8, 9, 10, 11, 12]
    assert trained(tmp_path / "whole").exit_code == 0
    for path in sorted((tmp_path / "whole" / "small").rglob("*")):
        if path.suffix in (".csv", ".npz"):
            assert path.read_bytes() == (cut / path.relative_to(tmp_path / "whole" / "small")).read_bytes(), path
    assert not list(cut.glob("ccs-*.npz"))


def test_a_snapshot_of_another_run_is_named(invoke: Callable[..., Any], tmp_path: Path) -> None:
    small = ("--set", "name=small", "seeds=[3]", "coexistence.intervals=12", "coexistence.networks=[{nodes: 8}]")
    labels = "learners={independent: {name: coexistence-independent}}"
    arguments = (train.app, "--config", str(ROOT / "configs" / "ccs_two.yaml"), "--runs", str(tmp_path), *small, labels)
    assert invoke(*arguments).exit_code == 0
    (tmp_path / "small" / "independent.npz").unlink()
    checkpoints.write(tmp_path / "small" / "independent-000004.npz", {"observations": np.zeros(1)})
    result = invoke(*arguments, "--resume")
    assert result.exit_code == 2 and "independent-000004.npz: is no snapshot of this run" in result.output
