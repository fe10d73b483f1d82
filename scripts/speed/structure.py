"""Counts what a reader of the code meets: sizes of modules, imports, private functions, repeated blocks, hops.

- `python -m scripts.speed.structure`
- `python -m scripts.speed.structure --at BEFORE --at . --json structure.json`

Every folder given by `--at` is a checkout, and a column of the table. The counts are of `lora_marl`, `agents` and
`scripts`; tests are left out.

| count | meaning |
|---|---|
| lines | all lines of a file, blank ones and comments too |
| median, 90 %, largest | lines of modules; the 90 % mark is the nearest rank |
| lines that import | lines of import statements, wherever they stand |
| one importer | modules that exactly one other module of the three packages imports |
| mentioned once | private functions and methods that their module mentions once outside their own body |
| repeated blocks | pairs of places that share at least six lines of code, see `repeated_blocks` |
| summaries | docstrings of modules, classes and functions that begin with one of some words that name nothing |
| words | identifiers, and words in strings and comments, that name nothing either |

The ways of a configured value and of a policy snapshot are traced while `scripts/train.py` runs, with the checkout's
own code in a process of its own; `scripts.speed.traces` defines what is counted. `--json` lists the places, too.
"""

from __future__ import annotations

import ast
import io
import json as json_text
import math
import os
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from scripts.runs.cli import ROOT, JsonPath, UsageError, console, errors, new_app, one_line_errors, write_json

app = new_app()

PACKAGES = ("lora_marl", "agents", "scripts")
SHORT_LINES = 60
BLOCK_LINES = 6
VAGUE_SUMMARIES = ("See", "Of", "What")
VAGUE_WORDS = ("found", "told", "careful", "riding", "takers")

Counts = dict[str, float]
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


@app.command(help=__doc__)
def main(
    at: Annotated[
        list[Path] | None, typer.Option("--at", metavar="FOLDER", help="A checkout; more may follow. This one if none.")
    ] = None,
    traces: Annotated[bool, typer.Option(help="Also trace runs of the checkout's code.")] = True,
    json: JsonPath = None,
) -> None:
    """Prints a Markdown table with a column for each checkout."""
    with one_line_errors():
        folders = at or [ROOT]
        records: list[dict[str, Any]] = []
        for folder in folders:
            counts, places = counts_of(folder), traced(folder) if traces else {}
            counts |= {name: len(items) for name, items in places.items()}
            records.append({"folder": str(folder), "counts": counts, "places": places})
        console.print(table([(record["folder"], record["counts"]) for record in records]))
        write_json(json, records)


@dataclass(frozen=True)
class Module:
    """A module of a checkout.

    Attributes:
        name: Its dotted name; that of a package for its `__init__`.
        text: Its source.
    """

    name: str
    text: str
    tree: ast.Module = field(repr=False)

    @property
    def package(self) -> str:
        """The top-level package that it is part of."""
        return self.name.partition(".")[0]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the syntax tree."""
        return list(ast.walk(self.tree))

    @property
    def lines(self) -> int:
        """Lines of the file."""
        return len(self.text.splitlines())

    @cached_property
    def import_lines(self) -> set[int]:
        """Numbers of the lines that import statements take."""
        return _line_numbers(node for node in self.nodes if isinstance(node, ast.Import | ast.ImportFrom))

    @cached_property
    def docstrings(self) -> list[ast.Expr]:
        """The statements that are docstrings, those of attributes included."""
        return [
            node
            for node in self.nodes
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        ]


def modules_of(folder: Path) -> list[Module]:
    """The modules of the three packages of a checkout, sorted by path.

    Raises:
        UsageError: the folder holds none of the packages.
    """
    modules = []
    for package in PACKAGES:
        for path in sorted((folder / package).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            text = path.read_text(encoding="utf-8")
            modules.append(Module(".".join(part for part in parts if part != "__init__"), text, ast.parse(text)))
    if not modules:
        raise UsageError(f"{folder}: has none of {', '.join(PACKAGES)}")
    return modules


def counts_of(folder: Path) -> Counts:
    """All counts that need no run, by the name of their row."""
    modules = modules_of(folder)
    counts: Counts = {}
    for package in PACKAGES:
        part = [module for module in modules if module.package == package]
        counts |= {f"{package}: {name}": value for name, value in sizes(part).items()}
    counts |= {f"total: {name}": value for name, value in sizes(modules).items()}
    counts["modules with one importer"] = sum(len(names) == 1 for names in importers(modules).values())
    mentions = [count for module in modules for count in private_mentions(module).values()]
    counts["private functions"] = len(mentions)
    counts["private functions mentioned once"] = mentions.count(1)
    counts[f"repeated blocks of {BLOCK_LINES} lines or more"] = len(repeated_blocks(modules))
    summaries = Counter(word for module in modules for word in summary_words(module))
    counts |= {f"summaries that begin with {word!r}": summaries[word] for word in VAGUE_SUMMARIES}
    counts[f"identifiers {', '.join(VAGUE_WORDS)}"] = sum(identifier_count(module) for module in modules)
    counts["the same words in strings and comments"] = sum(prose_count(module) for module in modules)
    return counts


def sizes(modules: list[Module]) -> Counts:
    """Number and lines of modules, and how the lines are spread."""
    lines = sorted(module.lines for module in modules)
    if not lines:
        return {}
    total = sum(lines)
    return {
        "files": len(lines),
        "lines": total,
        "median lines": median(lines),
        "90 % lines": lines[math.ceil(0.9 * len(lines)) - 1],
        "largest": lines[-1],
        f"% of modules under {SHORT_LINES} lines": _percent(sum(n < SHORT_LINES for n in lines), len(lines)),
        "% of lines that import": _percent(sum(len(module.import_lines) for module in modules), total),
    }


def importers(modules: list[Module]) -> dict[str, set[str]]:
    """For each module that another one imports, the names of those that import it.

    `from package import name` imports the module `package.name` where there is one, and otherwise `package`.
    """
    known = {module.name for module in modules}
    users: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for name in _imported(module):
            target = name if name in known else name.rpartition(".")[0]
            if target in known and target != module.name:
                users[target].add(module.name)
    return users


def _imported(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def private_mentions(module: Module) -> dict[tuple[str, int], int]:
    """For each private function, by name and line, how often its module mentions it outside its own body."""
    private = [
        node
        for node in module.nodes
        if isinstance(node, Function) and node.name.startswith("_") and not node.name.endswith("__")
    ]
    lines: dict[str, list[int]] = defaultdict(list)
    for node in module.nodes:
        if isinstance(node, ast.Name):
            lines[node.id].append(node.lineno)
        elif isinstance(node, ast.Attribute):
            lines[node.attr].append(node.lineno)
    return {
        (node.name, node.lineno): sum(not node.lineno <= line <= (node.end_lineno or 0) for line in lines[node.name])
        for node in private
    }


def repeated_blocks(modules: list[Module]) -> list[tuple[str, int, str, int]]:
    """Pairs of places with the same code: module and line number of the one, and of the other.

    Blank lines, comments, docstrings, imports and indentation are left out of the comparison. A pair stands for a run
    of equal lines, however long it is; two places that overlap are no pair.
    """
    code = [code_lines(module) for module in modules]
    places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for number, lines in enumerate(code):
        texts = [text for _, text in lines]
        for start in range(len(texts) - BLOCK_LINES + 1):
            places[tuple(texts[start : start + BLOCK_LINES])].append((number, start))
    pairs = []
    for same in places.values():
        for (one, i), (other, j) in combinations(same, 2):
            goes_on = i > 0 and j > 0 and code[one][i - 1][1] == code[other][j - 1][1]
            overlaps = one == other and j - i < BLOCK_LINES
            if not goes_on and not overlaps:
                pairs.append((modules[one].name, code[one][i][0], modules[other].name, code[other][j][0]))
    return sorted(pairs)


def code_lines(module: Module) -> list[tuple[int, str]]:
    """Number and stripped text of the lines that are neither blank, comment, docstring nor import."""
    skipped = module.import_lines | _line_numbers(module.docstrings)
    lines = ((number, line.strip()) for number, line in enumerate(module.text.splitlines(), 1) if number not in skipped)
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def summary_words(module: Module) -> Iterator[str]:
    """The first word of every docstring of a module, class or function."""
    for node in module.nodes:
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield re.split(r"\W", text, maxsplit=1)[0]


def identifier_count(module: Module) -> int:
    """Returns how many identifiers of the code are one of the words, leading underscores aside."""
    names = (
        getattr(node, attribute, None) for node in module.nodes for attribute in ("id", "arg", "attr", "name", "asname")
    )
    return sum(isinstance(name, str) and name.lstrip("_") in VAGUE_WORDS for name in names)


def prose_count(module: Module) -> int:
    """Returns how many words of strings, docstrings and comments are one of the words."""
    texts = [node.value for node in module.nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    texts += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return sum(len(re.findall(rf"\b(?:{'|'.join(VAGUE_WORDS)})\b", text)) for text in texts)


def traced(folder: Path) -> dict[str, list[str]]:
    """Returns the counts of `scripts.speed.traces`, from a process that imports the checkout's code.

    Raises:
        UsageError: the checkout's run fails.
    """
    command = [sys.executable, "-P", str(Path(__file__).with_name("traces.py"))]
    environment = {**os.environ, "PYTHONPATH": str(folder.resolve())}  # ahead of an installed copy of the project
    with errors.status(f"{folder}: traces three runs"):
        answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if answer.returncode:
        raise UsageError(f"{folder}: {(answer.stderr.strip().splitlines() or ['no message'])[-1]}")
    places: dict[str, list[str]] = json_text.loads(answer.stdout)
    return places


def table(columns: list[tuple[str, Counts]]) -> str:
    """A Markdown table with a row for each count, of columns with a title."""
    rows = dict.fromkeys(name for _, counts in columns for name in counts)
    lines = [["", *(title for title, _ in columns)], ["---", *("---:" for _ in columns)]]
    lines += [[name, *(f"{counts[name]:,g}" if name in counts else "" for _, counts in columns)] for name in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _line_numbers(nodes: Any) -> set[int]:
    return {line for node in nodes for line in range(node.lineno, node.end_lineno + 1)}


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1)


if __name__ == "__main__":
    app()
