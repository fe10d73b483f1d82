from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)
from pettingzoo.utils import parallel_to_aec

import lora_marl
from lora_marl import render
from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets import mmalora_network
from lora_marl.core.presets.ccs import ccs_study
from lora_marl.core.scenario import Change
from lora_marl.envs import coexistence_v0, energy_v0, uplink_v0

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("no_display")]

FORMATS = [
    {"action_format": action_format, "obs_format": obs_format}
    for action_format in ("multidiscrete", "discrete")
    for obs_format in ("box", "dict")
] + [{"action_format": "discrete", "mask_in_info": True}, {"info_level": "none"}]


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")


MODULES = pytest.mark.parametrize("module", [energy_v0, uplink_v0], ids=["energy_v0", "uplink_v0"])


@pytest.fixture
def network(module: ModuleType, journal: Any) -> dict[str, Any]:
    if module is energy_v0:
        return {"scenario": mmalora_network(6, 2, channels=2)}
    return {"scenario": journal(), "min_margin_db": 3.0}


@pytest.fixture(params=FORMATS, ids=lambda settings: "-".join(map(str, settings.values())))
def settings(request: pytest.FixtureRequest, network: dict[str, Any]) -> dict[str, Any]:
    return {**network, "max_cycles": 12, **request.param}


def as_aec(module: ModuleType) -> Callable[..., Any]:
    return lambda **settings: parallel_to_aec(module.parallel_env(**settings))


def by_turns(module: ModuleType, kind: str) -> Callable[..., Any]:
    return as_aec(module) if kind == "converted" else getattr(module, kind)


@MODULES
def test_parallel(module: ModuleType, settings: dict[str, Any]) -> None:
    parallel_api_test(module.parallel_env(**settings), num_cycles=15)
    parallel_seed_test(partial(module.parallel_env, **settings), num_cycles=10)


@MODULES
@pytest.mark.parametrize("kind", ["converted", "raw_env", "env"])
def test_aec(module: ModuleType, kind: str, settings: dict[str, Any]) -> None:
    api_test(by_turns(module, kind)(**settings), num_cycles=15)
    seed_test(partial(by_turns(module, kind), **settings), num_cycles=10)


@MODULES
@pytest.mark.parametrize("kind", ["converted", "raw_env"])
def test_render(module: ModuleType, kind: str, network: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    monkeypatch.setattr(pyplot, "pause", lambda seconds: None)
    monkeypatch.setattr(render, "_opens_windows", lambda backend: True)  # PettingZoo's test asks for `human`, too
    render_test(partial(by_turns(module, kind), **network))


@MODULES
def test_max_cycles(module: ModuleType, network: dict[str, Any]) -> None:
    made = {"parallel_env": module.parallel_env, "env": as_aec(module)}
    max_cycles_test(SimpleNamespace(**{name: partial(make, **network) for name, make in made.items()}))


@pytest.mark.parametrize("decider", ["group", "server"])
class TestCoexistence:
    """Servers of networks, whose settings are others."""

    @pytest.fixture
    def own(self, decider: str) -> dict[str, Any]:
        networks = ccs_study([Deployment(nodes=6), Deployment(nodes=5)])
        return {"coexistence": networks, "decider": decider, "max_cycles": 12}

    def test_parallel(self, own: dict[str, Any]) -> None:
        parallel_api_test(coexistence_v0.parallel_env(**own), num_cycles=15)
        parallel_seed_test(partial(coexistence_v0.parallel_env, **own), num_cycles=10)

    @pytest.mark.parametrize("kind", ["converted", "raw_env", "env"])
    def test_aec(self, kind: str, own: dict[str, Any]) -> None:
        api_test(by_turns(coexistence_v0, kind)(**own), num_cycles=15)
        seed_test(partial(by_turns(coexistence_v0, kind), **own), num_cycles=10)

    def test_render(self, own: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(render.Window, "show", lambda window, frame: None)
        render_test(partial(coexistence_v0.raw_env, **own))


@pytest.mark.parametrize("remove_dead", [False, True])
def test_nodes_that_join_and_leave(journal: Any, remove_dead: bool) -> None:
    scenario = journal(3).with_values(
        {
            "active": [True, True, False],
            "changes": (
                Change(at_s=50.0, values={"active": [True, False, True]}),
                Change(at_s=100.0, values={"active": [True, True, True]}),
            ),
        }
    )
    parallel_api_test(uplink_v0.parallel_env(scenario=scenario, remove_dead=remove_dead), num_cycles=12)
    api_test(uplink_v0.env(scenario=scenario, max_cycles=12), num_cycles=12)


@MODULES
def test_what_the_environments_are(module: ModuleType, network: dict[str, Any]) -> None:
    name = module.__name__.rpartition(".")[2]
    parallel, turns = lora_marl.make(name, **network), module.env(**network)
    for env in (parallel, turns):
        assert env.metadata["name"] == f"lora_{name}"
        assert env.metadata["render_modes"] == ["human", "ansi", "rgb_array"]
        assert env.possible_agents == [f"node_{node}" for node in range(6)]
        assert env.unwrapped.render_mode is None
    assert set(parallel.action_spaces) == set(parallel.observation_spaces) == set(parallel.possible_agents)
    assert parallel.metadata["is_parallelizable"]
    assert turns.metadata["is_parallelizable"] == (module is energy_v0)
