"""Examples in docstrings run: indented blocks that import something, all of a docstring as one program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.examples import example, run

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```|((?:^ {4}[^\n]*\n+)+)", re.MULTILINE | re.DOTALL)
IMPORT = re.compile(r"^(import|from) ", re.MULTILINE)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)

WITH_EXAMPLES = {
    *(f"lora_marl/adapters/{name}.py" for name in ("benchmarl", "minari", "offline", "rllib", "sb3", "torchrl")),
    *(f"lora_marl/envs/{name}_v0.py" for name in ("coexistence", "energy", "uplink")),
    "lora_marl/views/__init__.py",
}


def examples() -> Iterator[tuple[str, str]]:
    """The path of the module of each example, and the code of a docstring's examples."""
    for path in sorted(path for folder in ("lora_marl", "agents", "scripts") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = (ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None) or ""
            code = "\n".join(dedent(fenced or indented) for fenced, indented in BLOCK.findall(f"{text}\n"))
            if IMPORT.search(code):
                yield str(path.relative_to(ROOT)), code


def test_modules_with_examples_are_known() -> None:
    assert {path for path, _ in examples()} == WITH_EXAMPLES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", [example(code, path) for path, code in examples()])
def test_example_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    run(code)
