"""What the tests of all environments share: a small one of each, and how to play it blindly."""

from __future__ import annotations

from typing import Any

import numpy as np

from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets import conference_network, mmalora_network
from lora_marl.core.presets.ccs import ccs_study, non_learning
from lora_marl.envs.coexistence.reward import TERMS as COEXISTENCE_TERMS
from lora_marl.envs.uplink.reward import TERMS

SETTINGS: dict[str, dict[str, Any]] = {
    "uplink_v0": {
        "scenario": conference_network(5, 2000.0),
        "window_s": 4.0,
        "reward": dict.fromkeys(TERMS, 1.0),
    },
    "energy_v0": {
        "scenario": mmalora_network(6, 2, channels=2, packets_per_s=0.004),
        "reward": "printed",
    },
    "coexistence_v0": {
        "coexistence": ccs_study([Deployment(nodes=6), non_learning(nodes=4), Deployment(nodes=5)], moves_s=240.0),
        "reward": dict.fromkeys(COEXISTENCE_TERMS, 1.0),
        "interference_indicator": "all",
    },
}
"""By environment: several packets or none in a window with four factors; two channels with interference."""


def random_actions(env: Any, rng: np.random.Generator) -> np.ndarray:
    space = env.single_action_space
    return rng.integers(0, space.nvec if hasattr(space, "nvec") else space.n, env.game.first_actions().shape)
