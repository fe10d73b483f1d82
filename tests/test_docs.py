"""The documentation's pages are the docstrings of modules; `make docs` builds them with Sphinx."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

import agents
import lora_marl

DOCS = Path(__file__).parents[1] / "docs"


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
    with pytest.raises(ValueError, match="scripts/__init__: has no docstring"):
        pages.page_of("scripts/__init__")


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
    for draw in (pictures.map_of_rings, pictures.packets):
        figure = figure_module.Figure()
        draw(figure)
        (axes,) = figure.axes
        assert axes.get_title() and (axes.collections or axes.patches)
