"""What is measured of a learner on a scenario, with the words that explain it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REFERENCE_PDR, REFERENCE_EE = "reference-pdr", "reference-ee"


@dataclass(frozen=True)
class Measure:
    """A measure of a learner on a scenario.

    Attributes:
        key: In records.
        name: In tables.
        unit: Of what is shown.
        definition: One sentence.
        factor: From the value to what is shown.
        difference: How a learner is set against the baseline: in points of what is shown, or in percent of it.
    """

    key: str
    name: str
    unit: str
    definition: str
    factor: float = 1.0
    difference: Literal["points", "%", ""] = ""


MEASURES = (
    Measure("pdr", "PDR", "%", "Packets delivered per packet sent.", 100.0, "points"),
    Measure(
        "delivery_ratio",
        "delivery ratio",
        "%",
        "Mean over nodes of packets delivered per packet sent.",
        100.0,
        "points",
    ),
    Measure(
        "expected_delivery",
        "expected",
        "%",
        "The same as the closed form expects it of the last assignment, without downlinks; empty where it has none.",
        100.0,
    ),
    Measure(
        "expected_compat",
        "expected (NoReL's model)",
        "%",
        "The same by the closed form as NoReL's authors published it, their metric.",
        100.0,
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
    Measure("energy_j", "energy", "J", "Energy of all packets of all nodes over the whole run.", 1e-3),
    Measure("fairness", "fairness", "Jain", "Jain's index of the nodes' PDR: 1 where all have the same."),
    Measure("share_pdr", "PDR share", "% of reference", f"PDR per PDR of `{REFERENCE_PDR}` on the same seed.", 100.0),
    Measure("share_ee", "EE share", "% of reference", f"EE per EE of `{REFERENCE_EE}` on the same seed.", 100.0),
    Measure(
        "converged_pdr_h",
        "PDR converged",
        "h",
        "When the PDR of an hour has gone 90 % of the way from the first hour to the last 100 h; empty where that way "
        "is at most twice the standard deviation of the hours at its end, as it is for rules that do not learn.",
    ),
    Measure("converged_ee_h", "EE converged", "h", "The same for EE."),
    Measure(
        "recovery_h",
        "recovery",
        "h",
        "Time from the first change until the start of the first 10 h whose PDR together is within 1 point of that of "
        "the 100 h before the change; empty where it does not come back.",
    ),
    Measure("operations", "operations", "per decision", "Arithmetic operations of a node for one decision and update."),
    Measure("state_bytes", "state", "bytes/node", "Memory of a node's learner."),
    Measure("overhead_packets", "start packets", "per node", "Packets before the first decision, to collect data."),
    Measure("overhead_airtime_s", "start airtime", "s/node", "Their airtime."),
    Measure("overhead_energy_mj", "start energy", "mJ/node", "Their energy, which the run's does not include."),
)
"""All measures; up to `fairness` and but for `energy_j` over the last part of the run (or its evaluation)."""
