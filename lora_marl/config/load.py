"""Reading and writing configurations: inheritance, overrides, and errors that name file and field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lora_marl.config.errors import ConfigError, problems
from lora_marl.config.reading import TextError, read_file, values_of
from lora_marl.config.run import SECTIONS, TrainConfig, upgrade

LONGEST_CHAIN = 50
"""Most files that inherit one from another."""


def load(path: str | Path, overrides: Iterable[str] = ()) -> TrainConfig:
    """The validated configuration of a YAML file.

    A file may inherit: `base: other.yaml` (relative to it) gives the values that it does not state; mappings are
    merged, everything else is replaced. What only the kind of run of the base has (its hours, say) is not inherited by
    another kind. A resolved file of an earlier version is upgraded.

    Args:
        path: The file.
        overrides: `dotted.key=value`, the value as in YAML; they win over the file.

    Raises:
        ConfigError: one line for each problem.
    """
    values = _read(Path(path))
    _kind_of_run(values, str(path))
    for override in overrides:
        set_value(values, override)
    return parse(values, source=str(path), folder=Path(path).parent)


def parse(values: Mapping[str, Any], *, source: str = "config", folder: str | Path = ".") -> TrainConfig:
    """The validated configuration of values that are in memory; CSV files are sought from `folder`.

    Raises:
        ConfigError: one line for each problem, led by `source`.
    """
    values = dict(values)
    run = _kind_of_run(values, source)
    try:
        return run.model_validate(values, context={"folder": Path(folder)})
    except ValidationError as error:
        raise ConfigError(problems(error, run, source)) from None


def dump(config: TrainConfig) -> str:
    """YAML of every value of a configuration, defaults and inherited ones included; `load` reads it back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)


def _kind_of_run(values: dict[str, Any], source: str) -> type[TrainConfig]:
    """The kind of run that values describe, which `upgrade` brings into the newest version. ConfigError: none."""
    try:
        return upgrade(values)
    except ValueError as error:
        raise ConfigError([f"{source}: {error}"]) from None


def _read(path: Path, heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    if len(heirs) > LONGEST_CHAIN:
        raise ConfigError([f"{path}: base: over {LONGEST_CHAIN} files inherit from each other"])
    if _resolved(path) in heirs:
        raise ConfigError([f"{path}: base: inherits from itself"])
    try:
        values = read_file(path)
    except TextError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    if not isinstance(values, dict):
        raise ConfigError([f"{path}: is not a mapping of keys to values"])
    odd = next((key for key in values if not isinstance(key, str)), None)
    if odd is not None:
        raise ConfigError([f"{path}: {odd!r} is not a key"])
    values = _rooted(values, path.parent)
    base = values.pop("base", None)
    if base is None:
        return values
    return _inherited(_read(path.parent / str(base), (*heirs, _resolved(path))), values)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL, or links in a circle; reading it says so
        return path


def _rooted(value: Any, folder: Path) -> Any:
    """The values of a file, in which paths to tables count from the file's own folder, whoever inherits them."""
    if not isinstance(value, dict):
        return value
    return {
        key: str(folder.resolve() / inner)
        if isinstance(key, str) and key.endswith("_csv") and isinstance(inner, str)
        else _rooted(inner, folder)
        for key, inner in value.items()
    }


def _inherited(base: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The values of a file over those of its base; fields that the file's kind of run refuses are not inherited."""
    merged = _merged(base, values)
    sections = [name for name in SECTIONS if merged.get(name) is not None]
    if len(sections) != 1 or base.get(sections[0]) is not None:
        return merged
    refused = SECTIONS[sections[0]].refused
    return {name: value for name, value in merged.items() if name in values or name not in refused}


def _merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


def set_value(values: dict[str, Any], override: str) -> None:
    """Write `dotted.key=value`, the value as in YAML, into nested mappings.

    Raises:
        ConfigError: it is no such text, or leads through what is no mapping.
    """
    dotted, equals, text = override.partition("=")
    *parents, last = dotted.strip().split(".")
    if not (equals and last):
        raise ConfigError([f"{override}: an override reads key.path=value"])
    for depth, key in enumerate(parents, 1):
        if values.get(key) is None:
            values[key] = {}
        values = values[key]
        if not isinstance(values, dict):
            raise ConfigError([f"{override}: {'.'.join(parents[:depth])} is not a mapping of keys to values"])
    try:
        values[last] = values_of(text)
    except TextError as error:
        raise ConfigError([f"{override}: {error}"]) from None
