"""The page of every configuration key, from the validated models."""

from __future__ import annotations

from collections.abc import Iterator

from lora_marl.config.keys import Key, keys_of, sections

INTRODUCTION = """A configuration is a YAML file; `--set place.key=value` changes single values. `base: other.yaml`
(relative to the file) takes over all values that a file does not state. A key that is not stated has its default; one
that is not known is an error that names the nearest. A key whose name ends in a unit holds that unit, and takes other
units by name: `interval_s: 10min`, `radius_m: 2.5 km`, `channels_hz: [868.1 MHz]`. All keys are there since 0.1.

`python scripts/schema.py --out schema.json` writes the same as a JSON Schema, with which editors complete keys."""


def parts() -> Iterator[str]:
    """Introduction, then a heading, a sentence and a table for each section."""
    yield INTRODUCTION
    for place, section, sentence in sections():
        yield f"## {f'`{place}`' if place else 'Top level'}\n\n{_upper(sentence)}.\n\n{_table(keys_of(section))}"


def _table(keys: list[Key]) -> str:
    rows = ["| key | type | unit | range | default | meaning |", "|---|---|---|---|---|---|"]
    for key in keys:
        default = "required" if key.default is None else f"`{key.default}`" if " " not in key.default else key.default
        cells = (f"`{key.name}`", key.kind, key.unit, key.allowed, default, key.meaning)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
