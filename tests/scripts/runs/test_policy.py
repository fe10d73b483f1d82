"""An exported policy as a learner on the air."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils import seeding

from agents.run import run_until
from lora_marl.adapters.policy import Policy, digest, spaces_of
from lora_marl.core.air import Air
from lora_marl.core.presets import conference_network, mmalora_network
from lora_marl.envs import energy_v0, uplink_v0
from scripts.runs import policy
from scripts.runs.policy import ExportedPolicy

NETWORK = conference_network(5, 2000.0)


def written(folder: Path, env: Any, name: str = "uplink_v0", **more: Any) -> str:
    """A policy of random weights for an environment."""
    facts = {"algorithm": "none", "activation": "tanh", "greedy": False, "masked": False, **more}
    spaces = spaces_of(env, name, **facts)
    weight = np.random.default_rng(0).normal(size=(sum(spaces.sizes), len(spaces.feature_names)))
    Policy(spaces, ((weight.astype(np.float32), np.zeros(len(weight), np.float32)),)).write(folder)
    return str(folder)


def test_every_draw_is_another_number() -> None:
    draws = np.empty((20, 4))
    policy._draw(np.full(20, 7, np.uint64), np.zeros(20, np.int64), np.arange(20), draws)
    assert len(np.unique(draws)) == draws.size


def test_it_remembers_by_its_own_packets(tmp_path: Path) -> None:
    learner = ExportedPolicy(NETWORK, [9], path=written(tmp_path, uplink_v0.parallel_env(scenario=NETWORK, memory=0.5)))
    run_until(Air(NETWORK, [9], feedback=learner.feedback), learner, learner.initial_points(), 200.0)
    packets = learner.state_arrays()["sent"].sum(axis=-1) / len(learner.region.factor_sizes)
    ended = learner.state_arrays()["decided"] - 1  # the last one was just chosen
    np.testing.assert_allclose(packets, 2.0 - 0.5 ** (ended - 1.0))


@pytest.mark.parametrize("action_format", ["multidiscrete", "discrete"])
def test_it_observes_what_the_environment_of_turns_shows(tmp_path: Path, action_format: str) -> None:
    settings = {"scenario": NETWORK, "action_format": action_format, "factors": ("sf", "channel")}
    turns = uplink_v0.raw_env(max_cycles=3, window_s=20.0, **settings)
    turns.reset(seed=4)
    learner = ExportedPolicy(NETWORK, [9], path=written(tmp_path, uplink_v0.parallel_env(**settings)))
    air = Air(NETWORK, [int(seeding.np_random(4)[0].integers(2**63))], feedback=learner.feedback)
    names, points, compared = turns.feature_names, learner.initial_points(), 0
    same = [
        names.index(name) for name in names if name not in ("packets", "sent")
    ]  # since the node's, or any, decision
    while len(decisions := air.next_decisions(points, 60.0)):
        learner.update(decisions)
        seen = learner._observations(decisions)
        chosen = learner.select(decisions)
        points[decisions.replica, decisions.node] = chosen
        for row, node in enumerate(decisions.node):
            assert turns.agent_selection == f"node_{node}"
            assert np.array_equal(turns.last()[0][same], seen[row, same])
            factors = chosen[row, [0, 2]].astype(np.int64)
            sizes = (len(NETWORK.region.spreading_factors), len(NETWORK.region.channels_hz))
            turns.step(factors if action_format == "multidiscrete" else np.ravel_multi_index(factors, sizes))
            compared += 1
    assert compared > 40
    assert turns.truncations["node_0"]


def test_a_replica_depends_on_its_seed_alone(tmp_path: Path) -> None:
    path = written(tmp_path, uplink_v0.parallel_env(scenario=NETWORK))

    def delivered(seeds: list[int]) -> np.ndarray:
        learner = ExportedPolicy(NETWORK, seeds, path=path)
        air = Air(NETWORK, seeds, feedback=learner.feedback)
        return run_until(air, learner, learner.initial_points(), 200.0).delivered

    together = delivered([3, 0, 5])
    assert np.array_equal(together[1], delivered([0])[0])
    assert not np.array_equal(together[0], together[1])


def test_it_resumes_exactly(tmp_path: Path) -> None:
    path = written(tmp_path, uplink_v0.parallel_env(scenario=NETWORK, memory=0.9))

    def outcome(cut: bool) -> np.ndarray:
        learner = ExportedPolicy(NETWORK, [0], path=path)
        air, points = Air(NETWORK, [0], feedback=learner.feedback), learner.initial_points()
        run_until(air, learner, points, 100.0)
        if cut:
            state = learner.state_dict()
            learner = ExportedPolicy(NETWORK, [0], path=path)
            learner.load_state_dict(state)
        run_until(air, learner, points, 200.0)
        return points

    assert np.array_equal(outcome(cut=False), outcome(cut=True))


def test_masked_actions_are_never_sent(tmp_path: Path) -> None:
    env = uplink_v0.parallel_env(scenario=NETWORK, min_margin_db=6.0)
    learner = ExportedPolicy(NETWORK, [0], path=written(tmp_path, env, masked=True))
    masks, points = env.game.codec.masks(NETWORK, 6.0), learner.initial_points()
    assert not masks.all()
    air = Air(NETWORK, [0], count_arms=True, feedback=learner.feedback)
    run_until(air, learner, points, 50.0)
    sent = run_until(air, learner, points, 500.0).arm_sent[0] > 0
    assert sent.any()
    assert not (sent & ~masks).any()


def test_the_best_action_may_be_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, uplink_v0.parallel_env(scenario=NETWORK))
    for greedy, same in ((True, True), (False, False)):
        ends = []
        for seed in (0, 1):
            learner = ExportedPolicy(NETWORK, [seed], path=path, greedy=greedy)
            air, points = Air(NETWORK, [7], feedback=learner.feedback), learner.initial_points()
            run_until(air, learner, points, 100.0)
            ends.append(points.tolist())
        assert (ends[0] == ends[1]) == same


def test_policies_for_something_else_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "energy", energy_v0.parallel_env(scenario=mmalora_network(4, 1)), "energy_v0")
    with pytest.raises(ValueError, match="was trained on energy_v0"):
        ExportedPolicy(NETWORK, [0], path=path)
    path = written(tmp_path / "uplink", uplink_v0.parallel_env())
    with pytest.raises(ValueError, match=r"observes 34 features and chooses of \[6, 8, 7\]; this scenario has"):
        ExportedPolicy(NETWORK, [0], path=path)
    own = digest(tmp_path / "uplink")
    written(tmp_path / "uplink", uplink_v0.parallel_env(), algorithm="other")
    with pytest.raises(ValueError, match="is another policy than it was"):
        ExportedPolicy(NETWORK, [0], path=path, digest=own)
    with pytest.raises(ValueError, match="holds no policy"):
        ExportedPolicy(NETWORK, [0], path=str(tmp_path / "nowhere"))


def test_it_chooses_how_often_frames_are_sent_where_its_environment_does(tmp_path: Path) -> None:
    env = uplink_v0.parallel_env(scenario=NETWORK, factors=("sf",), nb_trans=3)
    learner = ExportedPolicy(NETWORK, [9], path=written(tmp_path, env))
    air = Air(NETWORK, [9], feedback=learner.feedback)
    outcome = run_until(air, learner, learner.initial_points(), 400.0)
    chosen = learner.state_arrays()["nb_trans"]
    assert chosen.min() >= 1 and 1 < chosen.max() <= 3
    assert outcome.sent.sum() > (outcome.frames_delivered + outcome.frames_lost).sum() > 0
