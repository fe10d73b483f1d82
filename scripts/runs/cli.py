"""The command line of all scripts: one console, errors as single lines with exit status 2, reading configurations."""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lora_marl.config import ConfigError, EnergyRun, PacketRun, TrainConfig, load
from lora_marl.core.files import one_line

ROOT = Path(__file__).parents[2]
BAD_INPUT, INTERRUPTED = 2, 130

console = Console(highlight=False, markup=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

JsonPath = Annotated[
    Path | None, typer.Option("--json", metavar="PATH", help="Also write the result here, for machines.")
]


EXTRAS: Mapping[str, str] = {
    "torch": "torch",
    "safetensors": "scripts",
    "stable_baselines3": "sb3",
    "sb3_contrib": "sb3",
    "minari": "offline",
    "ray": "ray",
    "torchrl": "torchrl",
    "moviepy": "video",
    "orjson": "logs",
    "pyarrow": "logs",
    "paho": "logs",
    "scipy": "logs",
}
"""Libraries that some commands need beyond the extra `scripts`, and the extra that installs each."""


class UsageError(Exception):
    """Something that the user asked for cannot be done; the message says why and what to do, in one line."""


def new_app() -> typer.Typer:
    """A script's application: plain tracebacks for bugs; a user's learners import from where the script is called."""
    sys.path.append(str(Path.cwd()))
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"max_content_width": 120},
    )


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns bad input into one line a problem on the error stream and exit status 2."""
    try:
        yield
    except ConfigError as error:
        lines: Sequence[str] = error.problems
    except UsageError as error:
        lines = [str(error)]
    except ModuleNotFoundError as error:
        lines = [_missing(error)]
    except OSError as error:  # a full disk, a folder without permission, a name that is no folder
        lines = [system_error(error)]
    except KeyboardInterrupt:
        errors.print("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    else:
        return
    for line in lines:
        errors.print(f"error: {line}", style="red")
    raise typer.Exit(BAD_INPUT)


def system_error(error: OSError) -> str:
    """What the system says of a file, on one line, with the file's name where it is known."""
    says = error.strerror or one_line(error)
    return says if error.filename is None else f"{error.filename}: {says}"


@contextmanager
def needed(library: str) -> Iterator[None]:
    """Imports of a command that does nothing without a library: where it is missing, one line and exit status 2.

    Whoever imports the command from Python gets the ImportError, with the same line.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != library:
            raise
        line = _missing(error)
        if Path(sys.argv[0]).resolve().parent != ROOT / "scripts":
            raise ModuleNotFoundError(line, name=library) from error
        errors.print(f"error: {line}", style="red")
        raise SystemExit(BAD_INPUT) from None


def how_to_install(library: str) -> str:
    """How to install a library that is missing, in one line."""
    extra = EXTRAS[library]
    return f"needs {library}, of the extra {extra}: pip install -e '.[{extra}]' in the clone"


def _missing(error: ModuleNotFoundError) -> str:
    """What to do where a module is missing. ModuleNotFoundError: it is of no extra, so that something else is wrong."""
    library = str(error.name).partition(".")[0]
    if library not in EXTRAS:
        raise error
    return f"this {how_to_install(library)}"


def read_config(path: Path, overrides: Iterable[str] = (), *, notes: bool = True) -> TrainConfig:
    """The configuration of a file; what it warns of (a broken duty cycle) is shown once, or not at all.

    Raises:
        ConfigError: one line for each problem.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config = load(path, overrides)
    for note in dict.fromkeys(str(warning.message) for warning in caught if notes):
        errors.print(f"note: {note}", style="yellow")
    return config


def read_packet_config(path: Path, overrides: Iterable[str] = (), *, notes: bool = True) -> PacketRun:
    """The configuration of a run of packets.

    Raises:
        ConfigError: one line for each problem.
        UsageError: it is a run of another kind.
    """
    plain = read_config(path, notes=False)
    if not isinstance(plain, PacketRun):
        section = "energy" if isinstance(plain, EnergyRun) else "coexistence"
        raise UsageError(
            f"{path}: is a run of another kind ({section}); python scripts/train.py --config {path} plays all its "
            "learners and prints their table, python scripts/reproduce.py --list names the studies of its kind"
        )
    config = read_config(path, overrides, notes=notes)
    if not isinstance(config, PacketRun):
        raise UsageError(f"{path}: {', '.join(overrides)}: make it a run of another kind")
    return config


def checked_name(name: str) -> str:
    """Returns a name that can be that of a folder.

    Raises:
        UsageError: it is none.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"--name: {name!r} is not a name of letters, digits, '_', '-' and '.'")
    return name


def write_json(path: Path | None, records: Sequence[dict[str, Any]]) -> None:
    """Writes a list of records, if a path was given; numbers that are not finite become null.

    Raises:
        UsageError: the file cannot be written.
    """
    if path is None:
        return
    plain = [{key: _json_value(value) for key, value in record.items()} for record in records]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
