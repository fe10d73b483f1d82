"""States and snapshots: exact, and refused when they are not this learner's."""

from __future__ import annotations

import numpy as np
import pytest

from agents.maac import MAAC
from agents.maac.state import write


def same(first, second) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "options", [{"mu": 0.5}, {"mu": 0.0, "capacity": 24}, {"attention": "uniform", "dtype": "float32"}]
)
def test_a_resumed_run_gives_the_same_numbers_bit_by_bit(learner_of, play, options) -> None:
    whole, part, resumed = (learner_of(**options) for _ in range(3))
    play(whole, 9)
    play(part, 4)
    resumed.load_state_dict(part.state_dict())
    play(resumed, 5, first=4)
    assert same(whole.state_dict(), resumed.state_dict())


def test_a_snapshot_goes_on_without_the_learner_that_wrote_it(tmp_path, learner_of, play) -> None:
    allowed = np.ones((2, 5, 4), bool)
    allowed[0, 1, 2] = False
    learner = learner_of(mu=0.5, action_mask=allowed, seeds=[3, (4, 1)])
    play(learner, 4)
    write(tmp_path / "maac.safetensors", learner)
    again = MAAC.read(tmp_path / "maac.safetensors")
    assert again.hyper == learner.hyper
    assert [path.name for path in tmp_path.iterdir()] == ["maac.safetensors"]
    play(learner, 3, first=4)
    play(again, 3, first=4)
    assert same(learner.state_dict(), again.state_dict())


def test_damaged_snapshots_are_named(tmp_path, learner_of) -> None:
    path = tmp_path / "maac.safetensors"
    with pytest.raises(ValueError, match=r"maac\.safetensors: no snapshot"):
        MAAC.read(path)
    write(path, learner_of())
    whole = path.read_bytes()
    for damaged in (whole[:-100], b"", b"not a snapshot at all", whole.replace(b"maac-1", b"maac-9")):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"maac\.safetensors: no snapshot"):
            MAAC.read(path)


def test_a_state_of_another_learner_is_refused(learner_of) -> None:
    learner = learner_of()
    before = learner.state_dict()
    with pytest.raises(ValueError, match=r"actor.*expected float64 \[2, 5, "):
        learner.load_state_dict(learner_of(hidden=16).state_dict())
    with pytest.raises(ValueError, match="replay.going_on is unknown"):
        learner.load_state_dict(learner_of(mu=0.5).state_dict())
    with pytest.raises(ValueError, match="counters is missing"):
        learner.load_state_dict({name: a for name, a in before.items() if name != "counters"})
    with pytest.raises(ValueError, match="is float32"):
        learner.load_state_dict(learner_of(dtype="float32").state_dict())
    assert same(learner.state_dict(), before)


def test_a_buffer_that_is_too_long_is_refused(learner_of, play) -> None:
    learner = learner_of()
    play(learner, 4)
    with pytest.raises(ValueError, match=r"replay.*\[2, 32"):
        learner_of(capacity=16).load_state_dict(learner.state_dict())
