"""Pages that are the docstrings of modules: what a module says of itself is said there alone."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import reference

import agents
import lora_marl

ROOT = Path(__file__).parents[1]

PHYSICS = (
    "units", "region", "tables", "phy", "topology", "propagation", "traffic", "scenario", "reception", "downlink",
    "air", "expect/one_gateway/closed_form", "expect/rayleigh/closed_form", "expect/lognormal/closed_form", "metrics", "outcome", "reference",
)  # fmt: skip
"""Modules of `lora_marl/core`, in the order a packet meets them."""

FURTHER = ("planners/matching", "planners/__init__", "maac/__init__", "lns/__init__", "ccs/__init__")
"""Modules of `agents` whose learners have no name in `agents.LEARNERS`."""

LIBRARIES = (
    "views/__init__",
    *(f"adapters/{n}" for n in ("sb3", "policy", "torchrl", "rllib", "benchmarl", "offline")),
)
RECIPES = (
    "scripts/train_sb3",
    "scripts/record",
    *(f"scripts/recipes/{n}" for n in ("torchrl_mappo", "rllib_ppo", "benchmarl_mappo")),
)


def write_all(folder: Path) -> None:
    """Write every generated page into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, module in lora_marl.ENVS.items():
        write(folder / f"env_{name}.md", f"# {name}", [page_of(module.replace(".", "/"))])
    for module in learner_modules():
        names = [name for name, path in agents.LEARNERS.items() if path.startswith(f"{module.replace('/', '.')}:")]
        title = ", ".join(f"`{name}`" for name in names) or f"`{module.removeprefix('agents/').partition('/')[0]}`"
        write(
            folder / f"learner_{module.removeprefix('agents/').replace('/', '_')}.md", f"# {title}", [page_of(module)]
        )
    write(folder / "physics.md", "# Physics and its sources", sections(f"lora_marl/core/{name}" for name in PHYSICS))
    write(folder / "libraries.md", "# Other libraries", sections(f"lora_marl/{name}" for name in LIBRARIES))
    write(folder / "reference.md", "# Reference", reference.sections())
    write(folder / "recipes.md", "# Recipes", sections(RECIPES))


def learner_modules() -> list[str]:
    """Modules with learners, once each, and the packages whose learners have no name of their own here."""
    named = [path.partition(":")[0].replace(".", "/") for path in agents.LEARNERS.values()]
    return [*dict.fromkeys(named), *(f"agents/{name}" for name in FURTHER)]


def sections(modules: Iterable[str]) -> list[str]:
    """A section for each module, named by its place in the tree."""
    return [f"## `{module.removesuffix('/__init__')}`\n\n{page_of(module, deeper=2)}" for module in modules]


def page_of(module: str, *, deeper: int = 0) -> str:
    """A module's docstring as Markdown, its headings so many levels deeper.

    Raises:
        ValueError: it has none.
    """
    text = ast.get_docstring(ast.parse((ROOT / f"{module}.py").read_text(encoding="utf-8")))
    if text is None:
        raise ValueError(f"{module}: has no docstring")
    text = re.sub(r"^(#+ )", "#" * deeper + r"\1", text, flags=re.MULTILINE)
    lists = re.compile(r"^(Differences[^\n]*:)\n((?: {4}[^\n]*\n?)+)", re.MULTILINE)
    text = lists.sub(lambda found: f"{found[1]}\n\n{re.sub('^ {4}', '', found[2], flags=re.MULTILINE)}", text)
    return re.sub(r"^(Source|Differences)(:| from)", r"\n**\1**\2", text, flags=re.MULTILINE)


def write(path: Path, title: str, parts: Iterable[str]) -> None:
    """Write a page."""
    path.write_text("\n\n".join([title, *parts]) + "\n", encoding="utf-8")
