"""The assumptions that stand above every table of results: what of the radio its numbers depend on.

Each is a topic and a text. What is as in the defaults of the configuration (`DEFAULT_MARK`) was perhaps never decided.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from rich.table import Table

from lora_marl.config import CoexistenceConfig, CoexistenceRun, EnergyRun, ScenarioConfig, TrainConfig
from lora_marl.core.scenario import Scenario
from scripts.runs.packets.experiment import build_scenario

DEFAULT_MARK = "*"
"""Stands behind a value that is the default."""

HEADING = f"assumptions ({DEFAULT_MARK}: as by default)"

_BETWEEN_FACTORS = {
    "none": "spreading factors do not disturb each other",
    "sir_pairwise": "between spreading factors signal against each interferer",
    "sir_energy": "signal against the summed energy of each spreading factor",
    "sinr": "between spreading factors signal against noise plus all interference",
    "db_ratio": "between spreading factors a ratio of dBm numbers, as in D-LoRa's code",
}
_INTERFERERS = {"all_overlaps": "every overlap counts", "at_start": "packets on air at the start count"}
_TRAFFIC = {"poisson": "at random", "periodic": "in a fixed rhythm", "burst": "in bursts at random"}
_FEEDBACK = {
    "free": "free: nodes learn at once and at no cost what arrived",
    "downlink": "downlink: answers cost airtime, and can be refused or lost",
}
_MOST_TEXTS = 3
"""Texts of a topic that differ and are all shown."""

_FAR_MORE = 0.01
"""Relative difference from which two values of a list are shown as a range."""


@dataclass(frozen=True)
class Assumption:
    """What is assumed of one topic, as a text for readers."""

    topic: str
    text: str


def assumptions_of(config: TrainConfig) -> list[Assumption]:
    """The assumptions of a run of any kind."""
    if isinstance(config, CoexistenceRun):
        return assumptions(config.coexistence.build().radio, CoexistenceConfig().build().radio)
    scenario = assumptions(build_scenario(config.scenario, len(config.seeds)))
    if isinstance(config, EnergyRun):
        scenario.append(Assumption("delivery", "by a closed form that has Rayleigh fading; no packets are simulated"))
    return scenario


def assumptions_of_all(configs: Sequence[TrainConfig]) -> list[Assumption]:
    """The assumptions of several runs: where they differ, the text of each, or how many there are."""
    texts: dict[str, dict[str, None]] = {}
    for config in configs:
        for row in assumptions_of(config):
            texts.setdefault(row.topic, {})[row.text] = None
    return [Assumption(topic, _joined(list(of_topic))) for topic, of_topic in texts.items()]


def _joined(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    return f"differs: {' | '.join(texts)}" if len(texts) <= _MOST_TEXTS else f"differs, {len(texts)} kinds"


def assumptions(scenario: Scenario, default: Scenario | None = None) -> list[Assumption]:
    """The assumptions of a network.

    Args:
        scenario: The network.
        default: The network whose values are the defaults; None: that of an empty configuration.
    """
    usual = _default_network() if default is None else default
    return [
        Assumption("propagation", _propagation(scenario, usual)),
        Assumption("shadowing", _shadowing(scenario, usual)),
        Assumption("reception", _reception(scenario, usual)),
        Assumption("feedback", _marked(_FEEDBACK[scenario.feedback], scenario.feedback == usual.feedback)),
        Assumption("duty cycle", _duty_cycle(scenario, usual)),
        Assumption("traffic", _traffic(scenario, usual)),
        Assumption("region", _region(scenario, usual)),
        Assumption("energy", _energy(scenario, usual)),
    ]


@cache
def _default_network() -> Scenario:
    """The network of an empty configuration."""
    with warnings.catch_warnings(action="ignore"):
        return ScenarioConfig().build()


def assumptions_table(rows: Sequence[Assumption]) -> Table:
    """The assumptions for a terminal; texts wrap where it is narrow."""
    table = Table(title=HEADING, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(row.topic, row.text)
    return table


def assumptions_markdown(rows: Sequence[Assumption]) -> str:
    """The assumptions as a paragraph and a list of Markdown."""
    lines = "\n".join(f"- {row.topic}: {row.text.replace(DEFAULT_MARK, chr(92) + DEFAULT_MARK)}" for row in rows)
    return f"{HEADING.replace(DEFAULT_MARK, chr(92) + DEFAULT_MARK).capitalize()}:\n\n{lines}"


def _marked(text: str, is_default: bool) -> str:
    return text + DEFAULT_MARK * is_default


def _same(scenario: Any, usual: Any, *names: str) -> bool:
    """Whether fields of two records are equal; tables are compared number by number."""
    return all(np.array_equal(np.asarray(getattr(scenario, n)), np.asarray(getattr(usual, n))) for n in names)


def _propagation(scenario: Scenario, usual: Scenario) -> str:
    law = scenario.propagation
    if scenario.path_loss_db is not None and scenario.node_network is None:
        return "measured path loss of every link"
    if scenario.links is not None and scenario.links.path_loss_db is not None:
        return "measured path loss of every link and channel"
    exponent = _marked(f"exponent {law.exponent:g}", _same(law, usual.propagation, "exponent"))
    if law.model == "friis":
        return f"free space at the carrier, {exponent}"
    reference = f"{law.reference_loss_db:g} dB at {law.reference_distance_m:,.10g} m"
    same = _same(law, usual.propagation, "model", "reference_loss_db", "reference_distance_m")
    return f"log-distance, {exponent}, {_marked(reference, same)}"


def _shadowing(scenario: Scenario, usual: Scenario) -> str:
    law = scenario.propagation
    fading = "no fading" if law.fading == "none" else f"{law.fading.capitalize()} fading"
    fading = _marked(fading, _same(law, usual.propagation, "fading"))
    if law.shadowing_db == 0:
        return f"none; {fading}"
    drawn = {"packet": "drawn for every packet", "link": "drawn once per link"}[law.shadowing]
    size = _marked(f"{law.shadowing_db:g} dB", _same(law, usual.propagation, "shadowing_db"))
    return f"{size}, {_marked(drawn, _same(law, usual.propagation, 'shadowing'))}; {fading}"


def _reception(scenario: Scenario, usual: Scenario) -> str:
    rule, common = scenario.reception, usual.reception
    capture = "any overlap destroys both" if np.isinf(rule.capture_db) else f"capture at {rule.capture_db:g} dB"
    at_a_time = "any number of" if rule.demodulators is None else f"{rule.demodulators}"
    between = _BETWEEN_FACTORS[rule.inter_sf]
    if rule.inter_sf != "none":
        between += f", {_INTERFERERS[rule.interferers]}"
    parts = (
        (capture, ("capture_db", "equality_survives")),
        (between, ("inter_sf", "interferers", "sir_db", "sinr_db")),
        (f"{at_a_time} packets at a time", ("demodulators",)),
    )
    return "; ".join(_marked(text, _same(rule, common, *names)) for text, names in parts)


def _duty_cycle(scenario: Scenario, usual: Scenario) -> str:
    stated = scenario.traffic.duty_cycle
    if stated == "region":
        limits = np.unique(scenario.channel_duty_cycles)
        text = f"the region's, {_percents(limits)}" if limits.min() < 1 else "the region's, which has none"
    elif stated is None:
        text = "no limit"
    else:
        text = f"{100 * stated:g} % of the time"
    return _marked(text, stated == usual.traffic.duty_cycle)


def _percents(shares: Any) -> str:
    return " or ".join("no limit" if share == 1 else f"{100 * share:g} %" for share in shares) + " by channel" * (
        len(shares) > 1
    )


def _traffic(scenario: Scenario, usual: Scenario) -> str:
    traffic, common = scenario.traffic, usual.traffic
    every = f"a packet every {_range(traffic.interval_s)} s {_TRAFFIC[traffic.kind]}"
    if traffic.kind == "burst":
        every = f"{traffic.burst_packets} packets every {_range(traffic.interval_s)} s {_TRAFFIC[traffic.kind]}"
    parts = [
        _marked(every, _same(traffic, common, "interval_s", "kind")),
        _marked(f"{_range(traffic.payload_bytes)} bytes", _same(traffic, common, "payload_bytes")),
    ]
    parts += [f"confirmed, {traffic.max_attempts} attempts at most"] if traffic.confirmed else []
    parts += ["interference from outside"] if scenario.interference is not None else []
    return ", ".join(parts)


def _region(scenario: Scenario, usual: Scenario) -> str:
    region = scenario.region
    channels, powers = len(region.channels_hz), _ends(region.tp_dbm)
    widths = ", ".join(f"{width_hz / 1000:g}" for width_hz in region.bandwidths_hz)
    text = f"{region.name}, {channels} channel{'s' * (channels > 1)}, SF{_ends(region.spreading_factors)}, "
    return _marked(f"{text}{widths} kHz, {powers} dBm", region == usual.region)


def _energy(scenario: Scenario, usual: Scenario) -> str:
    text = {
        "radiated": "radiated power of sending alone",
        "supply": f"supply current of sending ({scenario.supply})",
        "states": "currents of the device in all its states",
    }[scenario.energy]
    return _marked(text, _same(scenario, usual, "energy", "supply"))


def _ends(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


def _range(values: Any) -> str:
    """A number, or the least and the greatest of a list of them; what never happens is left out."""
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        return "infinitely many"
    low, high = float(numbers.min()), float(numbers.max())
    return f"{low:g}" if high - low <= _FAR_MORE * high else f"{low:g} to {high:g}"
