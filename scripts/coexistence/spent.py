"""What the stages of a making cost: CPU seconds, in a file that goes on when the making does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def spending(path: Path, stage: str) -> Iterator[None]:
    """Adds the CPU seconds of the block to those of the stage, also where the block is interrupted."""
    began_s = time.process_time()
    try:
        yield
    finally:
        before = spent(path)
        path.write_text(json.dumps(before | {stage: before.get(stage, 0.0) + time.process_time() - began_s}, indent=1))


def spent(path: Path) -> dict[str, float]:
    """CPU seconds by stage, so far."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
