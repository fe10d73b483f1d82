"""What a command says before it has begun."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.scripts.conftest import ROOT


@pytest.mark.parametrize(
    ("raised", "said"), [("KeyboardInterrupt", "interrupted\n"), ("ValueError(7)", "ValueError: 7\n")]
)
def test_an_interruption_while_a_command_starts_is_a_line_and_errors_are_told_as_ever(raised: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import scripts\nraise {raised}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and done.stderr.endswith(said)
    assert ("Traceback" in done.stderr) == (raised != "KeyboardInterrupt")
