from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from lora_marl.adapters.offline import Recording
from scripts import record
from tests.scripts.conftest import ROOT

POLICY = ROOT / "configs" / "policies" / "energy_v0"


def test_random_actions_and_a_policy_are_recorded(invoke, tmp_path):
    own = ("--env", "only_channel=0", "--env", "max_cycles=3")
    for name, more in (("random", own), ("policy", ("--policy", POLICY)), ("both", (*own, "--policy", POLICY))):
        out = tmp_path / "data" / f"{name}.npz"
        result = invoke(record.app, "energy_v0", "--out", out, "--episodes", 2, "--seed", 5, *more)
        assert result.exit_code == 0, result.output
        assert "transitions, mean reward" in result.output
    random, policy, both = (Recording.read(tmp_path / "data" / f"{n}.npz") for n in ("random", "policy", "both"))
    assert random.seeds.tolist() == policy.seeds.tolist() == [5, 6]
    assert random.rewards.shape == both.rewards.shape == (2, 3, 40)
    assert policy.rewards.shape == (2, 30, 40)
    assert (random.spaces.algorithm, policy.spaces.algorithm) == ("random", "MaskablePPO")
    assert policy.rewards.mean() > random.rewards.mean() + 1
    assert np.take_along_axis(policy.masks[:, :-1], policy.actions[..., None], axis=-1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("uplink_v9",), "'uplink_v9' is no environment"),
        (
            ("uplink_v0", "--policy", POLICY.parent / "uplink_v0", "--env", "action_format=discrete"),
            "was trained on another network or actions of uplink_v0 than these",
        ),
        (
            ("energy_v0", "--policy", POLICY.parent / "uplink_v0"),
            "trained on uplink_v0, and these are episodes of energy_v0",
        ),
        (("uplink_v0", "--policy", "nowhere"), "nowhere: holds no policy, which is policy.safetensors and policy.json"),
        (("uplink_v0", "--policy", POLICY.parent), "policies: holds no policy, which is policy.safetensors and"),
        (("uplink_v0", "--env", "replicas=3"), "replicas: 3; leave it out, --replicas or --episodes says how many"),
        (("uplink_v0", "--env", "info_level=full"), "info_level: 'full'; leave it out, scripts look at no infos"),
        (("energy_v0", "--env", "max_cycles=1", "--minari", "lora/x-v0"), "needs minari, of the extra offline"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(invoke, tmp_path, arguments, message):
    if "--minari" in arguments and find_spec("minari"):
        pytest.skip("Minari is here")
    result = invoke(record.app, *arguments, "--out", tmp_path / "out.npz")
    assert result.exit_code == 2
    assert message in result.output
