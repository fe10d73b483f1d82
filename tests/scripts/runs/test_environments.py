"""The environment of an exported policy, and what it assumes."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import lora_marl
from lora_marl.adapters.policy import Policy, spaces_of
from scripts.runs.cli import UsageError
from scripts.runs.environments import assumptions_of_environment, environment_of
from tests.envs.small import SETTINGS


def test_an_environment_that_files_cannot_say_is_not_made_up() -> None:
    more = {"algorithm": "none", "activation": "tanh", "greedy": True, "masked": True}
    for redraw in (None, partial(np.random.Generator.uniform, size=(40, 2))):
        env = lora_marl.make("energy_v0", only_channel=0, redraw=redraw)
        spaces = spaces_of(env, "energy_v0", **more)
        layer = np.zeros((sum(spaces.sizes), len(spaces.low)), np.float32), np.zeros(sum(spaces.sizes), np.float32)
        policy = Policy(spaces, (layer,))
        if redraw is None:
            assert environment_of(policy, 2).settings.only_channel == 0
        else:
            with pytest.raises(UsageError, match="trained with redraw, which its files cannot store"):
                environment_of(policy, 2)


@pytest.mark.parametrize("name", list(lora_marl.ENVS))
def test_assumptions_of_an_environment_are_those_of_its_radio(name: str) -> None:
    env = lora_marl.make(name, **SETTINGS[name])
    rows = {row.topic: row.text for row in assumptions_of_environment(env)}
    assert {"propagation", "shadowing", "reception", "feedback", "duty cycle", "traffic", "region"} <= rows.keys()
    assert ("Rayleigh fading" in rows["shadowing"]) == (name != "uplink_v0")
