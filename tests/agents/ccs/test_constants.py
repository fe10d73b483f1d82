"""The proxy's constants: their file, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from agents.ccs.proxy import SHAPES, Constants


def test_saved_constants_are_loaded_with_the_command_beside_them(tmp_path: Path) -> None:
    constants = Constants(weak=torch.tensor([0.5, 1.0, 1.5, 2.0]), answer_s=torch.tensor(3.0))
    constants.save(tmp_path / "proxy.json", "made so")
    actual = Constants.load(tmp_path / "proxy.json")
    assert all(torch.allclose(getattr(actual, name), getattr(constants, name)) for name in SHAPES)
    assert json.loads((tmp_path / "proxy.json").read_text())["command"] == "made so"


def test_the_collision_matrix_has_wanted_spreading_factors_in_rows() -> None:
    collision = Constants(other_sf=torch.linspace(0.0, 0.05, 6)).collision
    assert collision.diagonal().tolist() == pytest.approx([0.345] * 6)
    assert collision[2, [0, 1, 3, 4, 5]].tolist() == pytest.approx([0.02] * 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no constants"),
        ('{"constants": {"wek": [1.0]}}', "'wek' is unknown; expected some of"),
        ('{"constants": {"weak": 1.0}}', r"weak has shape \[\]; expected \[Q\]"),
        ('{"constants": {"gap_s": -1.0}}', "gap_s = -1.0: expected numbers of at least 0"),
        ("{}", "no constants"),
    ],
)
def test_a_damaged_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "proxy.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Constants.load(tmp_path / "proxy.json")
    with pytest.raises(ValueError, match="absent.json"):
        Constants.load(tmp_path / "absent.json")
