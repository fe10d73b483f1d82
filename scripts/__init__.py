"""The commands of a clone, each with `--help`; Ctrl-C while one of them starts is answered with a line."""

from __future__ import annotations

import sys
from types import TracebackType


def _without_traceback(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
    else:
        sys.__excepthook__(kind, error, at)


sys.excepthook = _without_traceback
