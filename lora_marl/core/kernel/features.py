"""What the loop is compiled without where nothing needs it, so that a feature that is off costs nothing.

Each constant stands before the switches that it covers, `if DOWNLINKS and rule.listens:`. It is True here; a variant of
the loop is compiled with some of them False, and the compiler drops what stands behind.

To put a new switch under a constant: write the constant before it, and add the switch to `needed`. A new constant
doubles the number of variants, each of which takes some seconds to compile, once: prefer one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.rule import INTER_SF

DOWNLINKS = True
"""Downlinks, a server that decides or listens, confirmed traffic: all but free feedback of nodes that decide."""

MATRIX = True
"""Signal against the powers or energies of single spreading factors (`sir_pairwise`, `sir_energy`)."""

RARE = True
"""Records of packets, bursts, repeats, points drawn from distributions, energy by state, measured links, `db_ratio`,
traffic of a trace, channel masks of nodes, and neglected powers."""

LIMITS = True
"""Duty cycles of nodes by sub-band, and channels that take some data rates only: what regions have. Variants with the
rare parts have these, too, so that there are not twice as many."""

CULLED = True
"""Lists of the gateways that hear a packet (`culling`), where there are many; never with records, `db_ratio` or
measured links."""

FEATURES = ("DOWNLINKS", "MATRIX", "RARE", "LIMITS", "CULLED")


def needed(
    rule: NDArray[np.void], *, repeats: bool, draws_points: bool, masks: bool = False, culled: bool = False
) -> frozenset[str]:
    """The features that a rule (RULE [1]) needs, frames with NbTrans, points drawn from distributions, masks, lists."""
    switches = {name: rule[name][0] for name in rule.dtype.names or ()}
    on = {
        "DOWNLINKS": any(
            switches[name] for name in ("downlinks", "server", "waits", "backoff", "listens", "confirmed")
        ),
        "MATRIX": switches["inter_sf"] in (INTER_SF["sir_pairwise"], INTER_SF["sir_energy"]),
        "RARE": repeats
        or draws_points
        or masks
        or switches["inter_sf"] == INTER_SF["db_ratio"]
        or any(switches[name] for name in ("record", "bursts", "links", "rx_mw", "trace"))
        or (switches["negligible_db"] > 0 and not culled),
        "CULLED": culled,
    }
    on["LIMITS"] = not on["RARE"] and any(switches[name] for name in ("sub_bands", "channel_rates"))
    return frozenset(name for name in FEATURES if on[name])


def specialised(function: Any, features: frozenset[str]) -> Any:
    """A Python function that calls compiled ones, and these and all that they call, for a set of features.

    Functions that mention no feature are shared by all sets.
    """
    constants = {name: name in features for name in FEATURES}
    constants["LIMITS"] |= constants["RARE"]
    return _with_constants(function, constants, {})


@cache
def _without_wrappers(function: Dispatcher) -> Dispatcher:
    """A compiled function as the loop calls it: one that Python can call, too, takes longer to compile."""
    return function if function.targetoptions.get("no_cpython_wrapper") else compiled()(function.py_func)


def _with_constants(function: FunctionType, constants: Mapping[str, bool], made: dict[Dispatcher, Dispatcher]) -> Any:
    """A copy of a function that sees other constants, or itself where it would not differ."""
    changed: dict[str, Any] = {}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if name in constants:
            changed[name] = constants[name]
        elif isinstance(value, Dispatcher):
            if value not in made:
                clone = _with_constants(value.py_func, constants, made)
                inline = value.targetoptions.get("forceinline", True)
                made[value] = (
                    _without_wrappers(value) if clone is value.py_func else compiled(forceinline=inline)(clone)
                )
            if made[value] is not value:
                changed[name] = made[value]
    if not changed:
        return function
    clone = FunctionType(
        function.__code__, {**function.__globals__, **changed}, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip
    clone.__qualname__, clone.__module__, clone.__doc__ = function.__qualname__, function.__module__, function.__doc__
    return clone
