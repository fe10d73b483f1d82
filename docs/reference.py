"""The public parts of modules in short, read from their code: name, signature, first line of the docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

PARTS = {
    "lora_marl": ("__init__",),
    "lora_marl/core": ("*",),
    "lora_marl/core/presets": ("*",),
    "lora_marl/core/expect": ("*", "*/closed_form", "*/incremental"),
    "lora_marl/envs": ("*_v0", "rewards", "*/reward"),
    "lora_marl/views": ("*",),
    "lora_marl/adapters": ("*",),
    "lora_marl/config": ("*",),
    "agents": ("*",),
    "agents/bandits": ("*",),
    "agents/dlora": ("*",),
    "agents/rules": ("*",),
    "agents/norel": ("*",),
    "agents/planners": ("*",),
    "agents/coexistence": ("*",),
    "agents/lns": ("*",),
    "agents/ccs": ("__init__", "service", "participant", "coordinator", "training"),
}
"""Folders, and which of their modules."""

Public = ast.FunctionDef | ast.ClassDef


def sections() -> Iterator[str]:
    """A section for each module that has public parts."""
    for folder, patterns in PARTS.items():
        for path in sorted({path for pattern in patterns for path in (ROOT / folder).glob(f"{pattern}.py")}):
            found = list(public(ast.parse(path.read_text(encoding="utf-8")).body))
            if found:
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                yield "\n".join([f"## `{module}`", "", *lines(found)])


def lines(found: Iterable[Public], indent: str = "") -> Iterator[str]:
    """One for each, those of a class deeper below it."""
    for node in found:
        summary = (ast.get_docstring(node) or "").partition("\n")[0].strip()
        yield f"{indent}- `{signature(node)}`{': ' if summary else ''}{summary}"
        if isinstance(node, ast.ClassDef):
            yield from lines(public(node.body), f"{indent}  ")


def public(body: Iterable[ast.stmt]) -> Iterator[Public]:
    """Functions and classes without an underscore."""
    for node in body:
        if isinstance(node, Public) and not node.name.startswith("_"):
            yield node


def signature(node: Public) -> str:
    """As it is written, without `self`."""
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}"
    answer = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    if any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
        return f"{node.name}{answer.replace(' -> ', ': ')}"
    given = ast.unparse(node.args)
    for first in ("self, ", "cls, ", "self", "cls"):
        if given.startswith(first):
            given = given.removeprefix(first)
            break
    return f"{node.name}({given}){answer}"
