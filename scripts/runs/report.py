"""Tables of results for readers, at the terminal and as Markdown, and records for machines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from scripts.runs.metrics import METRICS, NOTHING_AT_0, SHARES, Row
from scripts.runs.statistics import Estimate, estimate


@dataclass(frozen=True)
class Result:
    """The results of a learner, one row of metrics per seed."""

    learner: str
    scenario: str
    by_seed: Sequence[Row]

    def estimate(self, metric: str) -> Estimate:
        """A metric over the seeds; the interval of a share lies between 0 and 1."""
        return estimate([row[metric] for row in self.by_seed], 1.0 if metric in SHARES else None)


def records(results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """`{learner, scenario, metric, mean, ci_low, ci_high, seeds}` each; one seed has no interval (nan)."""
    for result in results:
        for metric in METRICS:
            value = result.estimate(metric)
            yield {
                "learner": result.learner,
                "scenario": result.scenario,
                "metric": metric,
                "mean": value.mean,
                "ci_low": value.ci_low,
                "ci_high": value.ci_high,
                "seeds": value.seeds,
            }


NAMES = {
    "pdr": ("PDR [%]", 100.0),
    "ee_bits_per_mj": ("EE [bits/mJ]", 1.0),
    "bits_per_airtime_s": ("TH [bits/s of airtime]", 1.0),
    "goodput_bps": ("goodput [bits/s]", 1.0),
    "fairness": ("fairness of PDR (Jain)", 1.0),
    "energy_per_delivered_mj": ("energy per packet delivered [mJ]", 1.0),
    "battery_life_years": ("battery life [years]", 1.0),
    "never_sent": ("packets never sent [%]", 100.0),
    "downlinks_per_100": ("downlinks per 100 packets", 1.0),
}
"""How a metric is shown: name with unit, factor."""


def results_table(title: str, results: Sequence[Result], paper: Callable[[str, str], str] | None = None) -> Table:
    """Learners x metrics: mean and standard deviation over seeds, and what the paper has.

    Args:
        title: Of the table.
        results: One per learner.
        paper: The published text for a learner's label and a metric; None, or no text at all: no such column.
    """
    if paper is not None and not any(paper(result.learner, metric) for result in results for metric in NAMES):
        paper = None
    table = Table(title=title, title_justify="left")
    for name in ("learner", "metric"):
        table.add_column(name, overflow="fold")
    for name in ("ours", "spread (sd)", *(("paper",) if paper else ())):
        table.add_column(name, justify="right", overflow="fold")
    for result in results:
        for metric, (name, factor) in NAMES.items():
            by_seed = [row.get(metric, math.nan) for row in result.by_seed]
            if not any(map(math.isfinite, by_seed)) or (metric in NOTHING_AT_0 and not any(by_seed)):
                continue
            value = result.estimate(metric)
            cells = [number(factor * value.mean), number(factor * value.spread)]
            cells += [paper(result.learner, metric)] if paper else []
            table.add_row(result.learner if metric == "pdr" else "", name, *cells)
        table.add_section()
    return table


def number(value: float) -> str:
    """A number to about four significant digits; a dash where it is not finite."""
    return f"{value:z,.{_decimals(value)}f}" if math.isfinite(value) else "-"


def with_spread(value: Estimate) -> str:
    """`mean (standard deviation)` of an estimate."""
    return f"{number(value.mean)} ({number(value.spread)})"


def estimate_record(value: Estimate, **names: str) -> dict[str, Any]:
    """A record of an estimate for machines; `names` say what it is of, such as learner and metric."""
    return {**names, "mean": value.mean, "sd": value.spread, "seeds": value.seeds}


def counted(count: int, thing: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def with_interval(value: Estimate, *, sign: bool = False) -> str:
    """Mean and half width of the interval, to the decimals of the mean; without interval where there is one seed.

    An interval of a share that is not as wide on both sides is shown by its ends. A value that is the same for all
    seeds has no interval to show, and an integer then no decimals.
    """
    half = (value.ci_high - value.ci_low) / 2
    exact_integer = not half > 0 and value.mean.is_integer()
    decimals = 0 if exact_integer else _decimals(value.mean)
    text = f"{value.mean:{'+' if sign else ''},.{decimals}f}" if math.isfinite(value.mean) else "-"
    if not half > 0:
        return text
    lopsided = abs(value.ci_high + value.ci_low - 2 * value.mean) > _LOPSIDED * half
    if not lopsided:
        return f"{text} ± {half:.{decimals}f}"
    return f"{text} ({value.ci_low:,.{decimals}f} to {value.ci_high:,.{decimals}f})"


_LOPSIDED = 0.1
"""Difference of the sides of an interval, as a share of its half width, from which its ends are shown."""


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a bar in a cell does not end it."""
    ruled = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in line] for line in lines)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ruled) + "\n"


def _decimals(value: float) -> int:
    """For about four significant digits."""
    return 3 if abs(value) < 1 else 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0
