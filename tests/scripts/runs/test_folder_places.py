"""Places of a run that are taken, endless, or no text."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.runs.cli import UsageError
from scripts.runs.folder import RunFolder


def test_a_second_process_on_a_folder_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first, second = (RunFolder(tmp_path / "runs" / "run", [0]) for _ in range(2))
    with first.locked():
        with pytest.raises(UsageError, match="another process is at work in it"), second.locked():
            pass
    with second.locked():
        pass


def test_a_table_that_is_endless_or_no_text_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run", [0])
    metrics = folder.folder("random", 0) / "metrics.csv"
    metrics.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="is not a regular file"):
        folder.cut("random", 0, 3)
    metrics.unlink()
    metrics.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no text in UTF-8"):
        folder.cut("random", 0, 3)
