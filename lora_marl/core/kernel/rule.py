"""The numbers and switches of the compiled loop, from the records that say what they mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.downlink import Feedback
from lora_marl.core.energy import energy_costs
from lora_marl.core.interference import Interference
from lora_marl.core.propagation import distance_law
from lora_marl.core.region import REGIONS, Region
from lora_marl.core.scenario import Scenario

INTER_SF = {"none": 0, "sir_pairwise": 1, "sir_energy": 2, "sinr": 3, "db_ratio": 4}
TRAFFIC = {"poisson": 0, "periodic": 1, "burst": 2, "trace": 3}
WINDOWS = {"both": 3, "rx1": 1, "rx2": 2}
UNLIMITED = np.iinfo(np.int64).max

RULE = np.dtype(
    [
        ("spares_pair", np.bool_),
        ("capture_db", np.float64),
        ("equality_survives", np.bool_),
        ("same_sf_needs_equal_bw", np.bool_),
        ("inter_sf", np.int64),
        ("at_start", np.bool_),
        ("demodulators", np.int64),
        ("lost_packets_interfere", np.bool_),
        ("linear", np.bool_),  # received powers are needed in mW
        ("packet_shadowing", np.bool_),
        ("common_db", np.float64),
        ("own_db", np.float64),
        ("rayleigh", np.bool_),
        ("traffic", np.int64),
        ("after_end", np.bool_),
        ("jitter_s", np.float64),
        ("random_phase", np.bool_),
        ("burst_packets", np.int64),
        ("burst_gap_s", np.float64),
        ("off_per_airtime", np.float64),
        ("queued", np.bool_),
        ("confirmed", np.bool_),
        ("max_attempts", np.int64),
        ("least_retry_s", np.float64),
        ("most_retry_s", np.float64),
        ("least_next_s", np.float64),
        ("most_next_s", np.float64),
        ("record", np.bool_),
        ("count_arms", np.bool_),
        ("receive_mj", np.float64),
        ("downlinks", np.bool_),  # feedback needs them
        ("server", np.bool_),  # the network server decides
        ("waits", np.bool_),  # a node that decides waits for a downlink
        ("feedback_packets", np.int64),
        ("patience", np.int64),
        ("backoff", np.bool_),
        ("default_channels", np.int64),  # the first ones, which the last step of a back-off enables again
        ("listens", np.bool_),
        ("windows", np.int64),  # 1: RX1, 2: RX2, 3: both
        ("rx1_delay_s", np.float64),
        ("rx2_delay_s", np.float64),
        ("rx2_sf", np.int64),
        ("rx2_bw", np.int64),
        ("down_tp_dbm", np.float64),  # on channel 0; on others `Tables.down_above_db` more
        ("busy_gateways_send", np.bool_),
        ("down_interference", np.bool_),
        ("bursts", np.bool_),
        ("least_burst_s", np.float64),
        ("most_burst_s", np.float64),
        ("least_burst_dbm", np.float64),
        ("most_burst_dbm", np.float64),
        ("near_gain_db", np.float64),  # of nodes at the reference distance of each other
        ("loss_per_decade_db", np.float64),
        ("reference_m", np.float64),
        ("nearest_m", np.float64),
        ("rx_mw", np.float64),  # while receiving, above sleeping; 0 where no state but sending is counted
        ("rx2_mj", np.float64),  # of an RX2 in which nothing comes
        ("sleep_mw", np.float64),
        ("links", np.bool_),  # measured links
        ("group_share", np.float64),
        ("lost_share", np.float64),
        ("sub_bands", np.bool_),  # nodes keep duty cycles by sub-band
        ("channel_rates", np.bool_),  # some channels take some data rates only
        ("trace", np.bool_),  # packets are those of a trace
        ("trace_repeat_s", np.float64),  # 0: it is played once
        ("negligible_db", np.float64),  # below the noise, powers that far are neglected; 0: none is
    ],
    align=True,
)


FEEDBACK = ("downlinks", "server", "waits", "feedback_packets", "patience", "backoff", "default_channels", "listens")
"""Fields of the rule that belong to who decides, not to the network.

The names of all others are part of the number by which a snapshot knows its network (`Tables.digest`): they are data.
"""

ADDED = (
    *("rx2_bw", "rx_mw", "rx2_mj", "sleep_mw", "links", "group_share", "lost_share", "sub_bands", "channel_rates"),
    *("trace", "trace_repeat_s", "negligible_db"),
)
"""Fields that the first snapshots do not know. Each is 0 or False where its part is off, and counts elsewhere only."""


def make_rule(scenario: Scenario, feedback: Feedback, record: bool, count_arms: bool) -> NDArray[np.void]:
    """The rule of a scenario. RULE [1]"""
    rx, air, traffic = scenario.reception, scenario.propagation, scenario.traffic
    costs = energy_costs(scenario)
    rule = np.zeros(1, RULE)
    per_packet = air.shadowing == "packet" and air.shadowing_db > 0
    values = (
        {
            "spares_pair": rx.spares == "pair",
            "capture_db": rx.capture_db,
            "equality_survives": rx.equality_survives,
            "same_sf_needs_equal_bw": rx.same_sf_needs_equal_bw,
            "inter_sf": INTER_SF[rx.inter_sf],
            "at_start": rx.interferers == "at_start",
            "demodulators": UNLIMITED if rx.demodulators is None else rx.demodulators,
            "lost_packets_interfere": rx.lost_packets_interfere,
            "linear": record
            or scenario.interference is not None
            or rx.inter_sf in ("sinr", "sir_energy", "sir_pairwise"),
            "packet_shadowing": per_packet,
            "common_db": air.shadowing_parts_db[0],
            "own_db": air.shadowing_parts_db[1],
            "rayleigh": air.fading == "rayleigh",
            "traffic": TRAFFIC[traffic.kind],
            "after_end": traffic.after_end,
            "jitter_s": traffic.jitter_s,
            "random_phase": traffic.random_phase,
            "burst_packets": traffic.burst_packets,
            "burst_gap_s": traffic.burst_gap_s,
            "off_per_airtime": 0.0
            if scenario.duty_cycles_by_sub_band
            else float(1.0 / scenario.channel_duty_cycles[0] - 1.0),
            "queued": traffic.queued,
            "confirmed": traffic.confirmed,
            "max_attempts": traffic.max_attempts,
            "least_retry_s": traffic.retry_s[0],
            "most_retry_s": traffic.retry_s[1],
            "least_next_s": traffic.next_s[0],
            "most_next_s": traffic.next_s[1],
            "record": record,
            "count_arms": count_arms,
            "receive_mj": scenario.receive_mj,
            "rx_mw": costs.rx_mw,
            "rx2_mj": costs.rx2_mj,
            "sleep_mw": costs.sleep_mw,
            "links": scenario.links is not None,
            "group_share": 0.0 if scenario.links is None else scenario.links.group_share,
            "lost_share": 0.0 if scenario.links is None else scenario.links.lost_share,
            "sub_bands": scenario.duty_cycles_by_sub_band,
            "channel_rates": bool(scenario.region.channel_data_rates),
            "trace": traffic.trace is not None,
            "trace_repeat_s": 0.0 if traffic.trace is None else traffic.trace.repeat_s or 0.0,
            "negligible_db": rx.negligible_db or 0.0,
            "server": feedback.decides == "server",
            "waits": scenario.feedback == "downlink" and feedback.answers and feedback.decides == "node",
            "feedback_packets": feedback.packets,
            "patience": feedback.patience,
            "backoff": feedback.backoff and feedback.decides == "server",
            "default_channels": _default_channels(scenario.region),
            "listens": feedback.listens,
            "downlinks": scenario.feedback == "downlink" and (feedback.answers or traffic.confirmed),
        }
        | _downlink_rule(scenario)
        | _burst_rule(scenario.interference)
    )
    for field, value in values.items():
        rule[field] = value
    return rule


def _default_channels(region: Region) -> int:
    """How many of the first channels every device has; all of them where that is not known."""
    known, channels = REGIONS.get(region.name, region), len(region.channels_hz)
    if region.default_channels is None or region.default_channels > channels:
        return channels
    first = slice(region.default_channels)
    return region.default_channels if region.channels_hz[first] == known.channels_hz[first] else channels


def _downlink_rule(scenario: Scenario) -> dict[str, float]:
    """The fields of the rule that say how gateways send."""
    down, law = scenario.downlink, distance_law(scenario.propagation, scenario.carrier_hz)
    windows = scenario.receive_windows
    return {
        "windows": WINDOWS[down.windows],
        "rx1_delay_s": down.rx1_delay_s,
        "rx2_delay_s": down.rx2_delay_s,
        "rx2_sf": windows.rx2_rate[0],
        "rx2_bw": windows.rx2_rate[1],
        "down_tp_dbm": windows.tp_dbm[0],
        "busy_gateways_send": down.priority == "downlink",
        "down_interference": down.interference,
        "near_gain_db": scenario.propagation.antenna_gain_db - law.reference_loss_db,
        "loss_per_decade_db": law.loss_per_decade_db,
        "reference_m": law.reference_m,
        "nearest_m": law.nearest_m,
    }


def _burst_rule(interference: Interference | None) -> dict[str, float]:
    """The fields of the rule that say what bursts are like."""
    if interference is None:
        return {}
    (least_s, most_s), (least_dbm, most_dbm) = interference.burst_s, interference.power_dbm
    return {
        "bursts": True,
        "least_burst_s": least_s,
        "most_burst_s": most_s,
        "least_burst_dbm": least_dbm,
        "most_burst_dbm": most_dbm,
    }
