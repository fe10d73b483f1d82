"""Vendors' defaults: made side by side, written, read, and put into service."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.lns.dqn import DqnServers
from agents.lns.network import Schema, TrainedNetworks
from agents.lns.policy_gradient import PolicyGradientServers
from agents.lns.pretraining import pretrain, untrained_servers
from agents.lns.vendor import Vendor, load_vendor, save_vendor

SMALL = Schema((3, 8, 8, 4))
KINDS = pytest.mark.parametrize("kind", ["dqn", "pg"])


class Noise:
    """Worlds whose replicas depend on their seeds alone."""

    def reset(self, seeds) -> np.ndarray:
        self.rngs = [np.random.default_rng(seed) for seed in seeds]
        return self._observations()

    def step(self, actions):
        return self._observations(), np.sin(actions), np.ones(actions.shape)

    def _observations(self) -> np.ndarray:
        return np.stack([rng.normal(size=(1, 4, 3)) for rng in self.rngs])


def made(kind: str, seeds, worlds) -> list[Vendor]:
    learning = untrained_servers(Schema((3, 8, 8, 4), kind), seeds, rows=8, intervals=20)
    assert len(list(pretrain(learning, Noise(), worlds, intervals=20))) == 20
    return [learning.vendor(0, place) for place in range(len(seeds))]


@KINDS
def test_vendors_made_side_by_side_are_those_made_alone(kind) -> None:
    both = made(kind, [0, 7], [10, 11, 20, 21])
    alone = made(kind, [7], [20, 21])[0]
    assert torch.equal(both[1].parameters, alone.parameters)
    assert not torch.equal(both[0].parameters, both[1].parameters)
    if kind == "pg":
        assert torch.equal(both[1].critic, alone.critic)


def test_worlds_are_shared_out_evenly() -> None:
    learning = untrained_servers(Schema((3, 8, 8, 4)), [0, 1], rows=8)
    with pytest.raises(ValueError, match="seeds has 3 entries; needs a multiple of the 2 vendors"):
        next(pretrain(learning, Noise(), [1, 2, 3]))


@KINDS
def test_a_file_holds_what_servers_start_from(tmp_path, vendor_of, kind) -> None:
    path, vendor = tmp_path / "vendor.safetensors", vendor_of(kind, seed=4)
    save_vendor(path, vendor)
    assert list(tmp_path.iterdir()) == [path]
    again = load_vendor(path)
    assert again.schema == vendor.schema
    assert torch.equal(again.parameters, vendor.parameters)
    cls = DqnServers if kind == "dqn" else PolicyGradientServers
    servers = cls([again], [0, 1], [0, 1, 2])
    assert servers.parameters().shape == (2, 3, vendor.schema.size)
    assert (servers.parameters() == vendor.parameters.numpy()).all()
    if kind == "pg":
        assert torch.equal(again.critic, vendor.critic)
        assert torch.equal(servers.vendor(1, 2).critic, vendor.critic)


def test_different_vendors_side_by_side(vendor_of) -> None:
    vendors = [vendor_of("pg", seed=seed) for seed in (0, 1)]
    servers = PolicyGradientServers(vendors, [0, 1, 2], [0, 1])
    for server, vendor in enumerate(vendors):
        assert (servers.parameters()[:, server] == vendor.parameters.numpy()).all()
        assert torch.equal(servers.vendor(2, server).critic, vendor.critic)


def test_damaged_files_are_named(tmp_path, vendor_of) -> None:
    path = tmp_path / "vendor.safetensors"
    with pytest.raises(ValueError, match=r"vendor\.safetensors: no snapshot of a vendor"):
        load_vendor(path)
    save_vendor(path, vendor_of("dqn"))
    whole = path.read_bytes()
    for damaged in (whole[:-100], b"", b"nothing", whole.replace(b"lns-vendor-1", b"lns-vendor-9")):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"vendor\.safetensors: no snapshot of a vendor"):
            load_vendor(path)


def test_vendors_that_cannot_be_are_refused() -> None:
    schema = Schema((3, 8, 4))
    with pytest.raises(ValueError, match=r"parameters has shape \[7\]; expected \[68\], finite"):
        Vendor(schema, torch.zeros(7))
    with pytest.raises(ValueError, match="finite"):
        Vendor(schema, torch.full((schema.size,), torch.nan))
    with pytest.raises(ValueError, match="critic = None: a vendor of kind pg needs one"):
        Vendor(Schema((3, 8, 4), "pg"), torch.zeros(schema.size))


def test_learning_rates_fall_evenly_to_nothing(monkeypatch) -> None:
    shares: list[float] = []
    slow = TrainedNetworks.scale_learning_rate
    monkeypatch.setattr(
        TrainedNetworks, "scale_learning_rate", lambda network, share: (shares.append(share), slow(network, share))[1]
    )
    list(pretrain(untrained_servers(SMALL, [1], rows=4), Noise(), [1], intervals=10))
    assert shares == pytest.approx([1.0, 1.0, 1.0, 1.0, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_half_the_rate_is_half_the_step() -> None:
    vectors, steps = torch.randn(1, SMALL.size), []
    for share in (1.0, 0.5):
        network = TrainedNetworks(vectors, SMALL, 1e-3, 1.0)
        network.scale_learning_rate(share)
        network.descend(network.vectors[:, : SMALL.size].square().sum(1))
        steps.append(network.parameters() - vectors)
    torch.testing.assert_close(steps[1], 0.5 * steps[0], rtol=1e-3, atol=1e-7)
