"""What the Rayleigh closed form looks up: made once per scenario, so that an evaluation has one exponential a link.

Shape letters: `N` nodes, `G` gateways, `S` spreading factors, `C` channels, `T` transmit powers, `Z` payload sizes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lora_marl.core import metrics, phy, units
from lora_marl.core.expect.physics import thresholds_db
from lora_marl.core.expect.rates import Rate, rates_per_s
from lora_marl.core.kernel.tables import channel_overlaps
from lora_marl.core.scenario import Scenario


class Tables(NamedTuple):
    """Constants of a scenario by index."""

    gain: NDArray[np.float64]  # [N, G], received over transmitted power
    tp_mw: NDArray[np.float64]  # [T], radiated
    channel_gain: NDArray[np.float64]  # [C]
    sensitivity_mw: NDArray[np.float64]  # [S]
    inverse_sir: NDArray[np.float64]  # [S, S], 1 / the ratio needed, wanted by interferer; inf: no harm
    size: NDArray[np.int64]  # [N], index of the payload size
    overlap: NDArray[np.float64]  # [Z, S, N, S], probability h that a packet of the node meets one of a size and SF
    meets: NDArray[np.bool_]  # [C, C], channels that overlap
    airtime_s: NDArray[np.float64]  # [N, S]
    energy_mj: NDArray[np.float64]  # [N, S, T], of one attempt
    bits_per_mj: NDArray[np.float64]  # [N, S, T], if every attempt were delivered; 0 for nodes that are off


def make(scenario: Scenario, rate: Rate) -> Tables:
    """The tables of a scenario without a replica axis."""
    region, traffic, nodes = scenario.region, scenario.traffic, scenario.nodes
    sf, bw_hz = np.array(region.spreading_factors), np.array(region.bandwidths_hz)
    tp_dbm = np.array(region.tp_dbm, np.float64)
    sizes, size = np.unique(np.broadcast_to(traffic.payload_bytes, nodes), return_inverse=True)
    airtime_s = scenario.airtime_s(sizes)[..., 0]
    spared_s = scenario.reception.spared_preamble_symbols * phy.symbol_time_s(sf, bw_hz)
    own_s, interval_s = airtime_s[size], scenario.interval_s()
    per_s = rates_per_s(rate, traffic, interval_s[:, None], own_s)
    window_s = own_s[None, None] + (airtime_s - spared_s)[:, :, None, None]
    tp_mw = phy.tx_power_mw(tp_dbm, scenario.energy, supply=scenario.supply)
    energy_mj = own_s[..., None] * tp_mw + scenario.receive_mj
    bits = np.where(np.isfinite(interval_s), 8.0 * sizes[size], 0.0)
    loss_db = np.zeros(len(region.channels_hz)) if scenario.channel_loss_db is None else scenario.channel_loss_db
    made = Tables(
        gain=units.db_to_ratio(scenario.mean_gain_db()),
        tp_mw=units.dbm_to_mw(tp_dbm),
        channel_gain=units.db_to_ratio(-np.asarray(loss_db, np.float64)),
        sensitivity_mw=units.dbm_to_mw(scenario.reception.sensitivities_dbm(sf, bw_hz)[:, 0]),
        inverse_sir=units.db_to_ratio(-thresholds_db(scenario)),
        size=size.astype(np.int64),
        overlap=-np.expm1(-window_s * per_s),
        meets=channel_overlaps(np.array(region.channels_hz), bw_hz, scenario.reception.channel_overlap)[:, 0, :, 0],
        airtime_s=own_s,
        energy_mj=energy_mj,
        bits_per_mj=np.asarray(metrics.ee_bits_per_mj(bits[:, None, None], energy_mj)),
    )
    return Tables(**{name: np.ascontiguousarray(array) for name, array in made._asdict().items()})
