"""Everything that random numbers are derived from: names of streams, and what seeds are combined with.

These are data. Whoever renames one changes every result, so a change here needs a reason and a line in the changelog.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lora_marl.core.random import bits, stream_key

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for folder in ("lora_marl", "agents", "scripts") for path in (ROOT / folder).rglob("*.py"))

SEEDED = {"stream_key", "stream_keys", "default_rng", "SeedSequence", "manual_seed", "Random"}
"""Functions that make generators and keys; all their arguments count."""

NAMED = {"uniform", "uniform_shared", "normal", "generator", "Draws", "crc32"}
"""Functions that draw from, or make, a stream by name; calls without a name in them are of something else."""

EXPECTED = {
    "Draws(_, _, 'act')",
    "Draws(_, _, 'chance')",
    "Draws(_, _, 'exported')",
    "Draws(_, _, 'replay')",
    "Random(_)",
    "SeedSequence([_, 12])",
    "SeedSequence([_, _])",
    "SeedSequence(_, (1,))",
    "SeedSequence(_, (2,))",
    "crc32(b'survey')",
    "default_rng((_, 1))",
    "default_rng(0)",
    "default_rng([*_, _, _])",
    "default_rng([_, 1])",
    "default_rng([_, _])",
    "default_rng(_)",
    "generator(_, 'batch', _)",
    "manual_seed(0)",
    "manual_seed(_)",
    "stream_key(_, 'downlink')",
    "stream_key(_, 'fading')",
    "stream_key(_, 'hop')",
    "stream_key(_, 'learner')",
    "stream_key(_, 'lost')",
    "stream_key(_, 'matching')",
    "stream_key(_, 'shadowing')",
    "stream_key(_, 'slow')",
    "stream_key(_, 'traffic')",
    "stream_keys(_, (*_, *_))",
    "stream_key(_, f'lns.{_}')",
    "uniform('action', _, _)",
    "uniform('policy')",
    "uniform('policy', _, _)",
    "uniform('target')",
    "uniform('target', _, _)",
    "uniform(f'{_}.{_}_{_}', 0, _, _)",
    "uniform_shared(f'{_}.{_}_{_}', 0, _, _)",
}
"""`_` stands for a variable."""


class _Template(ast.NodeTransformer):
    """Keeps constants, also those of the module by name, and how they are combined; anything else becomes `_`."""

    def __init__(self, constants: dict[str, object]) -> None:
        self.constants = constants

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Name) and isinstance(self.constants.get(node.id), int | str | bytes):
            return ast.Constant(self.constants[node.id])
        if isinstance(node, ast.Constant | ast.operator | ast.expr_context):
            return node
        if isinstance(node, ast.List | ast.Tuple | ast.Starred | ast.BinOp | ast.JoinedStr | ast.FormattedValue):
            return super().generic_visit(node)
        return ast.Name("_")


def constants_of(path: Path) -> dict[str, object]:
    """The constants of a module."""
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError:  # a library that is not installed
        return {}
    return {key: value for key, value in vars(module).items() if key.lstrip("_").isupper()}


def seedings(path: Path) -> Iterator[str]:
    """Calls that random numbers are derived by, variables aside."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    constants: dict[str, object] | None = None
    for call in calls:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name not in SEEDED | NAMED:
            continue
        constants = constants_of(path) if constants is None else constants
        values = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg != "generator")]
        parts = [_Template(constants).visit(value) for value in values]
        text = [ast.unparse(part) for part in parts]
        if name in SEEDED or any(quote in part for part in text for quote in "'\""):
            yield f"{name}({', '.join(text)})"


def test_names_of_streams_and_what_seeds_are_combined_with_stay() -> None:
    assert {seeding for path in MODULES for seeding in seedings(path)} == EXPECTED


def test_streams_of_the_air_stay() -> None:
    air = importlib.import_module("lora_marl.core.air")
    assert tuple(air._STREAMS.values()) == (
        "traffic",
        "shadowing",
        "fading",
        "noise",
        "downlink",
        "retry",
        "burst",
        "choice",
    )

    assert air.STREAM_KEYS.names == ("hop", "slow", "lost")


@pytest.mark.parametrize(
    ("seed", "name", "key"),
    [
        (0, "traffic", 16157155019762106770),
        (7, "learner", 12903639480468669962),
        (2**40, "lns.replay", 7780776362422232168),
    ],
)
def test_keys_stay(seed: int, name: str, key: int) -> None:
    assert int(stream_key(seed, name)) == key


def test_bits_stay() -> None:
    assert int(bits(np.uint64(1), 2, 3)) == 1072907043932612987
    assert int(bits(np.uint64(2**63), 0, -1)) == 11412796154557763637
