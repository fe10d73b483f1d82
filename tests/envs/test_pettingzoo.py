from __future__ import annotations

from functools import partial
from types import SimpleNamespace
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
from lora_marl.core.scenario import Change
from lora_marl.envs import uplink_v0

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("no_display")]

FORMATS = [
    {"action_format": action_format, "obs_format": obs_format}
    for action_format in ("multidiscrete", "discrete")
    for obs_format in ("box", "dict")
] + [{"action_format": "discrete", "mask_in_info": True}, {"info_level": "none"}]


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")


@pytest.fixture(params=FORMATS, ids=lambda settings: "-".join(map(str, settings.values())))
def settings(request: pytest.FixtureRequest, journal: Any) -> dict[str, Any]:
    return {"scenario": journal(), "max_cycles": 12, "min_margin_db": 3.0, **request.param}


def as_aec(**settings: Any) -> Any:
    return parallel_to_aec(uplink_v0.parallel_env(**settings))


def test_parallel(settings: dict[str, Any]) -> None:
    parallel_api_test(uplink_v0.parallel_env(**settings), num_cycles=15)
    parallel_seed_test(partial(uplink_v0.parallel_env, **settings), num_cycles=10)


@pytest.mark.parametrize("make", [as_aec, uplink_v0.raw_env, uplink_v0.env], ids=["converted", "raw_env", "env"])
def test_aec(make: Any, settings: dict[str, Any]) -> None:
    api_test(make(**settings), num_cycles=15)
    seed_test(partial(make, **settings), num_cycles=10)


@pytest.mark.parametrize("make", [as_aec, uplink_v0.raw_env], ids=["converted", "turns"])
def test_render(make: Any, journal: Any) -> None:
    render_test(partial(make, scenario=journal()))


def test_max_cycles(journal: Any) -> None:
    parallel = partial(uplink_v0.parallel_env, scenario=journal())
    max_cycles_test(SimpleNamespace(parallel_env=parallel, env=partial(as_aec, scenario=journal())))


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


def test_what_the_environments_are(journal: Any) -> None:
    parallel, turns = lora_marl.make("uplink_v0", scenario=journal()), uplink_v0.env(scenario=journal())
    for env in (parallel, turns):
        assert env.metadata["name"] == "lora_uplink_v0"
        assert env.metadata["render_modes"] == ["human", "ansi", "rgb_array"]
        assert env.possible_agents == [f"node_{node}" for node in range(6)]
        assert env.unwrapped.render_mode is None
        assert set(env.action_spaces) == set(env.observation_spaces) == set(env.possible_agents)
    assert parallel.metadata["is_parallelizable"]
    assert not turns.metadata["is_parallelizable"]
