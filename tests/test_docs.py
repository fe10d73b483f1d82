"""The documentation's pages are the docstrings of modules; `make docs` builds them with Sphinx."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import agents
import lora_marl

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages_of_the_docs", DOCS / "pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    page = pages.page_of("agents/bandits")
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
