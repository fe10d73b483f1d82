"""The results of learners on one scenario: measures by seed, estimates, and differences paired by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agents import learner_name
from lora_marl.config import PacketRun
from lora_marl.core import metrics
from scripts.runs.checkpoints import State
from scripts.runs.metrics import NOTHING_AT_0, Row, converged_h, curve_of, finite, recovery_time_h, reported
from scripts.runs.packets.experiment import schedule
from scripts.runs.packets.results import delivery_ratio, reported_part
from scripts.runs.statistics import Estimate, estimate

REFERENCE_PDR, REFERENCE_EE = "reference-pdr", "reference-ee"


@dataclass(frozen=True)
class Measure:
    """A measure of a learner on a scenario.

    Attributes:
        key: In records.
        name: In tables.
        unit: Of what is shown.
        definition: One sentence; `{settled}` and `{before}` stand for hours, see `definition_of`.
        factor: From the value to what is shown.
        difference: How a learner is set against the baseline: in points of what is shown, or in percent of it.
        share: Whether the value lies between 0 and 1, and so its interval.
        reported: Whether it is of the reported part of a run alone.
    """

    key: str
    name: str
    unit: str
    definition: str
    factor: float = 1.0
    difference: Literal["points", "%", ""] = ""
    share: bool = False
    reported: bool = True


MEASURES = (
    Measure("pdr", "PDR", "%", "Packets delivered per packet sent.", 100.0, "points", share=True),
    Measure(
        "delivery_ratio",
        "delivery ratio",
        "%",
        "Mean over nodes of packets delivered per packet sent.",
        100.0,
        "points",
        share=True,
    ),
    Measure(
        "expected_delivery",
        "expected",
        "%",
        "The same as the closed form expects it of the last assignment, without downlinks; empty where it has none.",
        100.0,
        share=True,
        reported=False,
    ),
    Measure(
        "expected_compat",
        "expected (NoReL's model)",
        "%",
        "The same by the closed form as NoReL's authors published it, their metric.",
        100.0,
        share=True,
        reported=False,
    ),
    Measure(
        "never_sent",
        "never sent",
        "%",
        "Packets that a node had no time for (its duty cycle, a packet on the air, a full queue), of all generated.",
        100.0,
        share=True,
    ),
    Measure("downlinks_per_100", "downlinks", "per 100 packets", "Downlinks sent per 100 uplinks."),
    Measure("downlink_airtime", "gateway airtime", "%", "Share of time that gateways send, summed over them.", 100.0),
    Measure("ee_bits_per_mj", "EE", "bits/mJ", "Payload bits delivered per energy of all packets.", 1.0, "%"),
    Measure(
        "bits_per_airtime_s",
        "TH",
        "bits/s of airtime",
        "Payload bits delivered per second of airtime, lost packets' included.",
    ),
    Measure("goodput_bps", "goodput", "bits/s", "Payload bits that the network delivers per second."),
    Measure("energy_per_delivered_mj", "energy per packet", "mJ", "Energy of all packets per packet delivered."),
    Measure(
        "battery_life_years",
        "battery life",
        "years",
        "Mean over the nodes, at the mean power of each; empty unless the scenario has `energy: states`.",
    ),
    Measure("energy_j", "energy", "J", "Energy of all packets of all nodes over the whole run.", 1e-3, reported=False),
    Measure("fairness", "fairness", "Jain", "Jain's index of the nodes' PDR: 1 where all have the same.", share=True),
    Measure("share_pdr", "PDR share", "% of reference", f"PDR per PDR of `{REFERENCE_PDR}` on the same seed.", 100.0),
    Measure("share_ee", "EE share", "% of reference", f"EE per EE of `{REFERENCE_EE}` on the same seed.", 100.0),
    Measure(
        "converged_pdr_h",
        "PDR converged",
        "h",
        "When the PDR of an hour has gone 90 % of the way from the first hour to the last {settled}; empty where that "
        "way is at most twice the standard deviation of the hours at its end, as it is for rules that do not learn.",
        reported=False,
    ),
    Measure("converged_ee_h", "EE converged", "h", "The same for EE.", reported=False),
    Measure(
        "recovery_h",
        "recovery",
        "h",
        "Time from the first change until the start of the first 10 h whose PDR together is within 1 point of that of "
        "the {before} before the change; empty where it does not come back.",
        reported=False,
    ),
    Measure(
        "operations",
        "operations",
        "per decision",
        "Arithmetic operations of a node for one decision and update.",
        reported=False,
    ),
    Measure("state_bytes", "state", "bytes/node", "Memory of a node's learner.", reported=False),
    Measure(
        "overhead_packets",
        "start packets",
        "per node",
        "Packets before the first decision, to collect data.",
        reported=False,
    ),
    Measure("overhead_airtime_s", "start airtime", "s/node", "Their airtime.", reported=False),
    Measure(
        "overhead_energy_mj",
        "start energy",
        "mJ/node",
        "Their energy, which the run's does not include.",
        reported=False,
    ),
)
"""All measures, in the order of tables."""

_SETTLED_H = _BEFORE_H = 100.0
"""Hours that the definitions of convergence and recovery mean (`converged_h`, `recovery_time_h`), where there are."""


_REPORTED = (
    "pdr", "never_sent", "ee_bits_per_mj", "bits_per_airtime_s", "goodput_bps", "energy_per_delivered_mj",
    "downlinks_per_100", "downlink_airtime",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """All learners on one scenario.

    Attributes:
        config: The run, all learners included.
        played: Results of the seeds by learner, in the order of tables.
        values: By learner and measure, one per seed; nan where there is none.
        baseline: The learner that differences refer to; None: there are none.
        notes: Remarks for readers, such as learners that were left out.
    """

    config: PacketRun
    played: Mapping[str, Sequence[State]]
    values: Mapping[str, Mapping[str, Sequence[float]]]
    baseline: str | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, config: PacketRun, played: Mapping[str, Sequence[State]], baseline: str | None, notes: Iterable[str] = ()
    ) -> Comparison:
        """The comparison of the results of all learners."""
        by_seed = {label: [measured(state, config) for state in states] for label, states in played.items()}
        values = {label: {name: [row[name] for row in rows] for name in rows[0]} for label, rows in by_seed.items()}
        for share, metric, reference in (
            ("share_pdr", "pdr", REFERENCE_PDR),
            ("share_ee", "ee_bits_per_mj", REFERENCE_EE),
        ):
            label = next((label for label in values if learner_name(config.learners[label].name) == reference), None)
            for by_measure in values.values():
                by_measure[share] = (
                    [math.nan] * len(config.seeds)
                    if label is None
                    else _over(by_measure[metric], values[label][metric])
                )
        return cls(config, played, values, baseline, tuple(notes))

    def shown(self) -> list[Measure]:
        """The measures of which some learner has a value."""
        return [measure for measure in MEASURES if self._says_something(measure)]

    def _says_something(self, measure: Measure) -> bool:
        given = [value for row in self.values.values() for value in finite(row[measure.key])]
        return any(given) if measure.key in NOTHING_AT_0 else bool(given)

    def estimate(self, label: str, measure: Measure) -> Estimate:
        """Over the seeds that have a value, in the unit that is shown; `seeds` says how many have."""
        values = [measure.factor * value for value in finite(self.values[label][measure.key])]
        return estimate(values or [math.nan], measure.factor if measure.share else None)

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
                value, against = self.estimate(label, measure), self.difference(label, measure)
                yield {
                    "scenario": self.config.name,
                    "learner": label,
                    "metric": measure.key,
                    "unit": measure.unit,
                    "mean": value.mean,
                    "sd": value.spread,
                    "ci_low": value.ci_low,
                    "ci_high": value.ci_high,
                    "baseline": self.baseline,
                    "difference": None if against is None else against.mean,
                    "difference_ci_low": None if against is None else against.ci_low,
                    "difference_ci_high": None if against is None else against.ci_high,
                    "difference_unit": measure.difference or None,
                    "seeds": len(finite(self.values[label][measure.key])),
                    "values": [
                        measure.factor * value if math.isfinite(value) else None
                        for value in self.values[label][measure.key]
                    ],
                }


def definition_of(measure: Measure, configs: Sequence[PacketRun]) -> str:
    """The definition of a measure, with the hours that were averaged; where scenarios differ, those of each."""
    text = measure.definition.format(
        settled=_by_scenario({run.name: f"{min(_SETTLED_H, _trained_h(run)):.6g} h" for run in configs}),
        before=_by_scenario(
            {run.name: f"{min(_BEFORE_H, times_h[0]):.6g} h" for run in configs if (times_h := changes_h(run))}
        ),
    )
    if not measure.reported:
        return text
    return f"{text} Over: {_by_scenario({run.name: reported_part(run).removeprefix('mean of ') for run in configs})}."


def _by_scenario(texts: Mapping[str, str]) -> str:
    """One text where all scenarios have the same, else each with the scenario's name."""
    distinct = dict.fromkeys(texts.values())
    return next(iter(distinct), "-") if len(distinct) < 2 else ", ".join(f"{t} ({name})" for name, t in texts.items())


def _trained_h(config: PacketRun) -> float:
    return min(
        max((part.end_h for part in schedule(config, label) if not part.evaluation), default=0.0)
        for label in config.learners
    )


def differences(ours: Sequence[float], theirs: Sequence[float], measure: Measure) -> list[float]:
    """Seed by seed, in points of what is shown or in percent of theirs."""
    if measure.difference == "points":
        return [measure.factor * (our - their) for our, their in zip(ours, theirs, strict=True)]
    return [100 * (ratio - 1) for ratio in _over(ours, theirs)]


def measured(state: State, config: PacketRun) -> dict[str, float]:
    """All measures of one seed but the shares of references."""
    curve = curve_of(state)
    last = reported(curve, config.report_last_h)
    sent = state["sent"] > 0
    packets, airtime_s, energy_mj = state["overhead"].tolist()
    return {
        **{name: last[name] for name in _REPORTED},
        "battery_life_years": last.get("battery_life_years", math.nan),
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


def changes_h(config: PacketRun) -> list[float]:
    """When the scenario changes, its beginning aside. h"""
    return [change.at_s / 3600 for change in config.scenario.changes if change.at_s > 0]


def usage_of(state: State, config: PacketRun) -> Row:
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
