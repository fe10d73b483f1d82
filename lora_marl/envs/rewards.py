"""Rewards as weighted sums of named terms: plain functions, ours by name, yours by import path or as they are.

What a term takes, and the shape it returns, depend on the environment: see `lora_marl.envs.uplink.reward`,
`lora_marl.envs.energy.reward` and `lora_marl.envs.coexistence.reward`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.checks import suggest, warn_renamed

Term = NDArray[np.float64]
TermFunction = Callable[..., Term]
Weights = Mapping[str, float] | Mapping[TermFunction, float] | Mapping[str | TermFunction, float] | TermFunction
"""What a reward is made of: weight by term, or a single term of weight 1."""

_OF_UPLINK = ("Scales", "TERMS", "delivery", "dlora", "energy_efficiency", "throughput")


class TermError(ValueError):
    """A reward term failed, or returned something else than finite numbers of its shape."""


class Reward:
    """A weighted sum of named terms.

    Args:
        weights: Weight by name in `terms_by_name`, or by the import path `"package.module:function"` of a function of
            yours, whose name is then the term's, or by the function itself. A function alone has the weight 1.
        terms_by_name: The environment's terms.

    Attributes:
        weights: Weight by name of term.

    Raises:
        ValueError: no terms, an unknown one, two of one name, a function without one, or a weight that is not finite.
    """

    def __init__(self, weights: Weights, terms_by_name: Mapping[str, TermFunction]) -> None:
        weights = weights_by_term(weights)
        if not isinstance(weights, Mapping) or not weights:
            example = f"{{{next(iter(terms_by_name))!r}: 1.0}}"
            raise ValueError(f"reward: {weights!r} is not a mapping from reward term to weight, such as {example}")
        self.weights: dict[str, float] = {}
        self._functions: dict[str, TermFunction] = {}
        for path, weight in weights.items():
            name = _name(path)
            if isinstance(weight, bool) or not isinstance(weight, Real) or not np.isfinite(weight):
                raise ValueError(f"reward: the weight of {path} is {weight!r}; it must be a finite number")
            if name in self.weights:
                raise ValueError(f"reward: {path!r} is a second term called {name!r}")
            self.weights[name] = weight
            self._functions[name] = _function(path, terms_by_name) if isinstance(path, str) else path

    def terms(self, shape: tuple[int, ...], *arguments: Any) -> dict[str, Term]:
        """The terms by name, without their weights.

        Args:
            shape: Shape of each term.
            arguments: What each function takes.

        Raises:
            TermError: a function that fails, or whose term has another shape or is not finite.
        """
        terms = {}
        for name, function in self._functions.items():
            try:
                result = function(*arguments)
            except TypeError as error:
                raise TermError(f"reward: {name}, called with {len(arguments)} arguments: {error}") from error
            except Exception as error:
                raise TermError(f"reward: {name}: {type(error).__name__}: {error}") from error
            terms[name] = _checked_term(name, result, shape)
        return terms

    def total(self, terms: Mapping[str, Term]) -> Term:
        """The weighted sum of the terms, of their shape."""
        return np.sum([weight * terms[name] for name, weight in self.weights.items()], axis=0)


def weights_by_term(reward: Any) -> Any:
    """Weight by term of a function alone; anything else comes back as it is."""
    return {reward: 1.0} if callable(reward) else reward


def _name(path: object) -> str:
    """The name of a term. ValueError: it is neither a string nor a function with a name."""
    if isinstance(path, str):
        return path.rpartition(":")[2]
    if not callable(path):
        raise ValueError(f"reward: {path!r} is not the name of a term")
    name = getattr(path, "__name__", "")
    if not name.isidentifier():
        raise ValueError(f"reward: {path!r} has no name, under which infos show the term; define it by def")
    return str(name)


def _checked_term(name: str, result: Any, shape: tuple[int, ...]) -> Term:
    """The result of a function as an array of its shape. TermError: it is none, or has values that are not finite."""
    try:
        term = np.asarray(result, np.float64)
    except (TypeError, ValueError) as error:
        raise TermError(f"reward: {name} returned no array of numbers: {error}") from None
    if term.shape != shape:
        raise TermError(f"reward: {name} returned shape {term.shape}; expected is {shape}")
    if not np.isfinite(term).all():
        raise TermError(f"reward: {name} returned {int((~np.isfinite(term)).sum())} values that are not finite")
    return term


def _function(path: str, terms_by_name: Mapping[str, TermFunction]) -> TermFunction:
    """The function of a term by its name or import path."""
    if ":" not in path:
        if path not in terms_by_name:
            raise ValueError(f"reward: {path!r} is not a term{suggest(path, terms_by_name)}")
        return terms_by_name[path]
    module, _, name = path.partition(":")
    try:
        function: TermFunction = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"reward: {path!r} cannot be imported: {error}") from None
    if not callable(function):
        raise ValueError(f"reward: {path!r} is {function!r}; a term is a function")
    return function


def __getattr__(name: str) -> Any:
    """The terms of `uplink_v0` by their former place, until 0.2.0; they are in `lora_marl.envs.uplink.reward` now."""
    if name not in _OF_UPLINK:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = "lora_marl.envs.uplink.reward"
    warn_renamed(f"{__name__}.{name}", f"{place}.{name}")
    return getattr(import_module(place), name)
