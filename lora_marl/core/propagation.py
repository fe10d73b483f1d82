"""Propagation: from transmitted to received power.

Shadowing is drawn by packet in `lora_marl/core/kernel/reception.py`, and by link in `lora_marl/core/kernel/tables.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lora_marl.core.checks import check_record
from lora_marl.core.units import ratio_to_db

SPEED_OF_LIGHT_M_PER_S = 299_792_458.0

DISTANCE_FLOOR_M = {"log_distance": 0.1, "friis": 1.0}
"""Shorter distances count as this one, so that a node at a gateway has a finite path loss. m. Source: the NoReL code
(0.1 m); 1 m where the free-space formula would otherwise enter the near field (MMALoRa)."""


@dataclass(frozen=True, kw_only=True)
class Propagation:
    """Parameters of the mean path loss and of what varies around it.

    Attributes:
        model: `log_distance`: reference loss + 10 exponent log10(d / reference distance); `friis`: free space at the
            carrier with the path-loss exponent of the paper in place of 2.
        exponent: Path-loss exponent gamma.
        reference_loss_db: Mean path loss at the reference distance. dB
        reference_distance_m: At which the reference loss holds. m
        flat_below_reference: Whether the loss stays constant below the reference distance (as ns-3 does).
        shadowing_db: Standard deviation of log-normal shadowing. dB
        shadowing: Drawn for every `packet`, or once per `link`.
        shadowing_common_share: Share of the shadowing variance that is common to all gateways, 0 to 1.
        fading: `none`, or `rayleigh`: received power times a unit-mean exponential draw per packet and gateway.
        antenna_gain_db: Sum of the gains of both antennas; added to received power. dB

    Raises:
        ValueError: a parameter outside its range, naming it.
    """

    model: Literal["log_distance", "friis"] = "log_distance"
    exponent: float = 2.32
    reference_loss_db: float = 128.95
    reference_distance_m: float = 1000.0
    flat_below_reference: bool = False
    shadowing_db: float = 7.8
    shadowing: Literal["packet", "link"] = "packet"
    shadowing_common_share: float = 0.0
    fading: Literal["none", "rayleigh"] = "none"
    antenna_gain_db: float = 0.0

    def __post_init__(self) -> None:
        _one_of("model", self.model, ("log_distance", "friis"))
        _one_of("shadowing", self.shadowing, ("packet", "link"))
        _one_of("fading", self.fading, ("none", "rayleigh"))
        check_record(self, "propagation")
        _within("exponent", self.exponent, above=0.0)
        _within("reference_distance_m", self.reference_distance_m, above=0.0)
        _within("shadowing_common_share", self.shadowing_common_share, at_least=0.0, at_most=1.0)

    @property
    def shadowing_parts_db(self) -> tuple[float, float]:
        """Standard deviations of the parts of the shadowing that gateways share, and that each has to itself. dB."""
        share = self.shadowing_common_share
        return self.shadowing_db * share**0.5, self.shadowing_db * (1.0 - share) ** 0.5


class DistanceLaw(NamedTuple):
    """Mean path loss as L0 + s log10(max(d, nearest) / d0): for compiled code, where distances are not in a table.

    Attributes:
        reference_loss_db: L0. dB
        loss_per_decade_db: s, 10 times the exponent. dB
        reference_m: d0. m
        nearest_m: Shorter distances count as this one. m
    """

    reference_loss_db: float
    loss_per_decade_db: float
    reference_m: float
    nearest_m: float


def distance_law(propagation: Propagation, carrier_hz: float) -> DistanceLaw:
    """The constants of the law that `path_loss_db` states."""
    nearest_m, slope_db = DISTANCE_FLOOR_M[propagation.model], 10.0 * propagation.exponent
    if propagation.model == "friis":
        _within("carrier_hz", carrier_hz, above=0.0)
        return DistanceLaw(0.0, slope_db, SPEED_OF_LIGHT_M_PER_S / (4.0 * math.pi * carrier_hz), nearest_m)
    reference_m = propagation.reference_distance_m
    if propagation.flat_below_reference:
        nearest_m = max(nearest_m, reference_m)
    return DistanceLaw(propagation.reference_loss_db, slope_db, reference_m, nearest_m)


def path_loss_db(propagation: Propagation, distance_m: ArrayLike, *, carrier_hz: float = 868e6) -> Any:
    """Mean path loss, without shadowing, fading and antenna gain.

    `log_distance`: L0 + 10 gamma log10(d / d0). `friis`: 10 gamma log10(4 pi f d / c), free space for gamma = 2.

    Args:
        propagation: Model and parameters.
        distance_m: Not negative; distances below `DISTANCE_FLOOR_M` count as that. [...] m
        carrier_hz: Carrier frequency; `friis` alone depends on it. Hz

    Returns:
        Mean path loss. [...] dB

    Raises:
        ValueError: a negative or undefined distance, or a carrier that is not positive.

    Source: D-LoRa Eq. (2) (log-distance); MMALoRa Eq. (6), (7) (Friis).
    """
    apart_m = np.asarray(distance_m, dtype=np.float64)
    wrong = apart_m[~(apart_m >= 0.0)]
    if wrong.size:
        raise ValueError(f"distance_m is {wrong.flat[0]}: it must be 0 or more")
    law = distance_law(propagation, carrier_hz)
    apart_m = np.maximum(apart_m, law.nearest_m)
    return law.reference_loss_db + propagation.exponent * ratio_to_db(apart_m / law.reference_m)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}: it must be one of {', '.join(allowed)}")


def _within(
    name: str, value: float, *, above: float = -math.inf, at_least: float = -math.inf, at_most: float = math.inf
) -> None:
    if not (math.isfinite(value) and above < value and at_least <= value <= at_most):
        low = f" above {above:g}" if above > -math.inf else f" of at least {at_least:g}" if at_least > -math.inf else ""
        high = f" and at most {at_most:g}" if at_most < math.inf else ""
        raise ValueError(f"{name} is {value!r}: it must be a finite number{low}{high}")
