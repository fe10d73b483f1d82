"""Pages made from the docstrings of modules, so that what a module says about itself is written once."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import commands
import configuration
import reference

import agents
import lora_marl

ROOT = Path(__file__).parents[1]

PHYSICS = (
    *("units", "region", "tables", "scenario", "topology", "coexistence", "random", "traffic", "mixture", "phy"),
    *("device", "energy", "links"),
    *("propagation", "interference", "reception", "downlink", "air", "outcome", "metrics", "reference"),
    *(f"expect/{name}/closed_form" for name in ("one_gateway", "rayleigh", "lognormal")),
)
"""Modules of `lora_marl/core`: the network, a packet in the order of its life, its fate, and closed forms."""

UNNAMED = (
    *("rules/served_adr", "planners/__init__", "planners/matching", "maac/__init__", "lns/__init__"),
    *("coexistence/__init__", "ccs/__init__"),
)
"""Modules of `agents` whose learners have no name in `agents.LEARNERS`, or share a page."""

LIBRARIES = (
    "views/__init__",
    *(f"adapters/{name}" for name in ("sb3", "policy", "torchrl", "rllib", "benchmarl", "offline")),
)
RECIPES = (
    "scripts/train_sb3",
    "scripts/record",
    *(f"scripts/recipes/{name}" for name in ("ppo_arrays", "torchrl_mappo", "rllib_ppo", "benchmarl_mappo")),
)


def write_all(folder: Path) -> None:
    """Write every generated page into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, module in lora_marl.ENVS.items():
        write(folder / f"env_{name}.md", name, [page_of(module.replace(".", "/"))])
    for module in learner_modules():
        place = module.removeprefix("agents/").removesuffix("/__init__")
        names = [name for name, path in agents.LEARNERS.items() if path.startswith(f"{module.replace('/', '.')}:")]
        title = ", ".join(f"`{name}`" for name in names or [place.replace("/", ".")])
        write(folder / f"{learner_page(module)}.md", title, [page_of(module)])
    write(folder / "physics.md", "Physics and its sources", sections(f"lora_marl/core/{name}" for name in PHYSICS))
    write(folder / "libraries.md", "Other libraries", sections(f"lora_marl/{name}" for name in LIBRARIES))
    write(folder / "reference.md", "Reference", reference.sections())
    write(folder / "configuration.md", "Configuration keys", configuration.parts())
    write(folder / "commands.md", "Commands", commands.parts())
    write(folder / "recipes.md", "Recipes", sections(RECIPES))


def learner_modules() -> list[str]:
    """Modules with a learner that has a name, once each, and the others that have a page."""
    named = [path.partition(":")[0].replace(".", "/") for path in agents.LEARNERS.values()]
    return [*dict.fromkeys(named), *(f"agents/{name}" for name in UNNAMED)]


def sections(modules: Iterable[str]) -> list[str]:
    """A section for each module, under the module's path."""
    return [f"## `{module.removesuffix('/__init__')}`\n\n{page_of(module, deeper=2)}" for module in modules]


def page_of(module: str, *, deeper: int = 0) -> str:
    """A module's docstring as Markdown.

    Args:
        module: Path from the project's root, without the suffix.
        deeper: Levels by which headings are lowered.

    Raises:
        ValueError: the module has no docstring.
    """
    text = ast.get_docstring(ast.parse((ROOT / f"{module}.py").read_text(encoding="utf-8")))
    if text is None:
        raise ValueError(f"{module}: has no docstring")
    text = re.sub(r"^(#+ )", "#" * deeper + r"\1", text, flags=re.MULTILINE)
    lists = re.compile(r"^(Differences[^\n]*:)\n((?: {4}[^\n]*\n?)+)", re.MULTILINE)
    text = lists.sub(lambda match: f"{match[1]}\n\n{re.sub('^ {4}', '', match[2], flags=re.MULTILINE)}", text)
    return re.sub(r"^(Source|Differences)(:| from)", r"\n**\1**\2", text, flags=re.MULTILINE)


def write(path: Path, title: str, parts: Iterable[str]) -> None:
    """Write a page with a title."""
    path.write_text("\n\n".join([f"# {title}", *parts]) + "\n", encoding="utf-8")


SOURCES = {
    "configuration": "lora_marl/config",
    "commands": "scripts",
    "libraries": "lora_marl/adapters",
    "recipes": "scripts/recipes",
    "physics": "lora_marl/core",
}
"""What a page written by hand links to in a clone, where no generated page is, by the name of that page."""


def to_generated(text: str) -> str:
    """A page whose links to modules with a generated page, and to the folders of `SOURCES`, lead to these pages."""
    pages = {place: name for name, place in SOURCES.items()}
    pages |= {f"{module.replace('.', '/')}.py": f"env_{name}" for name, module in lora_marl.ENVS.items()}
    pages |= {f"{module}.py": learner_page(module) for module in learner_modules()}
    return re.sub(
        r"\]\(\.\./([\w/.]+)\)",
        lambda link: f"](generated/{pages[link[1]]}.md)" if link[1] in pages else link[0],
        text,
    )


def learner_page(module: str) -> str:
    """The name of the page of a learner's module, such as `agents/bandits/cucb`."""
    return f"learner_{module.removeprefix('agents/').removesuffix('/__init__').replace('/', '_')}"


def unbroken(text: str) -> str:
    """A page of Markdown whose tables keep a number with its interval, and a short first cell, in one line."""
    text = re.sub(r"^\|.*", lambda line: line[0].replace(" ± ", "\xa0±\xa0"), text, flags=re.MULTILINE)
    first = re.compile(r"^\| ([^|`\n]{1,10}) \|", re.MULTILINE)
    return first.sub(lambda cell: f"| {cell[1].replace(' ', chr(0xA0))} |", text)
