"""The expectations of the model of the air, and a forward pass of the shipped service, against stored values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from agents.ccs.dataset import Worlds
from agents.ccs.layout import KINDS
from agents.ccs.model import Coordinator
from agents.ccs.proxy import Constants, Proxy
from agents.ccs.ring import codes
from agents.ccs.round import round_residuals
from agents.lns.vendor import load_vendor
from lora_marl.core.coexistence import Deployment
from lora_marl.core.presets.ccs import ccs_study, non_learning
from lora_marl.envs import coexistence_v0

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "coexistence"


def proxy_numbers() -> dict[str, dict[str, list]]:
    """What policies come to beside a non-learning network in a drawn scenario, by hand-set and by fitted constants."""
    networks = ccs_study([Deployment(nodes=20), Deployment(nodes=12, load=2.0), non_learning(nodes=8)], load=2.0)
    env = coexistence_v0.parallel_env(coexistence=networks, max_cycles=1)
    env.reset_array([3])
    scenario = Worlds.of(env.game.facts())
    drawn = np.random.default_rng(7).dirichlet(np.full(48, 0.1), (1, 3, 4))
    policy, actual = torch.from_numpy(drawn.astype(np.float32)), {}
    for name in ("by hand", "ccs_study", "ccs_eu868"):
        path = ROOT / "configs" / "ccs" / f"proxy-{name}.json"
        expected = Proxy(Constants() if name == "by hand" else Constants.load(path))(policy, scenario)
        actual[name] = {kpi: getattr(expected, kpi)[0].tolist() for kpi in ("prr", "epn_mj", "utility", "success")}
    return actual


def residual_numbers() -> dict[str, list]:
    """Norms and some entries of the residuals of two policy-gradient servers and a DQN that share a default each."""
    coordinator = Coordinator.load(ROOT / "configs" / "ccs" / "service.safetensors")
    kinds = ("pg", "pg", "dqn")
    vendors = [load_vendor(ROOT / "configs" / "ccs" / f"{kind}-5.safetensors") for kind in kinds]
    parameters = torch.stack([vendor.parameters for vendor in vendors])[None]
    reports = torch.tensor([[[0.6, 0.7, 0.8, 0.5], [0.7, 0.6, 0.7, 0.6], [0.5, 0.8, 0.9, 0.4]]])
    own_codes = codes(torch.arange(3), torch.arange(3))[None, :, None].expand(1, 3, 4, -1)
    delta = round_residuals(
        coordinator, parameters, torch.tensor([[KINDS.index(kind) for kind in kinds]]), reports, own_codes
    )
    return {
        "norms": torch.linalg.matrix_norm(delta)[0].tolist(),
        "entries": delta[0, :, ::43, ::12].flatten(1).tolist(),
    }


def test_a_round_is_as_it_was() -> None:
    golden, now = json.loads((GOLDEN / "residual.json").read_text()), residual_numbers()
    np.testing.assert_allclose(now["norms"], golden["norms"], rtol=1e-4)
    np.testing.assert_allclose(now["entries"], golden["entries"], rtol=1e-3, atol=1e-5 * max(golden["norms"]))
    assert min(golden["norms"]) > 0.0


def test_what_the_model_of_the_air_expects_is_as_it_was() -> None:
    golden, now = json.loads((GOLDEN / "proxy.json").read_text()), proxy_numbers()
    assert list(now) == list(golden)
    for name, numbers in now.items():
        for kpi, values in numbers.items():
            np.testing.assert_allclose(values, golden[name][kpi], rtol=1e-4, err_msg=f"{name}, {kpi}")
