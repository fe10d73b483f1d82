"""Parts of other makings of the service: vendors' policies, and the first rollouts, which know no service."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from scripts.coexistence.whole import read_json, whole

SETTINGS = "settings.json"


def take_vendors(other: Path, paths: list[Path]) -> None:
    """Copies policies of the same names that are not there yet. ValueError: the other folder lacks one, naming it."""
    for path in (path for path in paths if not path.exists()):
        if not (other / path.name).exists():
            raise ValueError(f"{other}: has no vendor's policy {path.name}; {len(paths)} of the kind are wanted")
        whole(path, partial(shutil.copyfile, other / path.name))


def first_rollouts(other: Path, settings: Mapping[str, str], count: int) -> Path:
    """The folder of another making's first rollouts, if they are what this one's would be.

    Args:
        other: Folder of its work.
        settings: Of this making, as its file has them.
        count: How many there must be.

    Raises:
        ValueError: they are of other vendors, worlds or times, or some are missing, naming it.
    """
    if not (other / SETTINGS).exists():
        raise ValueError(f"{other}: has no {SETTINGS}, so nobody knows what its rollouts are of")
    before = read_json(other / SETTINGS)
    for name in ("seen", "intervals", "seed", "passes"):
        # Of the passes what is played before the first one counts; how they are trained does not.
        ours, theirs = (text.partition(", steps=")[0] for text in (settings[name], before.get(name, "nothing")))
        if ours != theirs:
            raise ValueError(f"{other}: its rollouts are of {name} = {theirs}, not {ours}")
    folder = other / "rollouts-0"
    for i in range(count):
        if not (folder / f"{i}.safetensors").exists():
            raise ValueError(f"{folder}: has no rollout {i}; {count} are wanted")
    return folder
