"""The record of snapshots: files, mixtures, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from agents.ccs.dataset import Snapshots, by_mixture


def test_saved_and_loaded_is_the_same(tmp_path: Path, snapshots_of) -> None:
    snapshots = snapshots_of((0, -1, 1), count=3)
    snapshots.save(tmp_path / "part.safetensors")
    loaded = Snapshots.load(tmp_path / "part.safetensors")
    for name in ("parameters", "kinds", "observations", "kpis"):
        assert torch.equal(getattr(loaded, name), getattr(snapshots, name))
    stored = load_file(tmp_path / "part.safetensors")
    assert torch.equal(stored["worlds.legacy"], snapshots.worlds.non_learning), "its name in files is the former one"
    assert "worlds.non_learning" not in stored
    for name, array in snapshots.worlds.arrays().items():
        assert (loaded.worlds.arrays()[name] == array).all()


def test_mixtures_are_joined_by_name(snapshots_of) -> None:
    parts = [snapshots_of((1, 1), 2), snapshots_of((0, -1, 1), 3), snapshots_of((1, 1), 4, seed=1)]
    joined = by_mixture(parts)
    assert {name: len(actual) for name, actual in joined.items()} == {"DLP": 3, "PP": 6}
    assert torch.equal(joined["PP"].parameters[2:], parts[2].parameters)
    assert torch.equal(joined["PP"].worlds.occupancy[2:], parts[2].worlds.occupancy)


def test_what_does_not_fit_is_refused(snapshots_of) -> None:
    snapshots = snapshots_of((0, 1), count=2)
    with pytest.raises(ValueError, match=r"kpis leads with \[2, 1\]; kinds have \[2, 2\]"):
        replace(snapshots, kpis=snapshots.kpis[:, :1])
    with pytest.raises(ValueError, match="non-learning networks"):
        replace(snapshots, kinds=torch.full((2, 2), -1))
    with pytest.raises(ValueError, match="kinds differ between rows"):
        replace(snapshots, kinds=torch.tensor([[0, 1], [1, 1]]))
