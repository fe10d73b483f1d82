"""The energy of a node in a scenario's model of it, as constants per operating point.

| `Scenario.energy` | counted |
|---|---|
| `radiated` | transmit power times airtime, `receive_mj` after each packet |
| `supply` | supply power of a published table times airtime, `receive_mj` after each packet |
| `states` | sending, two receive windows by their data rates, receiving a downlink, and sleeping (`Device`) |

Under `states` each uplink is followed by the receive windows of class A, whether feedback is free or not: RX1 at the
region's data rate for the uplink's and RX2 at its own, each `Device.window_symbols` long. A downlink that the node can
hear takes its airtime in place of its window; one in RX1 spares RX2, unless it is not received and over by then. All
other time a node sleeps, even one that is off.

The powers and energies are those above sleeping, so the energy of a period is their sum plus `sleep_mw` times its
length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core import metrics, phy
from lora_marl.core.windows import rx1_rates, rx2_rate

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario


class EnergyCosts(NamedTuple):
    """Powers and energies above sleeping: `S` spreading factors, `W` bandwidths, `T` powers."""

    tp_mw: NDArray[np.float64]  # [T], while sending
    windows_mj: NDArray[np.float64]  # [S, W], receive windows after an uplink, in which nothing comes
    rx_mw: float  # while receiving a downlink; 0 where the model does not count that
    rx2_mj: float  # RX2 alone
    sleep_mw: float


def sending_mw(scenario: Scenario, tp_dbm: ArrayLike) -> NDArray[np.float64]:
    """Power while sending, above that of sleeping. `[T]` dBm -> `[T]` mW

    Raises:
        ValueError: a transmit power that the model has no current of.
    """
    powers_dbm = np.asarray(tp_dbm, np.float64)
    if scenario.energy != "states":
        return np.asarray(phy.tx_power_mw(powers_dbm, scenario.energy, supply=scenario.supply))
    device = scenario.device
    return device.tx_power_mw(powers_dbm) - device.voltage_v * device.sleep_ma


def energy_costs(scenario: Scenario) -> EnergyCosts:
    """The constants of a scenario's energy model.

    Raises:
        ValueError: a transmit power that the model has no current of.
    """
    region, down = scenario.region, scenario.downlink
    tp_mw = sending_mw(scenario, region.tp_dbm)
    sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    if scenario.energy != "states":
        return EnergyCosts(tp_mw, np.full((len(sf), len(bw_hz)), scenario.receive_mj), 0.0, 0.0, 0.0)
    device = scenario.device
    sleep_mw = device.voltage_v * device.sleep_ma
    rx_mw = device.voltage_v * device.rx_ma - sleep_mw
    rx1, (rx2_sf, rx2_hz) = np.array(list(rx1_rates(region, down).values())), rx2_rate(region, down)
    rx1_mj = rx_mw * device.window_symbols * phy.symbol_time_s(rx1[:, 0].astype(np.int64), bw_hz=rx1[:, 1])
    rx2_mj = float(rx_mw * device.window_symbols * phy.symbol_time_s(rx2_sf, bw_hz=rx2_hz))
    windows_mj = np.zeros((len(sf), len(bw_hz)))
    if down.windows != "rx2":
        windows_mj += rx1_mj.reshape(windows_mj.shape)
    if down.windows != "rx1":
        windows_mj += rx2_mj
    return EnergyCosts(tp_mw, windows_mj, rx_mw, rx2_mj, sleep_mw)


def battery_life_years(scenario: Scenario, power_mw: ArrayLike) -> Any:
    """How long the scenario's battery lasts at a mean power of a device: [...] mW -> [...] years.

    Raises:
        ValueError: an energy model that does not count all states.
    """
    if scenario.energy != "states":
        raise ValueError(f"scenario.energy: {scenario.energy!r} does not count all states; battery life needs 'states'")
    battery = scenario.battery
    return metrics.battery_life_years(
        np.asarray(power_mw) / scenario.device.voltage_v,
        capacity_mah=battery.capacity_mah,
        self_discharge_per_year=battery.self_discharge_per_year,
    )
