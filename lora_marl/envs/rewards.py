"""Rewards as weighted sums of named terms; each term is a plain function, ours by name or yours by import path.

What a term is told, and which shape it gives, is its environment's: see `rewards`, `energy_rewards` and
`coexistence_rewards`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.checks import suggest

Term = NDArray[np.float64]
TermFunction = Callable[..., Term]


class TermError(ValueError):
    """A term that fails, or gives what is none."""


class Reward:
    """A weighted sum of named terms.

    Args:
        weights: Weight by name in `known`, or by import path, `"package.module:function"`, of a function of yours,
            which gives the name.
        known: The environment's terms by name.

    Attributes:
        weights: By name.

    Raises:
        ValueError: no term, an unknown one, with the nearest known one, two of one name, or a weight that is not
            finite.
    """

    def __init__(self, weights: Mapping[str, float], known: Mapping[str, TermFunction]) -> None:
        if not isinstance(weights, Mapping) or not weights:
            raise ValueError(f"reward: {weights!r} is no weights by term, such as {{{next(iter(known))!r}: 1.0}}")
        self.weights: dict[str, float] = {}
        self._functions: dict[str, TermFunction] = {}
        for path, weight in weights.items():
            if not isinstance(path, str):
                raise ValueError(f"reward: {path!r} is no name of a term")
            name = path.rpartition(":")[2]
            if isinstance(weight, bool) or not isinstance(weight, Real) or not np.isfinite(weight):
                raise ValueError(f"reward: the weight of {path} is {weight!r}; it must be a finite number")
            if name in self.weights:
                raise ValueError(f"reward: {path!r} is a second term called {name!r}")
            self.weights[name], self._functions[name] = weight, _function(path, known)

    def terms(self, shape: tuple[int, ...], *told: Any) -> dict[str, Term]:
        """The terms, without their weights.

        Args:
            shape: Of each.
            told: What each function takes.

        Raises:
            TermError: a function that does not take what it is told or fails otherwise, or a term of another shape.
        """
        terms = {}
        for name, function in self._functions.items():
            try:
                given = function(*told)
            except TypeError as error:
                raise TermError(f"reward: {name}, which is told {len(told)} things: {error}") from error
            except Exception as error:
                raise TermError(f"reward: {name}: {type(error).__name__}: {error}") from error
            terms[name] = _checked(name, given, shape)
        return terms

    def total(self, terms: Mapping[str, Term]) -> Term:
        """Their weighted sum, of their shape."""
        return np.sum([weight * terms[name] for name, weight in self.weights.items()], axis=0)


def _checked(name: str, given: Any, shape: tuple[int, ...]) -> Term:
    try:
        term = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise TermError(f"reward: {name} gave what is no array of numbers: {error}") from None
    if term.shape != shape:
        raise TermError(f"reward: {name} gave shape {term.shape}; expected is {shape}")
    if not np.isfinite(term).all():
        raise TermError(f"reward: {name} gave {int((~np.isfinite(term)).sum())} values that are not finite")
    return term


def _function(path: str, known: Mapping[str, TermFunction]) -> TermFunction:
    """A term by name or import path."""
    if ":" not in path:
        if path not in known:
            raise ValueError(f"reward: {path!r} is no term{suggest(path, known)}")
        return known[path]
    module, _, name = path.partition(":")
    try:
        function: TermFunction = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"reward: {path!r} cannot be imported: {error}") from None
    if not callable(function):
        raise ValueError(f"reward: {path!r} is {function!r}; a term is a function")
    return function
