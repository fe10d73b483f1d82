"""The compiled inner loop of `lora_marl.core.air`, and how its functions are compiled."""

from __future__ import annotations

from functools import partial

from numba import njit

compiled = partial(njit, nogil=True, error_model="numpy", _nrt=False, forceinline=True)
"""The decorator of every function of the loop, `@compiled()`.

The caller of the loop holds its arrays, so counting references inside would protect nothing and take nine tenths of the
time (measured). Without reference counts no function may allocate. `forceinline` makes one loop without calls.
"""
