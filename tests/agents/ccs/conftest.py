"""Made-up worlds, policies and snapshots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from agents.ccs.worlds import Worlds

AIRTIME_S = torch.tensor([0.057, 0.103, 0.185, 0.371, 0.741, 1.319])


def make_worlds(count: int = 2, networks: int = 3, seed: int = 0, **given: Any) -> Worlds:
    """Worlds like those of `ccs-study`."""
    g = torch.Generator().manual_seed(seed)
    group = (count, networks, 4)
    minimum = torch.tensor([0, 0, 1, 2])
    share = torch.zeros(4, 3, 6)
    for offset in range(3):
        share[range(4), offset, minimum + offset] = 1.0
    airtime = AIRTIME_S[minimum[:, None] + torch.arange(3)]  # [Q, O]
    power_mw = 3.3 * torch.tensor([25.0, 44.0])
    energy = (airtime[..., None] * power_mw + 3.0).expand(*group, 3, 2)
    occupancy = torch.tensor([0.01, 0.05, 0.1, 0.15, 0.55, 0.6, 0.65, 0.7])
    fields: dict[str, Any] = {
        "rate_hz": torch.full(group, 1.25) * torch.empty(group).uniform_(0.5, 2.0, generator=g),
        "nodes": torch.full(group, 25.0),
        "sf_share": share.expand(*group, 3, 6).clone(),
        "link": torch.exp(-(10.0 ** -(torch.empty(*group, 3, 2).uniform_(5.0, 20.0, generator=g) / 10.0))),
        "energy_mj": energy.clone(),
        "reference_mj": energy[..., 0, -1].clone(),
        "airtime_s": AIRTIME_S.expand(count, 6).clone(),
        "occupancy": torch.stack([occupancy[torch.randperm(8, generator=g)] for _ in range(count)]),
        "legacy": torch.zeros(count, networks, dtype=torch.bool),
    }
    return Worlds(**(fields | given))


@pytest.fixture(scope="session")
def worlds_of() -> Callable[..., Worlds]:
    return make_worlds


def policies(count: int = 2, networks: int = 3, seed: int = 1, scale: float = 2.0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(count, networks, 4, 48, generator=g)).softmax(-1)


@pytest.fixture(scope="session")
def policies_of() -> Callable[..., torch.Tensor]:
    return policies
