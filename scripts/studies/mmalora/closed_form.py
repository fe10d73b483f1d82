"""MMALoRa's Fig. 5: the closed form against packets, all nodes in one channel at full power.

The error is the mean over nodes of |D_i - share delivered|. Most of it is sampling: with n packets a node, a perfect
model has an error of sqrt(2 / pi) mean sqrt(D (1 - D) / n), the floor. Therefore runs are long. Every seed has its own
placement. Runs take a second each, so they are simulated whenever a claim is read, and not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import tables
from lora_marl.core.air import Air
from lora_marl.core.expect.rayleigh import Rayleigh, Variant
from lora_marl.core.presets import mmalora_network
from lora_marl.core.scenario import Scenario
from scripts.studies.claim import Claim, Results, Study
from scripts.studies.mmalora.plots import draw_errors

SEEDS, PACKETS = 5, 2000
_WARM_UP_S = 7200.0
_PAPER = "the paper: below 3 % over nodes and gateways, below 4 % over parameters"
_FLOOR = "what is left is sampling"


@dataclass(frozen=True)
class Setting:
    """A point of Fig. 5.

    Attributes:
        name: Name of the point; points that differ in nothing else are simulated once.
        nodes, gateways: N and G.
        sf, bw_hz, coding_rate: Of all packets; sensitivities are those of 125 kHz at any bandwidth, as in Table I.
    """

    name: str = field(compare=False)
    nodes: int = 160
    gateways: int = 3
    sf: int = 12
    bw_hz: float = 125e3
    coding_rate: int = 1

    def scenario(self, seed: int) -> Scenario:
        """The network, with a seed's placement."""
        network = mmalora_network(self.nodes, self.gateways, channels=1, seed=seed)
        at_125khz_dbm = np.repeat(tables.SENSITIVITY_DBM["mmalora"][:, :1], 3, axis=1)
        return replace(
            network,
            coding_rate=self.coding_rate,
            region=replace(network.region, bandwidths_hz=(self.bw_hz,)),
            reception=replace(network.reception, sensitivity_dbm=at_125khz_dbm),
        )

    def points(self, scenario: Scenario) -> NDArray[np.int16]:
        """Operating points of all nodes, at full power. `[N, 4]`"""
        point = scenario.region.points(sf=self.sf, bw_hz=self.bw_hz, channel=0, tp_dbm=20.0)
        return np.tile(point, (self.nodes, 1))


@dataclass(frozen=True)
class PacketRun:
    """Packets that the nodes of a seed sent, and the share that was delivered. `[N]`"""

    sent: NDArray[np.float64]
    share: NDArray[np.float64]


PANELS: Mapping[str, Sequence[Setting]] = {
    "nodes": [Setting(f"n{nodes}", nodes) for nodes in range(60, 161, 20)],
    "gateways": [Setting(f"k{gateways}", gateways=gateways) for gateways in range(1, 5)],
    "parameters": [Setting("ps1", sf=7, bw_hz=500e3), Setting("ps2", coding_rate=4), Setting("ps3")],
}
"""Fig. 5 (a), (b) and (c)."""


@cache
def simulated(setting: Setting, seed: int, packets: int = PACKETS) -> PacketRun:
    """The packets of a seed, about `packets` for each node."""
    scenario = setting.scenario(seed)
    points, air = setting.points(scenario)[None], Air(scenario, [seed])
    per_s = Rayleigh(scenario).expect(points[0]).packets_per_s[0]
    air.advance(points, _WARM_UP_S)
    outcome = air.advance(points, _WARM_UP_S + packets / per_s)
    return PacketRun(outcome.sent[0].astype(np.float64), outcome.delivered[0] / outcome.sent[0])


@cache
def expected(setting: Setting, variant: Variant, seed: int) -> NDArray[np.float64]:
    """D_i by a closed form, with the paper's rate under the duty cycle. `[N]`"""
    scenario = setting.scenario(seed)
    return Rayleigh(scenario, variant=variant, rate="linear").delivery(setting.points(scenario))


def error_percent(setting: Setting, variant: Variant, seed: int, packets: int = PACKETS) -> float:
    """Mean absolute error of a closed form over nodes, in percent."""
    return 100 * float(np.abs(expected(setting, variant, seed) - simulated(setting, seed, packets).share).mean())


def floor_percent(setting: Setting, seed: int, packets: int = PACKETS) -> float:
    """Mean absolute error that a perfect model would have, in percent."""
    share, sent = expected(setting, "joint", seed), simulated(setting, seed, packets).sent
    return 100 * float(np.sqrt(2 / np.pi) * np.sqrt(share * (1 - share) / sent).mean())


def over_floor_points(setting: Setting, variant: Variant, seed: int, packets: int = PACKETS) -> float:
    """Error of a closed form beyond the floor, in points."""
    return error_percent(setting, variant, seed, packets) - floor_percent(setting, seed, packets)


def studies(*, quick: bool = False) -> list[Study]:
    """The study `mmalora-model`; `quick`: with one fiftieth of the packets."""
    packets = PACKETS // 50 if quick else PACKETS
    settings = [setting for panel in PANELS.values() for setting in panel]
    claims = []
    for setting in settings:
        most = 1.5 if setting.gateways == 1 else 1.2
        claims.append(_claim(setting, "expect", error_percent, packets, 0.0, most, _PAPER))
        claims.append(_claim(setting, "joint", over_floor_points, packets, -0.15, 0.15, _FLOOR))
    title, drawn = "MMALoRa, Fig. 5: closed form against packets", partial(draw, packets=packets)
    return [Study("mmalora-model", title, (), tuple(claims), drawn)]


def draw(path: Path, _: Results, *, packets: int = PACKETS) -> None:
    """Draw the errors of all variants and the floor, a panel each for nodes, gateways and parameters."""
    panels = {}
    for name, settings in PANELS.items():
        rows: dict[str, list[list[float]]] = {
            variant: [[error_percent(s, variant, seed, packets) for seed in range(SEEDS)] for s in settings]
            for variant in ("meang", "expect", "joint")
        }
        rows["floor"] = [[floor_percent(s, seed, packets) for seed in range(SEEDS)] for s in settings]
        panels[name] = ([setting.name for setting in settings], rows)
    draw_errors(path, panels)


def _claim(
    setting: Setting, variant: Variant, read: Callable[[Setting, Variant, int, int], float], packets: int, low: float,
    high: float, note: str,
) -> Claim:  # fmt: skip
    """The claim that a number of a setting and variant, mean over seeds, lies from `low` to `high`."""

    def values() -> list[float]:
        return [read(setting, variant, seed, packets) for seed in range(SEEDS)]

    return Claim(f"mmalora-model/{setting.name}/{variant}/{read.__name__}", (), values, low, high, None, note)
