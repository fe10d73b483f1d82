"""What one node's change could do at best, without a look at whom it would disturb; compiled, O(N G + K G) a node."""

from __future__ import annotations

import numpy as np
from numba import njit

from lora_marl.core.expect.rayleigh.kernel import any_gateway
from lora_marl.core.expect.rayleigh.moves import book, link, without


@njit(nogil=True, error_model="numpy")
def bounds(t, variant, state, k, candidates, least):  # type: ignore[no-untyped-def]
    """Sums `[K, 3]` and the node's delivery `[K]` if node k met nobody at any of some points, nor anybody it."""
    _, alone = without(t, variant, state, k)
    base = np.zeros(3)
    for n in range(len(alone)):
        if n != k:
            book(t.bits_per_mj[n, state.points[n, 0], state.points[n, 3]], alone[n], least, 1.0, base)
    sums, delivery = np.empty((len(candidates), 3)), np.empty(len(candidates))
    power, reach = np.empty(state.power.shape[1]), np.empty(state.power.shape[1])
    for c in range(len(candidates)):
        sf, channel, tp = candidates[c, 0], candidates[c, 2], candidates[c, 3]
        link(t, k, sf, channel, tp, power, reach)
        delivery[c] = any_gateway(reach)
        sums[c] = base
        book(t.bits_per_mj[k, sf, tp], delivery[c], least, 1.0, sums[c])
    return sums, delivery
