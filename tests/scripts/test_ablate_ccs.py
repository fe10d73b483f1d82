"""The service made otherwise: values that are changed, parts that are taken from another training, ablations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import agents.ccs
from lora_marl.config import ConfigError, load
from scripts import ablate_ccs, train_ccs
from scripts.runs.progress import counting
from scripts.service_training import pipeline
from scripts.service_training.overrides import with_overrides
from scripts.service_training.pipeline import (
    CPU_S,
    PASSES,
    Pass,
    ServiceTraining,
    count_cpu_s,
    cpu_s_by_stage,
    first_rollouts,
)
from scripts.studies.ccs import ablations
from scripts.studies.claim import CellResult

ROOT = Path(__file__).parents[2]
TINY = (Pass(2, 10, (2, 5, 8, 10), 6, 2e-3),)


def training_in(folder: Path, **others: Any) -> ServiceTraining:
    given: dict[str, Any] = {"passes": TINY, "vendors_from": ROOT / "configs" / "ccs"} | others
    return ServiceTraining(folder, folder / "work", **given)


def test_values_are_changed_by_name(tmp_path: Path) -> None:
    changes = ("design.code_scope=none", "design.gate=null", "hyper.beta=0.3", "hyper.pairs=group")
    actual = with_overrides(training_in(tmp_path), (*changes, "proxy=configs/ccs/proxy-ccs_study.json"))
    assert (actual.design.code_scope, actual.design.gate) == ("none", None)
    assert (actual.hyper.beta, actual.hyper.pairs) == (0.3, "group")
    assert actual.constants.weak.shape == (4,) and training_in(tmp_path).constants.weak.shape == (1,)
    assert with_overrides(training_in(tmp_path), ["design.gate=[0.2, 0.1]"]).design.gate == (0.2, 0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("hyper.betta=1", "hyper.betta: unknown; did you mean 'beta'?"),
        ("hyper.beta=much", "hyper.beta = 'much': Input should be a valid number"),
        ("design.code_scope=all", "design.code_scope = 'all': expected one of network, group, none"),
        ("hyper.pairs=both", "hyper.pairs = 'both': expected network or group"),
        ("hypr.beta=1", "did you mean 'hyper'?"),
        ("hyper=1", "expected design.<field>, hyper.<field> or proxy"),
        ("proxy=absent.json", "absent.json: no constants of the proxy"),
        ("beta", "reads key.path=value"),
    ],
)
def test_a_change_that_cannot_be_made_is_named(change: str, message: str, invoke: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        with_overrides(training_in(tmp_path), [change])
    assert message in str(caught.value)
    result = invoke(train_ccs.app, "--out", tmp_path, "--set", change)
    assert result.exit_code == 2 and message in result.output.replace("\n", "")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ServiceTraining:
    """A finished training."""
    actual = training_in(tmp_path_factory.mktemp("whole"))
    actual.run(counting)
    return actual


def test_rollouts_of_another_training_give_the_same_service(whole: ServiceTraining, tmp_path: Path) -> None:
    training_in(tmp_path, rollouts_from=whole.work, vendors_from=None).run(counting)
    assert (tmp_path / "service.safetensors").read_bytes() == (whole.out / "service.safetensors").read_bytes()
    assert not (tmp_path / "pg-0.safetensors").exists() and not (tmp_path / "work" / "rollouts-0").exists()


def test_rollouts_of_something_else_are_refused(whole: ServiceTraining, tmp_path: Path) -> None:
    for others, message in (
        ({"seed": 1}, "its rollouts are of seed = 0, not 1"),
        ({"seen": 4}, "its rollouts are of seen = 5, not 4"),
        ({"passes": (Pass(2, 11, (2, 5), 6, 2e-3),)}, "its rollouts are of passes"),
    ):
        with pytest.raises(ValueError, match=message):
            training_in(tmp_path / message, rollouts_from=whole.work, **others).run(counting)
    training_in(
        tmp_path / "steps", rollouts_from=whole.work, passes=(Pass(*list(vars(TINY[0]).values())[:3], 2, 1e-3),)
    ).run(counting)
    with pytest.raises(ValueError, match=r"has no settings.json"):
        training_in(tmp_path / "nothing", rollouts_from=tmp_path).run(counting)
    settings = json.loads((whole.work / "settings.json").read_text())
    with pytest.raises(ValueError, match="has no rollout 2; 3 are wanted"):
        first_rollouts(whole.work, settings, 3)


@pytest.mark.parametrize("name", ["settings.json", "cpu_s.json", "rollouts-0/1.safetensors", "training-0.safetensors"])
def test_damaged_files_of_a_training_are_named(name: str, whole: ServiceTraining, tmp_path: Path) -> None:
    shutil.copytree(whole.out, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "work" / name
    path.write_bytes(b"{half of")
    (tmp_path / "work" / "service-0.safetensors").unlink()
    with pytest.raises(ValueError, match=rf"{name}: is damaged .*remove it, and it is made again"):
        training_in(tmp_path).run(counting)
    path.unlink()
    training_in(tmp_path).run(counting)
    assert (tmp_path / "service.safetensors").read_bytes() == (whole.out / "service.safetensors").read_bytes()


def test_missing_vendors_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no vendor's policy dqn-8.safetensors; 9 of the kind are wanted"):
        training_in(tmp_path, vendors=9).run(counting)


def test_cpu_seconds_are_kept_by_stage_and_go_on(whole: ServiceTraining, tmp_path: Path) -> None:
    costs = cpu_s_by_stage(whole.work / CPU_S)
    assert set(costs) == {"vendors", "rollouts-0", "training-0"} and costs["training-0"] > 0.0
    with pytest.raises(KeyError), count_cpu_s(tmp_path / CPU_S, "stage"):
        sum(range(100_000))
        raise KeyError
    first = cpu_s_by_stage(tmp_path / CPU_S)["stage"]
    with count_cpu_s(tmp_path / CPU_S, "stage"):
        sum(range(100_000))
    assert cpu_s_by_stage(tmp_path / CPU_S)["stage"] > first > 0.0


def test_every_ablation_can_be_trained_and_played(tmp_path: Path) -> None:
    services = {name: tmp_path / f"{name}.safetensors" for name in ablations.VARIANTS}
    made = [with_overrides(training_in(tmp_path), changes) for changes in ablations.VARIANTS.values()]
    assert len({(str(each.design), str(each.hyper), str(each.constants)) for each in made}) == len(made)
    study = ablations.study(services)
    assert len({cell.name for cell in study.cells}) == len(study.cells) == 4 * (1 + len(services))
    for cell in study.cells:
        config = load(ROOT / "configs" / cell.config, cell.changes)
        if cell.learner == "ccs":
            assert config.learners["ccs"].parameters["service"] == str(services[cell.name.split("/")[2]])


def test_a_killed_ablation_goes_on_where_it_was(
    whole: ServiceTraining, invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def played(studies: Any, store: Any, *, quick: bool, jobs: int) -> dict[str, CellResult]:
        values = {c.name: [0.5, 0.4] if c.learner == "independent" else [0.6, 0.44] for c in studies[0].cells}
        names = ("epn_mj", "atp", "pdr", "overlap", "switches", "jain")
        return {name: CellResult((), 1.0, {"prr": prr} | dict.fromkeys(names, prr)) for name, prr in values.items()}

    trained = list[str]()
    original = pipeline.Training.run

    def run(self: Any, *given: Any) -> None:
        if len(trained) == 1 and not (tmp_path / "again").exists():
            raise KeyboardInterrupt
        trained.append(self.coordinator.design.code_scope)
        original(self, *given)

    monkeypatch.setattr(ablate_ccs, "PASSES", TINY)
    monkeypatch.setattr(ablate_ccs, "simulated", played)
    monkeypatch.setattr(pipeline.Training, "run", run)
    call = (
        "whole",
        "without codes",
        "--rollouts",
        whole.work,
        "--out",
        tmp_path / "out",
        "--json",
        tmp_path / "a.json",
    )
    assert invoke(ablate_ccs.app, *call).exit_code == 130
    (tmp_path / "again").touch()
    result = invoke(ablate_ccs.app, *call)
    assert result.exit_code == 0, result.output
    assert trained == ["network", "none"]
    for file in ("table.md", "cells.md", "ablations.png", "without-codes/service.safetensors"):
        assert (tmp_path / "out" / file).exists()
    actual = json.loads((tmp_path / "a.json").read_text())
    assert {(each["variant"], each["regime"]) for each in actual} == {
        (variant, regime) for variant in ("whole", "without codes") for regime in ("PP", "PPPP", "DDDD", "DP")
    }
    assert actual[0]["gain_percent"] == pytest.approx(15.0)


def test_an_unknown_variant_is_named(invoke: Any) -> None:
    result = invoke(ablate_ccs.app, "without nothing")
    assert result.exit_code == 2 and "'without nothing' is no variant; known: whole, without codes" in result.output


def test_the_package_says_how_its_service_was_trained() -> None:
    steps = " + ".join(f"{each.steps:,}" for each in PASSES)
    page = agents.ccs.__doc__ or ""
    assert f"| {steps}, {PASSES[0].learning_rate:.0e}".replace("e-03", "e-3") in page
