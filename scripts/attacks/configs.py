"""Mutated configurations: every one is refused in one line, or one that can be written and read back unchanged."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import yaml

from lora_marl.config import ConfigError, dump, load, parse
from scripts.attacks.mutation import damaged_text
from scripts.attacks.tally import counting
from scripts.runs.cli import ROOT

MOST_DAMAGES = 3
"""Of one text."""


def attack_configs(count: int, seed: int, path: Path) -> None:
    """Mutates the configurations of the repository, those that others inherit from included; writes a tally."""
    sources = sorted((ROOT / "configs").glob("*.yaml"))
    texts = {source: source.read_text(encoding="utf-8") for source in sources}
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name, counting("configs", path) as (tally, numbers):
        folder, outside = Path(name) / "configs", Path(name)
        folder.mkdir()
        for source, text in texts.items():
            (folder / source.name).write_text(text, encoding="utf-8")
        for number in numbers(count):
            source = sources[int(rng.integers(len(sources)))]
            text = texts[source]
            for _ in range(int(rng.integers(1, MOST_DAMAGES + 1))):
                text = damaged_text(text, rng)
            mutated = folder / "mutated.yaml"
            mutated.write_text(text, encoding="utf-8", errors="replace")
            tally.attempt(lambda: _read(mutated), (ConfigError,), f"try {number} of {source.name}")  # noqa: B023
        if {entry.name for entry in outside.iterdir()} != {"configs"}:
            tally.fail("write outside the folder", str(list(outside.iterdir())))


def _read(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = load(path)
        again = parse(yaml.safe_load(dump(config)), folder=path.parent)
    if dump(again) != dump(config):
        raise AssertionError("a configuration that was accepted reads back as another one")
