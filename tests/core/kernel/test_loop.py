"""The compiled loop is compiled anew when any file that it is made of changes."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest
from numba.core.dispatcher import Dispatcher

from lora_marl.core.kernel import loop

KERNEL = sorted(path.stem for path in Path(loop.__file__).parent.glob("*.py") if path.stem != "__init__")


def kernel_module(name: str) -> ModuleType:
    return importlib.import_module(f"lora_marl.core.kernel.{name}")


def defining_file(value: object) -> Path | None:
    """The file of a function of the package, compiled or not; None for anything else."""
    function = value.py_func if isinstance(value, Dispatcher) else value
    module = getattr(function, "__module__", None) or ""
    if not inspect.isfunction(function) or not module.startswith("lora_marl."):
        return None
    return Path(inspect.getfile(function))


def names_in_compiled_functions(module: ModuleType) -> set[str]:
    """Global names that a module's compiled functions mention."""
    tree = ast.parse(inspect.getsource(module))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.decorator_list]
    return {name.id for function in functions for name in ast.walk(function) if isinstance(name, ast.Name)}


@pytest.mark.parametrize("name", KERNEL)
def test_the_sources_cover_every_function_that_compiled_code_calls(name: str) -> None:
    module = kernel_module(name)
    assert Path(inspect.getfile(module)) in loop.SOURCES
    for mentioned in names_in_compiled_functions(module):
        path = defining_file(getattr(module, mentioned, None))
        assert path is None or path in loop.SOURCES, f"{mentioned} of {path}"
