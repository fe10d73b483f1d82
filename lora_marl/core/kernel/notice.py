"""Says that functions are compiled where it takes long: the first time after installation, and then never again.

The line goes to the logger `lora_marl` as a warning, which is shown unless a program says otherwise. Worker processes
say nothing: their parent has.
"""

from __future__ import annotations

import logging
import multiprocessing
from threading import Timer
from typing import Any

from numba.core import event

_PACKAGES = ("lora_marl", "agents", "scripts")
_logger = logging.getLogger("lora_marl")


class CompilationNotice(event.Listener):
    """Logs a line when a function of the project has been compiled for some time.

    Args:
        after_s: How long. s
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._depth = 0
        self._timer: Timer | None = None

    def on_start(self, event: Any) -> None:
        """Start the clock of an outermost function: those that it calls are compiled within its time."""
        self._depth += 1
        function = event.data["dispatcher"].py_func
        if self._depth == 1 and function.__module__.partition(".")[0] in _PACKAGES:
            self._timer = Timer(self._after_s, _say, [f"{function.__module__}.{function.__name__}"])
            self._timer.daemon = True
            self._timer.start()

    def on_end(self, event: Any) -> None:
        """Stop the clock."""
        self._depth -= 1
        if self._depth == 0 and self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _say(name: str) -> None:
    _logger.warning("compiling %s for this machine; this takes up to a minute, once", name)


def install() -> None:
    """Say so in this process from now on, unless it is a worker."""
    if multiprocessing.parent_process() is None:
        event.register("numba:compile", CompilationNotice(after_s=2.0))
