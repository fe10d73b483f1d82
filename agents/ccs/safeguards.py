"""Safeguards that keep a round from doing harm: limits of reports, the clip of residuals, and scales of both.

Shape letters in `agents.ccs.layout`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ccs.layout import POOLINGS, Layout
from agents.ccs.protocol import Report
from lora_marl.core.checks import check_above_0, check_at_least_0, check_count

CLIP = 1.0
"""Largest norm of a residual relative to the layer."""

LEAST_NORM = 1e-12
"""Norms below it count as this much, so that 0 can be clipped and differentiated."""

LARGEST_OUTPUT = 1e17
"""Largest output of a policy on a probe: sums of squares of larger outputs overflow in single precision (3.4e38)."""

LEAST_JUMP, LEAST_MASS = 1e-9, 1e-12
"""Smaller changes of behaviour and smaller weights count as these, against 0 as divisor and as threshold."""

MIDDLE_WIDTH = 1e-6
"""How far below the middle of all weight the median is read, relative to that weight: of two equal ones the lower."""


Values = TypeVar("Values", Tensor, NDArray)


def clip_residual(delta: Values, last: Values, limit: float) -> Values:
    """Scales a residual down so that its norm is at most `limit` times that of the layer.

    The service clips by the layer that was reported, a server once more by the layer that it has. Tensors and arrays
    are added up by their own library: another order of the sum changes the last bit, and with it stored runs.

    Args:
        delta: The residual. `[..., H, A]`
        last: The layer. `[..., H, A]`
        limit: At least 0; infinite: no limit.

    Returns:
        The clipped residual. `[..., H, A]`
    """
    if math.isinf(limit):
        return delta
    if isinstance(delta, np.ndarray):
        norm, layer = (np.linalg.norm(values, axis=(-2, -1), keepdims=True) for values in (delta, last))
        return (delta * np.minimum(1.0, limit * layer / np.maximum(norm, LEAST_NORM))).astype(delta.dtype)
    # The root of the sum, not a norm: at 0, behind a closed gate, a norm has no gradient.
    norm = delta.square().sum((-2, -1), keepdim=True).clamp(min=LEAST_NORM**2).sqrt()
    return delta * (limit * torch.linalg.matrix_norm(last, keepdim=True) / norm).clamp(max=1.0)


def check_ramp(name: str, ramp: Any) -> None:
    """Raise ValueError unless the ramp is None, or its beginning and its width, finite and the width above 0."""
    if ramp is not None and not (_is_finite_pair(ramp) and ramp[1] > 0.0):
        raise ValueError(f"{name}: {ramp!r}; expected where it begins and its width above 0, or none")


def _is_finite_pair(pair: Any) -> bool:
    is_pair = isinstance(pair, tuple) and len(pair) == 2
    return is_pair and all(isinstance(value, Real) and math.isfinite(value) for value in pair)


@dataclass(frozen=True)
class Safeguards:
    """Limits of reports, and how much networks count in a round.

    Attributes:
        clip: Largest norm of a residual relative to the layer.
        congestion: a, b of the scale clip((a - PRR) / b, 0, 1), PRR the mean of a network's own and the median report;
            None: always 1.
        staleness_s: A residual is scaled, and a network counts for others, by exp(-age / staleness).
        max_age_s: An older report is refused, and a network that has been silent for longer is forgotten.
        clock_s: How far ahead of the service's clock a report may be.
        operator_cap: As how many networks all of one operator count for others. Operators are what reports say: whoever
            serves rounds over a network has to authenticate them, or Sybils state that they belong to nobody.
        jump: Change of behaviour between reports, in total variation, beyond its usual one, at which trust begins to
            fall; None: no trust score. It guards against a sudden change alone: a first report is not judged, and a
            network that keeps changing as much is as usual.
        pooling: How the others are seen as one: by their `mean`, which the service is trained with, or their `median`,
            which a minority cannot move far, but which sees nobody on a channel that only a minority takes.
        max_parameters: Most parameters of a network.
        max_layers: Most layers of a network, the last one included.
        max_members: Most networks that the service knows at a time.
        max_members_per_operator: Most of them of one operator; a report that names none is one of its own network.
        max_total_parameters: Most parameters of all networks together. With `max_layers` and `max_members` it bounds
            the work of a round, whoever reports; `docs/reliability.md` has the measured bound.

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
    max_layers: int = 8
    max_members: int = 1024
    max_members_per_operator: int = 64
    max_total_parameters: int = 32_000_000

    def __post_init__(self) -> None:
        for name in ("clip", "staleness_s", "max_age_s", "operator_cap"):
            check_above_0(name, getattr(self, name), finite=False)
        for name in (
            "max_parameters", "max_layers", "max_members", "max_members_per_operator", "max_total_parameters"
        ):  # fmt: skip
            check_count(name, getattr(self, name))
        for name in ("clock_s", "jump"):
            if getattr(self, name) is not None:
                check_at_least_0(name, getattr(self, name), finite=False)
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling = {self.pooling!r}: expected one of {', '.join(POOLINGS)}")
        check_ramp("congestion", self.congestion)

    def check_schema(self, report: Report, layout: Layout) -> None:
        """Raise ValueError for a report of another layout, or of too many layers or parameters."""
        sizes = report.schema.sizes
        if len(sizes) - 1 > self.max_layers:
            raise ValueError(f"report of {report.network}: {len(sizes) - 1} layers; at most {self.max_layers}")
        if (sizes[0], sizes[-1]) != (layout.features, layout.actions):
            expected = f"{layout.features} features and {layout.actions} actions"
            raise ValueError(f"report of {report.network}: sizes {sizes} do not have {expected}")
        if report.schema.size > self.max_parameters:
            raise ValueError(
                f"report of {report.network}: {report.schema.size} parameters; at most {self.max_parameters}"
            )

    def check_room(self, report: Report, others: Sequence[Report]) -> None:
        """Raise ValueError for a report with which networks, or their parameters, would be too many.

        Args:
            report: The report.
            others: The latest reports of all other networks.
        """
        if len(others) >= self.max_members:
            raise ValueError(
                f"report of {report.network}: {len(others)} networks are there; at most {self.max_members}"
            )
        same = sum(other.operator == report.operator for other in others) if report.operator else 0
        if same >= self.max_members_per_operator:
            limit = self.max_members_per_operator
            raise ValueError(f"report of {report.network}: {report.operator} has {same} networks; at most {limit}")
        total = len(report.parameters) + sum(len(other.parameters) for other in others)
        if total > self.max_total_parameters:
            limit = self.max_total_parameters
            raise ValueError(f"report of {report.network}: {total} parameters of all networks; at most {limit}")

    def check_age(self, report: Report, now_s: float) -> None:
        """Raise ValueError for a report that is too old, or from the future."""
        age_s = now_s - report.time_s
        if not -self.clock_s <= age_s <= self.max_age_s:
            limits = f"from {-self.clock_s:g} to {self.max_age_s:g} s"
            raise ValueError(f"report of {report.network}: its age is {age_s:g} s; expected {limits}")


def check_outputs(report: Report, largest_probe: float) -> None:
    """Raise ValueError for a report whose outputs on the probes might overflow, and with them everybody's round.

    Args:
        report: A report of finite parameters.
        largest_probe: Largest feature of a probe, absolutely.
    """
    largest, bound = float(np.abs(report.parameters).max()), largest_probe
    for inputs in report.schema.sizes[:-1]:
        bound *= max(1.0, largest * (inputs + 1))
    if bound > LARGEST_OUTPUT:
        limit = f"outputs of up to {bound:.1e}; at most {LARGEST_OUTPUT:g}"
        raise ValueError(f"report of {report.network}: parameters of up to {largest:g} allow {limit}")


def congestion_scale(prr: Tensor, weights: Tensor, thresholds: tuple[float, float]) -> Tensor:
    """How much of its residual a network gets, by its own and the median PRR.

    Networks with less than half of the weight cannot move the median beyond what the rest report. Of two equal networks
    it is the lower report: one of them can ask for coordination that the other does not need, but not deny it.

    Args:
        prr: Reported, from 0 to 1. `[M, S]`
        weights: How much a report counts for the median; where all are 0, only the own one counts. `[M, S]`
        thresholds: PRR from which on there is no residual, and how far below it the residual is full.

    Returns:
        From 0 to 1. `[M, S]`
    """
    ordered, order = prr.sort(-1)
    mass = weights.gather(-1, order).cumsum(-1)
    half = mass[..., -1:] * (0.5 - MIDDLE_WIDTH)
    median = ordered.gather(-1, torch.searchsorted(mass, half.clamp(min=LEAST_MASS)).clamp(max=prr.shape[-1] - 1))
    median = torch.where(mass[..., -1:] > 0.0, median, prr)
    begin, width = thresholds
    return ((begin - (prr + median) / 2.0) / width).clamp(0.0, 1.0)


def staleness_scale(age_s: Tensor, staleness_s: float) -> Tensor:
    """How much a report counts for its age: exp(-age / staleness), and 1 for reports from the future. `[...]`"""
    return torch.exp(-age_s.clamp(min=0.0) / staleness_s)


def operator_scale(operators: Tensor, cap: float) -> Tensor:
    """The factor of a network's weight, so that all networks of an operator count as `cap` at most.

    Args:
        operators: Number of the operator of each network. int64 `[S]`
        cap: Above 0.

    Returns:
        Above 0, at most 1. `[S]`
    """
    counts = torch.bincount(operators)[operators]
    return (cap / counts).clamp(max=1.0)


def jump(now: Tensor, before: Tensor) -> Tensor:
    """Change of behaviour: mean total variation between chances of channels on the probes.

    Args:
        now, before: Chances of channels. `[..., n, C]`

    Returns:
        From 0 to 1. `[...]`
    """
    return 0.5 * (now - before).abs().sum(-1).mean(-1)


def trust(jumps: Tensor, usual: Tensor, allowed: float) -> Tensor:
    """Trust by change of behaviour: 1 up to `allowed` above the usual jump, then (usual + allowed) / jump. `[...]`"""
    return ((usual + allowed) / jumps.clamp(min=LEAST_JUMP)).clamp(max=1.0)
