"""YAML that comes from outside, as plain values: bounded in size, depth and expansion, with errors of one line.

Scalars are those of YAML 1.2: `off` is a word, `1e-4` a number, `1:30:00` and `2001-12-14` are texts. A key may occur
once. No message quotes what a file holds, beyond a key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

LARGEST_BYTES: Final = 16 * 2**20
"""Larger files are refused: 100,000 nodes as lists take 4 MB."""

MOST_VALUES: Final = 500_000
"""Most values of a file, those that aliases repeat counted as often as they occur: they take some 10 CPU s."""

DEEPEST: Final = 60
"""Most levels of lists and mappings within each other."""

LONGEST_NUMBER: Final = 400
"""Most characters of a number: the largest double has 309 digits."""

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
_QUOTED = 60
"""Most characters of a key that a message quotes."""


class TextError(ValueError):
    """A text that is no YAML, or more than is read; the message is one line."""


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""LibYAML's where PyYAML was built with it: it is some ten times as fast."""


class _Loader(_Base):
    """YAML with the scalars of version 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is a list or a mapping", key.start_mark)
            if (key.tag, key.value) in seen:
                said = f"the key {key.value[:_QUOTED]!r} occurs twice"
                raise yaml.constructor.ConstructorError(None, None, said, key.start_mark)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)

    def integer(self, node: yaml.ScalarNode) -> int:
        """An integer of YAML 1.2: decimal, `0o17` or `0x1f`."""
        text = _number_text(node)
        base = {"0o": 8, "0x": 16}.get(text[:2].lower(), 10)
        return int(text[2:] if base != 10 else text, base)

    def number(self, node: yaml.ScalarNode) -> float:
        """A number of YAML 1.2."""
        text = _number_text(node).lower()
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))

    def truth(self, node: yaml.ScalarNode) -> bool:
        """`true` or `false`."""
        return {"true": True, "false": False}[node.value.lower()]


_PATTERNS = {
    "bool": (r"true|True|false|False", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (r"[-+]?(?:(?:\.\d+|\d+\.?\d*)(?:[eE][-+]?\d+)?|\.(?:inf|Inf))|\.(?:nan|NaN)", "-+.0123456789"),
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "merge": ("<<", "<"),
}
for _name, (_pattern, _first) in _PATTERNS.items():
    _letters = [letter if letter != "\0" else "" for letter in _first]
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^(?:{_pattern})$", re.ASCII), _letters)
for _name, _construct in (("int", _Loader.integer), ("float", _Loader.number), ("bool", _Loader.truth)):
    _Loader.add_constructor(f"{_TAG}{_name}", _construct)


def read_file(path: Path) -> Any:
    """The values of a YAML file.

    Raises:
        TextError: it is no regular file, too large, no text or no YAML.
    """
    try:
        if path.exists() and not path.is_file():
            raise TextError("is not a regular file")
        if path.stat().st_size > LARGEST_BYTES:
            raise TextError(f"has {path.stat().st_size} bytes; at most {LARGEST_BYTES} are read")
        text = path.read_text(encoding="utf-8-sig")
    except TextError:
        raise
    except OSError as error:
        raise TextError(error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise TextError("is no text in UTF-8") from None
    except ValueError:  # a NUL in the path
        raise TextError("is no name of a file") from None
    return values_of(text)


def values_of(text: str) -> Any:
    """The values of a YAML text.

    Raises:
        TextError: it is no YAML, too deep, or too much once aliases are expanded.
    """
    try:
        _check_size(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_bounds(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise TextError(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise TextError(" ".join(str(error).split())[:200]) from None
    except RecursionError:
        raise TextError(f"is nested too deeply; at most {DEEPEST} levels are read") from None
    except TextError:
        raise
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError):
        raise TextError("has a value that is none of its type") from None


def _number_text(node: yaml.ScalarNode) -> str:
    if len(node.value) > LONGEST_NUMBER:
        said = f"a number of {len(node.value)} characters; at most {LONGEST_NUMBER} are read"
        raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)
    return str(node.value)


def _check_size(text: str) -> None:
    """Raise TextError for too many levels or values, before anything recurses into them or stores them."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if count > 2 * MOST_VALUES:  # a list begins and ends
            raise TextError(f"has more than {MOST_VALUES} values")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise TextError(f"is nested too deeply; at most {DEEPEST} levels are read")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_bounds(root: yaml.Node) -> None:
    """Raise TextError for a tag of another type than plain data, a cycle, or too many values.

    An alias is the node that it refers to, so a node may be met on several ways; it is looked into once.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        inner = _children(node)
        if done:
            open_nodes.discard(id(node))
            sizes[id(node)] = min(1 + sum(sizes[id(child)] for child in inner), MOST_VALUES + 1)
            continue
        if id(node) in sizes:
            continue
        if node.tag not in _PLAIN_TAGS:
            raise TextError(f"line {node.start_mark.line + 1}: the tag {node.tag[:_QUOTED]!r} is not plain data")
        open_nodes.add(id(node))
        stack.append((node, True))
        for child in inner:
            if id(child) in open_nodes:
                raise TextError(f"line {child.start_mark.line + 1}: an alias holds itself")
            stack.append((child, False))
    if sizes[id(root)] > MOST_VALUES:
        raise TextError(f"has more than {MOST_VALUES} values once aliases are expanded")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
