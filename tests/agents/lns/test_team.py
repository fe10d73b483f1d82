from __future__ import annotations

import numpy as np
import pytest

from agents.lns.dqn import DqnServers
from agents.lns.network import Schema
from agents.lns.policy_gradient import PolicyGradientServers
from agents.lns.team import Team, TeamMember
from agents.lns.vendor import fresh_vendor

SIZES = (40, 16, 48)


def team() -> Team:
    """Two replicas; policy gradient in places 0 and 2, DQN in place 1."""
    gradient = PolicyGradientServers([fresh_vendor(Schema(SIZES, "pg"), 0)], [5, 6], (0, 2))
    values = DqnServers([fresh_vendor(Schema(SIZES, "dqn"), 1)], [5, 6], (1,))
    return Team([TeamMember(gradient, (0, 2)), TeamMember(values, (1,))])


def observations(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, 3, 4, 40)).astype(np.float32)


def step(players: Team, seed: int) -> np.ndarray:
    rng, seen = np.random.default_rng(seed), observations(seed)
    actions = players.select(seen)
    players.update(seen, actions, rng.random((2, 3, 4)), np.ones((2, 3, 4)), observations(seed + 1))
    return actions


def test_a_team_chooses_as_its_members_do_alone() -> None:
    together, alone = team(), team()
    seen = observations(3)
    actions = together.select(seen)
    assert np.array_equal(actions[:, [0, 2]], alone.members[0].servers.select(seen[:, [0, 2]]))
    assert np.array_equal(actions[:, [1]], alone.members[1].servers.select(seen[:, [1]]))


def test_a_team_resumes_bit_by_bit() -> None:
    first, second = team(), team()
    for seed in range(6):
        step(first, seed)
    second.load_state_dict(first.state_dict())
    for seed in range(6, 12):
        assert np.array_equal(step(first, seed), step(second, seed))
    for (one, _), (other, _) in zip(first.learners, second.learners, strict=True):
        assert np.array_equal(one.parameters(), other.parameters())


@pytest.mark.parametrize("places", [((0, 1), (1,)), ((0, 2), (3,)), ((), ())])
def test_every_place_is_there_once(places: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    servers = team().members[0].servers
    with pytest.raises(ValueError, match="places"):
        Team([TeamMember(servers, numbers) for numbers in places])
