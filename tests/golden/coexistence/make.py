"""Writes `trace.json`, `proxy.json` and `residual.json` anew; run it only where a change of them is meant."""

from __future__ import annotations

import json
from pathlib import Path

from tests.agents.ccs.test_golden import proxy_numbers, residual_numbers
from tests.envs.coexistence.test_golden import trace

HERE = Path(__file__).parent

if __name__ == "__main__":
    for name, made in (("trace", trace()), ("proxy", proxy_numbers()), ("residual", residual_numbers())):
        (HERE / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
