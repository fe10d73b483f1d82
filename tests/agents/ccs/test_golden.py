"""A forward pass of the shipped service with pull-back, kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from agents.ccs.codes import codes
from agents.ccs.coordinator import Coordinator
from agents.ccs.rounds import coordinated
from agents.ccs.view import KINDS
from agents.lns.vendor import load_vendor

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "coexistence" / "residual.json"


def residual_numbers() -> dict[str, list]:
    """Norms and some entries of the residuals of two policy-gradient servers and a DQN that share a default each."""
    coordinator = Coordinator.load(ROOT / "configs" / "ccs" / "service.safetensors")
    kinds = ("pg", "pg", "dqn")
    vendors = [load_vendor(ROOT / "configs" / "ccs" / f"{kind}-5.safetensors") for kind in kinds]
    parameters = torch.stack([vendor.parameters for vendor in vendors])[None]
    reports = torch.tensor([[[0.6, 0.7, 0.8, 0.5], [0.7, 0.6, 0.7, 0.6], [0.5, 0.8, 0.9, 0.4]]])
    own_codes = codes(torch.arange(3), torch.arange(3))[None, :, None].expand(1, 3, 4, -1)
    delta = coordinated(
        coordinator, parameters, torch.tensor([[KINDS.index(kind) for kind in kinds]]), reports, own_codes
    )
    return {
        "norms": torch.linalg.matrix_norm(delta)[0].tolist(),
        "entries": delta[0, :, ::43, ::12].flatten(1).tolist(),
    }


def test_a_round_is_as_it_was() -> None:
    kept, now = json.loads(GOLDEN.read_text()), residual_numbers()
    np.testing.assert_allclose(now["norms"], kept["norms"], rtol=1e-4)
    np.testing.assert_allclose(now["entries"], kept["entries"], rtol=1e-3, atol=1e-5 * max(kept["norms"]))
    assert min(kept["norms"]) > 0.0
