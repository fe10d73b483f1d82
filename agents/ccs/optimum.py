"""What a local search that knows everything finds on the proxy; letters in `agents.ccs.proxy`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from agents.ccs.proxy import Proxy
from agents.ccs.worlds import Worlds


def optimum(
    proxy: Proxy, worlds: Worlds, seeds: Sequence[int], *, steps: int = 200, learning_rate: float = 0.15
) -> Tensor:
    """Actions that a local search with everything known finds, a reference rather than a bound.

    Adam on the logits of every (network, group) from one random start, maximising the mean utility; then argmax.

    Args:
        proxy: What is maximised.
        worlds: Where; every world is a problem of its own.
        seeds: Of the start of each world, which is the same whatever worlds are beside it. `[M]`
        steps: Of Adam.
        learning_rate: Of Adam.

    Returns:
        Actions, those of legacy networks meaningless. int64 `[M, S, Q]`
    """
    channels, offsets, powers = worlds.occupancy.shape[-1], *worlds.link.shape[3:]
    shape = (*worlds.rate_hz.shape[1:], channels * offsets * powers)
    starts = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    logits = torch.stack(starts).requires_grad_()
    adam = torch.optim.Adam([logits], lr=learning_rate)
    for _ in range(steps):
        adam.zero_grad()
        (-proxy(logits.softmax(-1), worlds).utility.mean(1).sum()).backward()
        adam.step()
    return logits.detach().argmax(-1)
