"""Pictures of a calibration: what it says of each gateway and channel beside what was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lora_marl.logs.calibration import Calibration
from lora_marl.logs.counting import sent
from lora_marl.logs.tables import TrafficLog
from lora_marl.logs.validation import predicted_prr

_SHOWN = 6
"""Links of the picture of powers: those with most frames."""


def draw_calibration(log: TrafficLog, calibration: Calibration, path: Path) -> None:
    """PRR of each link as recorded and as calibrated, and received powers of the busiest links with their fit."""
    figure = Figure(figsize=(14, 5.5), layout="constrained")
    rates, powers = figure.subplots(1, 2)
    recorded, fitted = sent(log).prr, predicted_prr(calibration)
    pairs = np.array(list(calibration.links))
    rates.plot([0, 100], [0, 100], color="grey", lw=1)
    rates.scatter(100 * recorded[pairs[:, 0], pairs[:, 1]], 100 * fitted[pairs[:, 0], pairs[:, 1]], s=20)
    rates.set(xlabel="PRR recorded [%]", ylabel="PRR of the calibration [%]", title="links")
    receptions, frames = log.receptions, log.frames
    device = frames["device"][receptions["frame"]]
    counts = {pair: int(((device == pair[0]) & (receptions["gateway"] == pair[1])).sum()) for pair in calibration.links}
    for number, pair in enumerate(sorted(counts, key=lambda pair: -counts[pair])[:_SHOWN]):
        chosen = (device == pair[0]) & (receptions["gateway"] == pair[1])
        power_dbm, link = log.power_dbm[chosen], calibration.links[pair]
        label = f"{calibration.devices[pair[0]][-6:]} at {calibration.gateways[pair[1]][:8]}"
        colour = f"C{number}"
        powers.hist(power_dbm, bins=np.arange(-145, -60, 1.0), histtype="step", color=colour, label=label)
        channel = np.searchsorted(calibration.channels_hz, frames["frequency_hz"][receptions["frame"][chosen]])
        shares = np.bincount(channel, minlength=len(link.mean_dbm)) / len(channel)
        at_dbm = np.arange(-145, -60, 0.25)
        z = (at_dbm[:, None] - link.mean_dbm) / link.spread_db
        density = (shares * np.exp(-0.5 * z * z) / (link.spread_db * np.sqrt(2 * np.pi))).sum(axis=1)
        powers.plot(at_dbm, counts[pair] * density, color=colour, lw=1, ls="--")
    powers.set(xlabel="received power [dBm]", ylabel="receptions per dB", title="recorded (solid), fit (dashed)")
    shown = np.percentile(log.power_dbm, (0.1, 99.9))
    powers.set_xlim(shown[0] - 3, shown[1] + 3)
    powers.legend(fontsize="small")
    figure.savefig(path, dpi=120)
