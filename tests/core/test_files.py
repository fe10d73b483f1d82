from __future__ import annotations

from pathlib import Path

import pytest

from lora_marl.core.files import write_atomically

TEXT = "a\r\nÄ\n"


@pytest.mark.parametrize("content", [TEXT, TEXT.encode(), lambda path: path.write_bytes(TEXT.encode())])
def test_text_bytes_and_functions_are_written(tmp_path: Path, content: object) -> None:
    write_atomically(tmp_path / "file.txt", content)
    assert (tmp_path / "file.txt").read_bytes() == TEXT.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_text("half of")
        raise KeyboardInterrupt

    (tmp_path / "file.txt").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file.txt", write)
    assert (tmp_path / "file.txt").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "file.txt", "text")
