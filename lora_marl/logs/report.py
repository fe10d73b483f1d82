"""What reading a log counted, mended and skipped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LISTED = 200
"""Problems that are listed with file and line; further ones are only counted."""


@dataclass
class Report:
    """Counts by what was met, and problems by file and line.

    Attributes:
        files: Files that were read.
        lines: Lines, or events of files that are one JSON list.
        formats: Events by format.
        events: Events by kind: uplinks, joins, status, ...
        mended: What merging changed, by what (`lora_marl/logs/merging.py`).
        skipped: Lines that were skipped, by reason.
        problems: Up to 200 of them: file, line, reason.
    """

    files: int = 0
    lines: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    mended: dict[str, int] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def skip(self, path: Path, line: int, reason: str, detail: str = "") -> None:
        """Count a line that is skipped."""
        self.skipped[reason] += 1
        if len(self.problems) < _LISTED:
            place = f"{path}:{line}" if line else str(path)
            self.problems.append(f"{place}: {reason}{': ' if detail else ''}{detail:.200}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "files": self.files,
            "lines": self.lines,
            "formats": dict(self.formats),
            "events": dict(self.events),
            "mended": self.mended,
            "skipped": dict(self.skipped),
            "problems": self.problems,
        }
