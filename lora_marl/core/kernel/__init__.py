"""The compiled inner loop of `lora_marl.core.air`, and how its functions are compiled."""

from __future__ import annotations

from functools import partial

from numba import njit

from lora_marl.core.kernel import notice

notice.install()

_options = {"nogil": True, "error_model": "numpy", "_nrt": False, "forceinline": True}

entry_point = partial(njit, **_options)
"""The decorator of compiled functions that Python calls, `@entry_point()`.

The caller holds the arrays, so counting references inside would protect nothing and take nine tenths of the time
(measured). Without reference counts no function may allocate. `forceinline` makes one loop without calls.
"""

compiled = partial(entry_point, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""The decorator of functions that only compiled functions call, `@compiled()`.

They have no wrappers that convert Python's arguments, which take 60 % of the time of compilation (measured). Calling
one from Python crashes the process. What a network does not need is left out of the loop: `features` says how.
"""

called = partial(compiled, forceinline=False)
"""The decorator of compiled functions that are called, not made part of every caller: long and seldom needed ones.

The compiler takes a copy of a `compiled` one at every place that calls it, which costs seconds where these are many.
"""
