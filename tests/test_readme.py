import re
from pathlib import Path

import pytest

from tests.examples import example, run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED_FILE = re.compile(r"`((?:agents|configs|lora_marl|scripts|tests)/[\w./-]+)`")


def snippets():
    for page in PAGES:
        for number, code in enumerate(SNIPPET.findall(page.read_text())):
            yield example(code, f"{page.name}-{number}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", list(snippets()))
def test_snippet_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some libraries leave files where they are called
    run(code)


def test_ten_lines_are_about_ten():
    codes = SNIPPET.findall((ROOT / "docs" / "libraries_in_ten_lines.md").read_text())
    lines = [len(re.findall(r"^(?!from |import |\n)", code, re.MULTILINE)) - 1 for code in codes]
    assert len(codes) == 9
    assert max(lines) <= 12, lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page):
    missing = [name for name in NAMED_FILE.findall(page.read_text()) if not (ROOT / name).exists()]
    assert not missing


def test_the_first_two_commands_do_all_the_set_up():
    commands = re.findall(r"^make \w+", (ROOT / "README.md").read_text(), re.MULTILINE)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]
    assert {"demo", "test"} <= set(targets)
