"""What learners achieved, and the same for machines: one record per learner and metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.estimates import Estimate, estimate
from scripts.measures import METRICS, Row


@dataclass(frozen=True)
class Result:
    """What a learner achieved, one row of metrics per seed."""

    learner: str
    scenario: str
    by_seed: Sequence[Row]

    def estimate(self, metric: str) -> Estimate:
        """A metric over the seeds."""
        return estimate([row[metric] for row in self.by_seed])


def records(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """`{learner, scenario, metric, mean, ci_low, ci_high, seeds}` each; one seed has no interval (nan)."""
    for result in results:
        for metric in METRICS:
            found = result.estimate(metric)
            yield {
                "learner": result.learner,
                "scenario": result.scenario,
                "metric": metric,
                "mean": found.mean,
                "ci_low": found.ci_low,
                "ci_high": found.ci_high,
                "seeds": found.seeds,
            }
