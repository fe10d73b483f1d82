"""Made-up worlds, policies and snapshots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from agents.ccs.dataset import Snapshots, Worlds
from agents.ccs.layout import Layout, View, probes_of, temperatures
from agents.ccs.model import Coordinator
from agents.ccs.ring import random_codes
from agents.lns.network import Schema, features, initial, last_layer_of, unflatten

AIRTIME_S = torch.tensor([0.057, 0.103, 0.185, 0.371, 0.741, 1.319])


def make_worlds(count: int = 2, networks: int = 3, seed: int = 0, **values: Any) -> Worlds:
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
        "non_learning": torch.zeros(count, networks, dtype=torch.bool),
    }
    return Worlds(**(fields | values))


@pytest.fixture(scope="session")
def worlds_of() -> Callable[..., Worlds]:
    return make_worlds


def policies(count: int = 2, networks: int = 3, seed: int = 1, scale: float = 2.0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(count, networks, 4, 48, generator=g)).softmax(-1)


@pytest.fixture(scope="session")
def policies_of() -> Callable[..., torch.Tensor]:
    return policies


def make_snapshots(kinds: tuple[int, ...] = (1, 1), count: int = 6, seed: int = 0) -> Snapshots:
    """Random networks, those of one kind alike but for a little noise, in made-up worlds."""
    g = torch.Generator().manual_seed(seed)
    shape = count, len(kinds)
    defaults = initial(Schema(), [np.random.default_rng([seed, max(kind, 0)]) for kind in kinds])
    noise = 1.0 + 0.1 * torch.randn(*shape, defaults.shape[-1], generator=g)
    scale = torch.tensor([0.3 if kind == 0 else 5.0 for kind in kinds])[:, None]
    parameters = defaults * noise
    last_layer_of(parameters, Schema())[...] *= scale[:, None]
    non_learning = torch.tensor(kinds) < 0
    return Snapshots(
        parameters,
        torch.tensor(kinds).expand(shape).clone(),
        make_observations(count * len(kinds), g).unflatten(0, shape),
        torch.rand(*shape, 4, generator=g),
        make_worlds(count, len(kinds), seed, non_learning=non_learning.expand(shape).clone()),
    )


def make_observations(count: int, g: torch.Generator) -> torch.Tensor:
    """Of the groups of networks `[count, 4, 40]`."""
    network = torch.rand(count, 1, 34, generator=g).expand(-1, 4, -1)
    group = torch.eye(4).expand(count, 4, 4)
    return torch.cat([network, group, torch.rand(count, 4, 2, generator=g)], dim=-1)


@pytest.fixture(scope="session")
def snapshots_of() -> Callable[..., Snapshots]:
    return make_snapshots


@pytest.fixture(scope="session")
def probes() -> torch.Tensor:
    """A small set, of 6 patterns."""
    g = torch.Generator().manual_seed(5)
    return probes_of(make_observations(20, g), 6, Layout(), g)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What tests draw without a generator is the same in every run."""
    torch.manual_seed(0)


@pytest.fixture
def coordinator(probes: torch.Tensor) -> Coordinator:
    return Coordinator(probes)


def make_view(snapshots: Snapshots, coordinator: Coordinator, seed: int = 0) -> View:
    """What the service sees of snapshots without non-learning networks, codes drawn per world."""
    layers = unflatten(snapshots.parameters, Schema())
    heat = temperatures(snapshots.kinds)
    logits = (
        features(layers, coordinator.probes) @ last_layer_of(snapshots.parameters, Schema()) / heat[..., None, None]
    )
    count = snapshots.kinds.shape[1] * coordinator.design.codes_per_network
    drawn = random_codes(len(snapshots), count, torch.Generator().manual_seed(seed))
    codes = drawn.unflatten(1, (snapshots.kinds.shape[1], -1)).expand(-1, -1, 4, -1)
    return View(logits, snapshots.kinds, snapshots.kpis, codes, torch.ones_like(heat), snapshots.parameters)


@pytest.fixture(scope="session")
def view_of() -> Callable[..., View]:
    return make_view
