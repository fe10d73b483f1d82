"""What the stages of a making cost: CPU seconds, in a file that goes on when the making does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.coexistence.whole import read_json, write_json


@contextmanager
def spending(path: Path, stage: str) -> Iterator[None]:
    """Adds the CPU seconds of the block to those of the stage, also where the block is interrupted."""
    began_s = time.process_time()
    try:
        yield
    finally:
        before = spent(path)
        write_json(path, before | {stage: before.get(stage, 0.0) + time.process_time() - began_s})


def spent(path: Path) -> dict[str, float]:
    """CPU seconds by stage, so far."""
    return read_json(path) if path.exists() else {}
