"""The public functions and classes of modules, read from their code: signature and first line of the docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

MODULES = {
    "lora_marl": ("__init__",),
    "lora_marl/core": ("*",),
    "lora_marl/core/presets": ("*",),
    "lora_marl/core/expect": ("*", "*/closed_form", "*/incremental"),
    "lora_marl/envs": ("*_v0", "rewards", "*/reward"),
    "lora_marl/views": ("*",),
    "lora_marl/adapters": ("*",),
    "lora_marl/config": ("*",),
    "lora_marl/logs": ("*",),
    "agents": ("*",),
    "agents/bandits": ("*",),
    "agents/dlora": ("*",),
    "agents/rules": ("*",),
    "agents/norel": ("*",),
    "agents/planners": ("*",),
    "agents/coexistence": ("*",),
    "agents/lns": ("*",),
    "agents/ccs": ("__init__", "service", "residuals", "model", "training"),
}
"""Patterns of module names by folder."""

Public = ast.FunctionDef | ast.ClassDef


def sections() -> Iterator[str]:
    """A section for each module with public functions or classes."""
    for folder, patterns in MODULES.items():
        for path in sorted({path for pattern in patterns for path in (ROOT / folder).glob(f"{pattern}.py")}):
            nodes = list(public(ast.parse(path.read_text(encoding="utf-8")).body))
            if nodes:
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                yield "\n".join([f"## `{module}`", "", *lines(nodes)])


def lines(nodes: Iterable[Public], indent: str = "") -> Iterator[str]:
    """A line of a list for each function or class, and an indented one for each method."""
    for node in nodes:
        summary = (ast.get_docstring(node) or "").partition("\n")[0].strip()
        yield f"{indent}- `{signature(node)}`{': ' if summary else ''}{summary}"
        if isinstance(node, ast.ClassDef):
            yield from lines(public(node.body), f"{indent}  ")


def public(body: Iterable[ast.stmt]) -> Iterator[Public]:
    """The functions and classes of a body whose names have no leading underscore."""
    for node in body:
        if isinstance(node, Public) and not node.name.startswith("_"):
            yield node


def signature(node: Public) -> str:
    """Name, arguments and result as written in the code, without `self` and `cls`."""
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}"
    result = ast.unparse(node.returns) if node.returns else ""
    if any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
        return f"{node.name}: {result}" if result else node.name
    arguments = ast.unparse(node.args)
    first, _, others = arguments.partition(", ")
    if first in ("self", "cls"):
        arguments = others
    return f"{node.name}({arguments}){f' -> {result}' if result else ''}"
