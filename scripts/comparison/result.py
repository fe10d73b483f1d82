"""What learners achieved on one scenario: measures by seed, estimates, and differences paired by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lora_marl.config import TrainConfig
from lora_marl.core import metrics
from scripts.comparison.measures import MEASURES, REFERENCE_EE, REFERENCE_PDR, Measure
from scripts.estimates import Estimate, estimate
from scripts.jobs import curve_of, delivery_ratio
from scripts.measures import Row, converged_h, known, recovery_time_h, reported
from scripts.snapshots import State

_REPORTED = (
    "pdr", "ee_bits_per_mj", "bits_per_airtime_s", "goodput_bps", "energy_per_delivered_mj", "downlinks_per_100",
    "downlink_airtime",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """All learners on one scenario.

    Attributes:
        config: The run, all learners included.
        played: States of the seeds by learner, in the order of tables.
        values: By learner and measure, one per seed; nan where there is none.
        baseline: The learner that differences refer to; None: there are none.
        notes: What the reader must know.
    """

    config: TrainConfig
    played: Mapping[str, Sequence[State]]
    values: Mapping[str, Mapping[str, Sequence[float]]]
    baseline: str | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, config: TrainConfig, played: Mapping[str, Sequence[State]], baseline: str | None, notes: Iterable[str] = ()
    ) -> Comparison:
        """Measures what was played."""
        by_seed = {label: [measured(state, config) for state in states] for label, states in played.items()}
        values = {label: {name: [row[name] for row in rows] for name in rows[0]} for label, rows in by_seed.items()}
        for share, metric, reference in (
            ("share_pdr", "pdr", REFERENCE_PDR),
            ("share_ee", "ee_bits_per_mj", REFERENCE_EE),
        ):
            label = next((label for label in values if config.learners[label].name == reference), None)
            for own in values.values():
                own[share] = (
                    [math.nan] * len(config.seeds) if label is None else _over(own[metric], values[label][metric])
                )
        return cls(config, played, values, baseline, tuple(notes))

    def shown(self) -> list[Measure]:
        """The measures that say something here."""
        return [measure for measure in MEASURES if any(known(own[measure.key]) for own in self.values.values())]

    def estimate(self, label: str, measure: Measure) -> Estimate:
        """Over the seeds that have a value, in the unit that is shown; `seeds` says how many have."""
        return estimate([measure.factor * value for value in known(self.values[label][measure.key])] or [math.nan])

    def difference(self, label: str, measure: Measure) -> Estimate | None:
        """Over seeds, this learner against the baseline on the same seed; None: there is nothing to compare."""
        if self.baseline in (None, label) or not measure.difference:
            return None
        return estimate(
            differences(self.values[label][measure.key], self.values[str(self.baseline)][measure.key], measure)
        )

    def records(self) -> Iterator[dict[str, Any]]:
        """For machines: one flat record per learner and measure, in the unit that is shown."""
        for label in self.values:
            for measure in self.shown():
                found, against = self.estimate(label, measure), self.difference(label, measure)
                yield {
                    "scenario": self.config.name,
                    "learner": label,
                    "metric": measure.key,
                    "unit": measure.unit,
                    "mean": found.mean,
                    "sd": found.spread,
                    "ci_low": found.ci_low,
                    "ci_high": found.ci_high,
                    "baseline": self.baseline,
                    "difference": None if against is None else against.mean,
                    "difference_ci_low": None if against is None else against.ci_low,
                    "difference_ci_high": None if against is None else against.ci_high,
                    "difference_unit": measure.difference or None,
                    "seeds": len(known(self.values[label][measure.key])),
                    "values": [
                        measure.factor * value if math.isfinite(value) else None
                        for value in self.values[label][measure.key]
                    ],
                }


def differences(ours: Sequence[float], theirs: Sequence[float], measure: Measure) -> list[float]:
    """Seed by seed, in points of what is shown or in percent of theirs."""
    if measure.difference == "points":
        return [measure.factor * (our - their) for our, their in zip(ours, theirs, strict=True)]
    return [100 * (ratio - 1) for ratio in _over(ours, theirs)]


def measured(state: State, config: TrainConfig) -> dict[str, float]:
    """All measures of one played seed but shares of references."""
    curve = curve_of(state)
    last = reported(curve, config.report_last_h)
    sent = state["sent"] > 0
    packets, airtime_s, energy_mj = state["overhead"].tolist()
    return {
        **{name: last[name] for name in _REPORTED},
        "delivery_ratio": delivery_ratio(state),
        "expected_delivery": float(state["expected"][0]),
        "expected_compat": float(state["expected"][1]),
        "energy_j": math.fsum(row["energy_mj"] for row in curve),
        "fairness": float(metrics.jain_fairness(state["delivered"][sent] / state["sent"][sent])),
        "converged_pdr_h": converged_h(curve, "pdr"),
        "converged_ee_h": converged_h(curve, "ee_bits_per_mj"),
        "recovery_h": _recovered_h(curve, changes_h(config)),
        "operations": float(state["operations"]),
        "state_bytes": float(state["state_bytes"]),
        "overhead_packets": packets,
        "overhead_airtime_s": airtime_s,
        "overhead_energy_mj": energy_mj,
    }


def changes_h(config: TrainConfig) -> list[float]:
    """When the scenario changes, its beginning aside. h"""
    return [change.at_s / 3600 for change in config.scenario.changes if change.at_s > 0]


def usage_of(state: State, config: TrainConfig) -> Row:
    """Packets of the reported part by factor value."""
    return reported(curve_of(state), config.report_last_h)


def _recovered_h(curve: Sequence[Row], changes: Sequence[float]) -> float:
    trained = [row for row in curve if not row["evaluation"]]
    if not changes:
        return math.nan
    time_h, sent, delivered = ([row[name] for row in trained] for name in ("time_h", "sent", "delivered"))
    return recovery_time_h(time_h, sent, delivered, changes[0])


def _over(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    above, below = np.array(ours, np.float64), np.array(theirs, np.float64)
    return np.divide(above, below, out=np.full(above.shape, math.nan), where=below != 0).tolist()
