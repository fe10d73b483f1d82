"""A line says that the project's functions are compiled, where that takes long."""

from __future__ import annotations

import logging
import time
from types import SimpleNamespace

import pytest

from lora_marl.core.kernel.notice import CompilationNotice
from lora_marl.core.random import uniform


def compile_for(notice: CompilationNotice, duration_s: float, function: object) -> None:
    started = SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=function)})
    notice.on_start(started)
    notice.on_start(started)
    time.sleep(duration_s)
    notice.on_end(started)
    notice.on_end(started)


@pytest.mark.parametrize(
    ("duration_s", "function", "lines"),
    [(0.2, uniform.py_func, 1), (0.0, uniform.py_func, 0), (0.2, time.strptime, 0)],
    ids=["long", "short", "somebody else's"],
)
def test_a_line_for_each_long_compilation(
    caplog: pytest.LogCaptureFixture, duration_s: float, function: object, lines: int
) -> None:
    with caplog.at_level(logging.WARNING, "lora_marl"):
        compile_for(CompilationNotice(after_s=0.05), duration_s, function)
    assert len(caplog.messages) == lines
    assert all("lora_marl.core.random.uniform" in message for message in caplog.messages)
