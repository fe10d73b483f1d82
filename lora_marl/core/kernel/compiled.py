"""How the kernel's functions are compiled."""

from __future__ import annotations

from functools import partial

from numba import njit

# The caller of the loop holds its arrays, so counting references inside it protects nothing, and would cost nine tenths
# of its time (measured). Without counts no function may allocate. `forceinline`: one loop, no calls.
kernel = partial(njit, nogil=True, error_model="numpy", _nrt=False, forceinline=True)
