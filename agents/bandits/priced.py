"""D-LoRa with a price on airtime (`priced-cucb`): what a node's choice costs all others enters its reward.

    r_f(v) = +-1 - price log2(symbol time of v / shortest symbol time)    f: spreading factor, bandwidth
    r_tp(v) = +-1 + eta (1 - TP(v) / sum of all TP)

A node that looks at its own deliveries alone likes slow data rates: they reach further, and the packets that they
destroy are others'. A packet is on the air for about twice as long at every step of the spreading factor, and destroys
about twice as many. So every doubling has a price, in place of D-LoRa's bonus for small spreading factors, whose
weights SF / 2^SF fall so fast that SF9 to SF12 cost nearly the same. Everything else is `restarting-cucb`.

| quantity | name | D-LoRa | here |
|---|---|---|---|
| price of a doubling of the symbol time | `price` | 0 | 0.08 |
| weight of the bonus for small spreading factors | `xi` | 1 | 0 |
| weight of the power | `eta` | 1.8 | 0.3 |
| weight of exploration | `c` | 2 | 1 |

A low price delivers most, a high one saves energy; more load wants a higher one. `docs/results_dlora.md` has the
figures, and what else was tried: prices that are linear in airtime or that follow a node's own losses, arms for pairs
of spreading factor and channel or power.

Source: ours. The price is Pigou's ("The economics of welfare", 1920): what one's choice costs the others.
Differences from `restarting-cucb`: the rewards, and the defaults in the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from agents.bandits.nonstationary import RestartingCUCB
from lora_marl.core import phy
from lora_marl.core.region import FACTORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lora_marl.core.region import Region
    from lora_marl.core.scenario import Scenario


class PricedCUCB(RestartingCUCB):
    """CUCB that pays for the time that its packets are on the air.

    Args:
        scenario, seeds, **parameters: As in `RestartingCUCB` and `CUCB`; `xi` is 0 here.
        price: Reward that a doubling of the symbol time costs. At least 0.
        eta, c: As in `CUCB`.

    Raises:
        ValueError: a parameter outside its range.
    """

    name: ClassVar[str] = "priced-cucb"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        price: float = 0.08,
        eta: float = 0.3,
        c: float = 1.0,
        **parameters: Any,
    ) -> None:
        super().__init__(scenario, seeds, **({"xi": 0.0} | parameters), eta=eta, c=c)
        if not 0 <= price < np.inf:
            raise ValueError(f"price = {price}: must be a finite number of at least 0")
        doublings = symbol_time_doublings(self.region)
        sizes = dict(zip(FACTORS, self.region.factor_sizes, strict=True))
        by_arm = [doublings.get(name, np.zeros(sizes[name])) for name in self.factors]
        self.rewards = self.rewards - price * np.concatenate(by_arm)


def symbol_time_doublings(region: Region) -> dict[str, NDArray[np.float64]]:
    """How often the symbol time has doubled at each value of a factor, from its shortest: `sf` `[S]` and `bw` `[W]`."""
    sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    by_sf = phy.symbol_time_s(sf, bw_hz=bw_hz[0])
    by_bw = phy.symbol_time_s(sf[0], bw_hz=bw_hz)
    return {"sf": np.log2(by_sf / by_sf.min()), "bw": np.log2(by_bw / by_bw.min())}
