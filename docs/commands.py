"""The page of every command with its arguments and options, from the commands themselves."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from typer.models import ArgumentInfo, OptionInfo, ParameterInfo

ROOT = Path(__file__).parents[1]

_WORDS = {bool: "flag", int: "whole number", float: "number", str: "text", Path: "path"}


def names() -> list[str]:
    """The commands: the files of `scripts/`."""
    return sorted(path.stem for path in (ROOT / "scripts").glob("*.py") if path.stem != "__init__")


def parts() -> Iterator[str]:
    """A heading, the command's own text and a table of its options for each command."""
    yield "Every command takes `--help`. Commands run in a clone, with its environment active."
    for name in names():
        yield f"## `python scripts/{name}.py`\n\n{_text(name)}\n\n{_options(name)}"


def _text(name: str) -> str:
    tree = ast.parse((ROOT / "scripts" / f"{name}.py").read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or ""


def _options(name: str) -> str:
    try:
        app = importlib.import_module(f"scripts.{name}").app
    except ModuleNotFoundError as error:
        return f"Its options are not shown here, since this page was made without a library: {error}."
    if len(app.registered_commands) == 1:
        return _table(app.registered_commands[0].callback)
    return "\n\n".join(
        f"### `{command.name or command.callback.__name__}`\n\n{inspect.getdoc(command.callback)}\n\n"
        + _table(command.callback)
        for command in app.registered_commands
    )


def _table(command: Callable[..., None]) -> str:
    rows = ["| option | value | default | meaning |", "|---|---|---|---|"]
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind, *_ = get_args(parameter.annotation)
        info = next(item for item in parameter.annotation.__metadata__ if isinstance(item, ParameterInfo))
        meaning = " ".join((info.help or "").split())
        cells = (_names(parameter.name, info), _value(kind, info), _default(parameter, kind), meaning)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def _names(name: str, info: ParameterInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return f"`{info.metavar or name.upper()}`"
    assert isinstance(info, OptionInfo)
    # Beside `Annotated` the first name that is declared takes the place of a default.
    declared = [text for text in (info.default, *(info.param_decls or ())) if str(text).startswith("-")]
    return ", ".join(f"`{option}`" for option in declared or [f"--{name.replace('_', '-')}"])


def _value(kind: Any, info: ParameterInfo) -> str:
    options = [part for part in get_args(kind) if part is not NoneType] if NoneType in get_args(kind) else [kind]
    (one,) = options
    repeated = get_origin(one) is list
    one = get_args(one)[0] if repeated else one
    if isinstance(one, type) and issubclass(one, Enum):
        text = ", ".join(f"`{choice.value}`" for choice in one)
    else:
        text = _WORDS.get(one, str(one))
    if info.metavar and isinstance(info, OptionInfo):
        text = info.metavar
    bounds = [f"{word} {value:g}" for word, value in (("from", info.min), ("to", info.max)) if value is not None]
    return ", ".join([text, *bounds, *(["may be repeated"] if repeated else [])])


def _default(parameter: inspect.Parameter, kind: Any) -> str:
    default = parameter.default
    if default is inspect.Parameter.empty:
        return "required"
    if default is None or default is False:
        return ""
    return f"`{getattr(default, 'value', default)}`"
