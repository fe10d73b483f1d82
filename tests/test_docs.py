"""The documentation's pages are made from docstrings; texts for readers name only what exists."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

import agents
import lora_marl

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def imported(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        return importlib.import_module(name)


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    return imported("pages")


@pytest.fixture(scope="module")
def written(pages: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "generated"
    pages.write_all(folder)
    return folder


def test_every_environment_and_learner_has_a_page(written: Path) -> None:
    for name in lora_marl.ENVS:
        text = (written / f"env_{name}.md").read_text()
        assert text.startswith(f"# {name}\n")
        assert "## Observations" in text
    titles = " ".join(path.read_text().partition("\n")[0] for path in written.glob("learner_*.md"))
    assert [name for name in agents.LEARNERS if f"`{name}`" not in titles] == []


def test_lists_and_headings_of_docstrings_become_markdown(pages: ModuleType) -> None:
    page = pages.page_of("agents/bandits/cucb")
    assert "\n**Differences**:\n\n1. The indicator is in {-1, +1}" in page
    assert "\n\n**Source**: D-LoRa journal" in page
    assert "\n#### Actions\n" in pages.page_of("lora_marl/envs/uplink_v0", deeper=2)
    with pytest.raises(ValueError, match="tests/scripts/test_logs: has no docstring"):
        pages.page_of("tests/scripts/test_logs")


def test_intervals_and_short_labels_of_tables_stay_in_one_line(pages: ModuleType) -> None:
    text = pages.unbroken("| 2 P | 9.3 ± 3.6 | a b |\n| a longer label | - |\nWords ± more.")
    assert text == "| 2\xa0P | 9.3\xa0±\xa03.6 | a b |\n| a longer label | - |\nWords ± more."


def test_links_of_pages_lead_somewhere_in_a_clone_and_to_generated_pages_when_built(
    pages: ModuleType, written: Path
) -> None:
    link = re.compile(r"\]\((?!https?:|mailto:)([^)#]+)")
    found = 0
    for page in (*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "configs/policies/README.md"):
        text = page.read_text()
        for target in link.findall(text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
        for target in re.findall(r"\]\(generated/([^)#]+)", pages.to_generated(text)):
            assert (written / target).exists(), f"{page.name}: {target}"
            found += page.parent == DOCS
    assert found > 10


def test_every_page_is_in_the_contents(written: Path) -> None:
    index = (DOCS / "index.md").read_text()
    by_hand = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert [name for name in by_hand if f"\n{name}\n" not in index] == []
    single = [path.stem for path in written.glob("*.md") if not path.stem.startswith(("env_", "learner_"))]
    assert [name for name in single if f"\ngenerated/{name}\n" not in index] == []


def test_the_reference_names_what_is_public(written: Path) -> None:
    text = (written / "reference.md").read_text()
    for part in (
        "## `lora_marl.core.air`",
        "- `class Air`",
        "  - `advance(",
        "  - `nodes: int`",
        "`make(learner: str",
        "- `class Reward`",
    ):
        assert part in text
    assert "_function(" not in text and "(self" not in text


def test_pictures_show_something(tmp_path: Path) -> None:
    figure_module = pytest.importorskip("matplotlib.figure")
    pictures = imported("pictures")
    for draw in (pictures.map_of_rings, pictures.packets, pictures.trade_off):
        figure = figure_module.Figure()
        draw(figure)
        (axes,) = figure.axes
        assert axes.get_title() and (axes.collections or axes.patches)


FOLDERS = ("lora_marl", "agents", "scripts", "tests", "docs", "configs")
MADE_WHEN_BUILT = ("docs/_build", "docs/generated")
OF_USERS = ("my_parts.py",)
"""Files that pages tell a user to write."""

PATH = re.compile(rf"(?<![\w/.-])(?:{'|'.join(FOLDERS)})/[\w./*<>-]*\w|[\w/]+\.py\b")
DOTTED = re.compile(r"(?<![\w/.-])(?:lora_marl|agents|scripts)(?:\.(?!_)\w+)+")
TARGET = re.compile(r"(?:`|^)make ([\w-]+)", re.MULTILINE)
COMMAND = re.compile(r"scripts/((?:recipes/)?\w+)\.py([^`#|;\n]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def texts() -> Iterator[tuple[str, str]]:
    """Where each text for readers stands, and the text: pages, and the docstrings of modules, classes and functions."""
    for path in [*sorted(DOCS.glob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile"))]:
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    for path in sorted(path for folder in FOLDERS[:3] for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(ROOT).as_posix()}:{getattr(node, 'name', '')}", text


@cache
def files() -> list[str]:
    """The paths of all files in the folders that are named in texts."""
    return [path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]


def exists(path: str) -> bool:
    """Whether a path is there from the root on, or, if it names no folder of the root, somewhere below."""
    path = path.removeprefix("CLONE/").removeprefix("/")  # what ".." leaves of a link
    if path.startswith((*MADE_WHEN_BUILT, *OF_USERS)) or "<" in path:
        return True
    if path.startswith(tuple(f"{folder}/" for folder in FOLDERS)):
        return any(True for _ in ROOT.glob(path)) or any(True for _ in ROOT.glob(f"{path}.py"))
    return any(f"/{place}".endswith(f"/{path}") for place in files())


def resolves(name: str) -> bool:
    """Whether a dotted name begins with a module whose source has all further parts as words."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:count])
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if path.is_file():
            words = set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
            return set(parts[count:]) <= words
    return False


def test_paths_that_texts_name_exist() -> None:
    named = {(place, path) for place, text in texts() for path in PATH.findall(text)}
    assert sorted(item for item in named if not exists(item[1])) == []


def test_dotted_names_that_texts_name_resolve() -> None:
    named = {(place, name) for place, text in texts() for name in DOTTED.findall(text)}
    assert sorted(item for item in named if not resolves(item[1])) == []


def test_make_targets_that_texts_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    targets |= {f"recipe-{name}" for name in re.findall(r"^NEEDS_(\w+)", makefile, re.MULTILINE)} | {"recipe-"}
    named = {(place, target) for place, text in texts() for target in TARGET.findall(text)}
    assert sorted(item for item in named if item[1] not in targets) == []


def test_options_of_commands_that_texts_name_exist() -> None:
    named = {
        (place, f"scripts.{script.replace('/', '.')}", option)
        for place, text in texts()
        for script, arguments in COMMAND.findall(text)
        for option in OPTION.findall(arguments)
    }
    known = {module: options_of(module) for _, module, _ in named}
    assert sorted(item for item in named if item[2] not in (known[item[1]] or {item[2]})) == []


def options_of(module: str) -> set[str] | None:
    """The options of a script; None where a library is missing that it needs."""
    try:
        command = get_command(importlib.import_module(module).app)
    except ImportError:
        return None
    parameters = [one for part in (command, *getattr(command, "commands", {}).values()) for one in part.params]
    return {"--help"}.union(*([*parameter.opts, *parameter.secondary_opts] for parameter in parameters))


def test_the_page_of_keys_has_every_key_and_its_range(written: Path) -> None:
    text = (written / "configuration.md").read_text()
    for line in (
        "## `scenario.traffic`\n",
        "| `radius_m` | number | m | 0 to 4.1e+07 | `1000` | Of the disc",
        "| `least_delivery` | number |  | at least 0, at most 1 | `0.7` |",
        "| `learners` | section by text |  |  | required |",
    ):
        assert line in text, line


def test_the_page_of_commands_has_every_option(written: Path) -> None:
    text = (written / "commands.md").read_text()
    for path in (ROOT / "scripts").glob("[!_]*.py"):
        section = text.partition(f"## `python scripts/{path.name}`\n")[2].partition("\n## ")[0]
        assert section, path.name
        options = options_of(f"scripts.{path.stem}")
        assert [option for option in options or () if option.startswith("--") and option not in ("--help",)
                and f"`{option}`" not in section] == []  # fmt: skip
