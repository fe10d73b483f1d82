"""Who may import whom, held over the syntax tree of every module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for folder in ("lora_marl", "agents", "scripts") for path in (ROOT / folder).rglob("*.py"))

LAYERS = {
    "lora_marl/core/": {"numpy", "numba", "lora_marl.core"},
    "lora_marl/config/": {"numpy", "pydantic", "yaml", "lora_marl.core", "lora_marl.config"},
    "lora_marl/envs/": {
        *("numpy", "numba", "gymnasium", "pettingzoo"),
        *("lora_marl.core", "lora_marl.envs"),
        *("lora_marl.render", "lora_marl.render.channels", "lora_marl.render.map"),
    },
    "lora_marl/logs/": {
        *("numpy", "numba", "scipy", "yaml", "orjson", "pyarrow", "paho"),
        *("lora_marl.core", "lora_marl.logs"),
    },
    "lora_marl/render": {"numpy", "matplotlib", "mpl_toolkits", "lora_marl.core", "lora_marl.render"},
    "lora_marl/views": {"numpy", "gymnasium", "lora_marl.core.checks", "lora_marl.envs", "lora_marl.views"},
    "lora_marl/__init__": {"gymnasium", "pettingzoo", "lora_marl.core.checks"},
    "agents/": {"numpy", "numba", "torch", "safetensors", "quickjs", "lora_marl.core", "agents"},
}
"""What the modules of a path may import, the standard library and the bare name `lora_marl` (ENVS, version) aside."""

ONLY_IN = {
    "torch": (
        "agents/maac",
        "agents/lns",
        "agents/ccs",
        "agents/torch_utils",
        "lora_marl/adapters",
        "scripts/recipes",
        "scripts/speed/libraries",
    ),
    "stable_baselines3": ("lora_marl/adapters",),
    "sb3_contrib": ("lora_marl/adapters",),
    "torchrl": ("lora_marl/adapters", "scripts/recipes"),
    "benchmarl": ("lora_marl/adapters", "scripts/recipes"),
    "matplotlib": ("lora_marl/render", "scripts/runs", "scripts/bridge", "scripts/service_training", "scripts/studies"),
    **dict.fromkeys(("orjson", "pyarrow", "paho"), ("lora_marl/logs",)),
    "scipy": ("lora_marl/logs", "scripts/leaderboard"),
    "quickjs": ("agents/rules/js_plugin",),
    "tensorboard": ("scripts/",),
    "typer": ("scripts/",),
    "rich": ("scripts/",),
}
"""Where a library may be imported at all."""


def imported(path: Path) -> Iterator[str]:
    """Dotted names of everything that a module imports, wherever in it; `from x import y` counts as `x.y`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: tuple[str, ...] | set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def external(path: Path) -> list[str]:
    return [name for name in imported(path) if name.split(".")[0] not in sys.stdlib_module_names]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    names = external(path)
    for library, places in ONLY_IN.items():
        if any(within(name, (library,)) for name in names):
            assert place.startswith(places), f"{place} imports {library}"
    for prefix, allowed in LAYERS.items():
        if place.startswith(prefix):
            wrong = [
                name for name in names if not within(name, allowed) and name not in ("lora_marl", "lora_marl.ENVS")
            ]
            assert not wrong, f"{place} imports {wrong}"
    if place.startswith("lora_marl/"):
        assert not any(within(name, ("agents", "scripts", "tests")) for name in names)


AGENTS = [path for path in MODULES if path.is_relative_to(ROOT / "agents")]
LIBRARY_TESTS = sorted(
    path for folder in ("core", "envs", "agents") for path in (ROOT / "tests" / folder).rglob("*.py")
)


def importers(paths: list[Path], *packages: str) -> dict[str, list[str]]:
    """Modules that import something of these packages, and what."""
    wrong = {path.relative_to(ROOT).as_posix(): [n for n in imported(path) if within(n, packages)] for path in paths}
    return {place: names for place, names in wrong.items() if names}


def test_agents_see_neither_environments_nor_the_compiled_air() -> None:
    """Learners only see arrays; random numbers are public (`lora_marl.core.random`)."""
    assert importers(AGENTS, "lora_marl.envs", "lora_marl.core.kernel") == {}


def test_families_of_learners_import_one_another_without_a_cycle() -> None:
    """The packages and modules of `agents`; registering a learner by its name imports nothing."""
    root = ROOT / "agents"
    parts = {path.stem if path.is_file() else path.name for path in root.iterdir()} - {"__init__"}
    imports: dict[str, set[str]] = {part: set() for part in parts}
    for path in AGENTS:
        part = path.relative_to(root).parts[0].removesuffix(".py")
        names = {name.split(".")[1] for name in imported(path) if name.startswith("agents.")}
        imports.setdefault(part, set()).update(names & parts - {part})
    list(TopologicalSorter(imports).static_order())  # raises CycleError, which names the cycle


def test_tests_of_the_library_import_no_scripts() -> None:
    assert importers(LIBRARY_TESTS, "scripts") == {}


def test_tests_of_the_core_import_no_agents() -> None:
    assert importers([path for path in LIBRARY_TESTS if path.is_relative_to(ROOT / "tests" / "core")], "agents") == {}


@pytest.mark.parametrize("package", ["studies", "leaderboard", "speed"])
def test_studies_and_benchmarks_are_imported_by_commands_only(package: str) -> None:
    scripts = ROOT / "scripts"
    others = [p for p in MODULES if p.parent != scripts and not p.is_relative_to(scripts / package)]
    assert importers(others, f"scripts.{package}") == {}


def test_commands_have_a_main() -> None:
    """The root of `scripts` holds commands only; what they share is in `scripts/runs` and the other packages."""
    modules = [path for path in (ROOT / "scripts").glob("*.py") if path.name != "__init__.py"]
    without = [
        path.name
        for path in modules
        if not any(
            isinstance(node, ast.FunctionDef) and node.name == "main"
            for node in ast.parse(path.read_text(encoding="utf-8")).body
        )
    ]
    assert without == []


def test_every_module_has_a_layer() -> None:
    places = [path.relative_to(ROOT).as_posix() for path in MODULES]
    free = ("scripts/", "lora_marl/adapters")
    assert [place for place in places if not place.startswith((*LAYERS, *free))] == []


def test_importing_the_package_is_light() -> None:
    heavy = "numba torch pydantic matplotlib pyarrow scipy"
    code = f"import sys, lora_marl; print([m for m in '{heavy}'.split() if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
