"""Received power of a LoRa frame from what gateways report."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lora_marl.core.units import db_to_ratio, ratio_to_db


def esp_dbm(rssi_dbm: ArrayLike, snr_db: ArrayLike) -> NDArray[np.float64]:
    """Estimated signal power: the RSSI without its share of noise. [...] dBm

    RSSI is the power of signal and noise, so P = RSSI + SNR - 10 log10(1 + 10^(SNR/10)).

    Args:
        rssi_dbm: [...] dBm
        snr_db: [...] dB

    Source: Semtech SX1302 documentation; definition of ESP in the Saint Eynard data set.
    """
    snr = np.asarray(snr_db, np.float64)
    power_dbm: NDArray[np.float64] = np.asarray(rssi_dbm, np.float64) + snr - ratio_to_db(1.0 + db_to_ratio(snr))
    return power_dbm


def noise_dbm(rssi_dbm: ArrayLike, snr_db: ArrayLike) -> NDArray[np.float64]:
    """Noise and interference that a frame was heard in. [...] dBm"""
    return esp_dbm(rssi_dbm, snr_db) - np.asarray(snr_db, np.float64)
