"""What keeps a round from doing harm, as functions of arrays; letters in `agents.ccs.layout`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.ccs.layout import POOLINGS
from agents.ccs.round import CLIP
from lora_marl.core.checks import Checked, check_ramp


@dataclass(frozen=True)
class Safeguards(Checked):
    """How careful the service is.

    Attributes:
        clip: Largest norm of a residual relative to the layer.
        congestion: a, b of the scale clip((a - PRR) / b, 0, 1), PRR the mean of a network's own and the median report;
            None: always 1.
        staleness_s: A residual is scaled, and a network counts for others, by exp(-age / staleness).
        max_age_s: An older report is refused, a silent network forgotten.
        clock_s: How far ahead of the service's clock a report may be.
        operator_cap: As how many networks all of one operator count for others. Operators are what reports say: whoever
            serves rounds over a network has to authenticate them, or Sybils claim to be alone.
        jump: Change of behaviour between reports, in total variation, beyond its usual one, at which trust begins to
            fall; None: no trust score. It guards against a sudden change alone: a first report is not judged, and who
            goes on changing as much is as usual.
        pooling: How others are seen as one: by their `mean`, which the service is trained with, or their `median`,
            which a minority cannot move far, but which sees nobody on a channel that only a minority takes.
        max_parameters: Of a network.

    Raises:
        ValueError: a value outside its range, naming it.
    """

    clip: float = CLIP
    congestion: tuple[float, float] | None = (0.76, 0.04)
    staleness_s: float = 600.0
    max_age_s: float = 1800.0
    clock_s: float = 60.0
    operator_cap: float = 1.0
    jump: float | None = 0.3
    pooling: str = "mean"
    max_parameters: int = 4_000_000

    def __post_init__(self) -> None:
        self.check("above 0", "clip", "staleness_s", "max_age_s", "operator_cap")
        self.check("an integer of at least 1", "max_parameters")
        self.check("at least 0", *(name for name in ("clock_s", "jump") if getattr(self, name) is not None))
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling = {self.pooling!r}: expected one of {', '.join(POOLINGS)}")
        check_ramp("congestion", self.congestion)


def congestion_scale(prr: Tensor, weights: Tensor, thresholds: tuple[float, float]) -> Tensor:
    """How much of a residual a network is worth, by its own and the median PRR.

    Who has less than half of the weight cannot move the median beyond what the rest report. Of two equal networks it is
    the lower report, so that one of them can ask for coordination that the other does not need, but not deny it.

    Args:
        prr: Reported, within 0 and 1. `[M, S]`
        weights: How much a report counts for the median; all 0: only the own one counts. `[M, S]`
        thresholds: PRR below which a residual is given, and how far below it is whole.
    """
    ordered, order = prr.sort(-1)
    mass = weights.gather(-1, order).cumsum(-1)
    half = mass[..., -1:] * (0.5 - 1e-6)
    median = ordered.gather(-1, torch.searchsorted(mass, half.clamp(min=1e-12)).clamp(max=prr.shape[-1] - 1))
    median = torch.where(mass[..., -1:] > 0.0, median, prr)
    begin, width = thresholds
    return ((begin - (prr + median) / 2.0) / width).clamp(0.0, 1.0)


def staleness_scale(age_s: Tensor, staleness_s: float) -> Tensor:
    """exp(-age / staleness) `[...]`; of reports from the future 1."""
    return torch.exp(-age_s.clamp(min=0.0) / staleness_s)


def operator_scale(operators: Tensor, cap: float) -> Tensor:
    """What the weight of a network is multiplied by, so that an operator's many networks count as `cap` at most.

    Args:
        operators: Number of the operator of each network. int64 `[S]`
        cap: Above 0.
    """
    counts = torch.bincount(operators)[operators]
    return (cap / counts).clamp(max=1.0)


def jump(now: Tensor, before: Tensor) -> Tensor:
    """Mean total variation between chances of channels on the probes, from 0 to 1.

    Args:
        now: `[..., n, C]`
        before: `[..., n, C]`
    """
    return 0.5 * (now - before).abs().sum(-1).mean(-1)


def trust(jumps: Tensor, usual: Tensor, allowed: float) -> Tensor:
    """1 up to a jump that is `allowed` above the usual one, then falling as one over the jump `[...]`."""
    return ((usual + allowed) / jumps.clamp(min=1e-9)).clamp(max=1.0)
