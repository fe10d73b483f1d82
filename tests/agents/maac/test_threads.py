from __future__ import annotations

import pytest
import torch

from agents.torch_utils import threads


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="within"), threads(1):
        assert torch.get_num_threads() == 1
        raise RuntimeError("within")
    assert torch.get_num_threads() == before
