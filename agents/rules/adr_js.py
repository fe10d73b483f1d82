"""Any ADR plug-in of ChirpStack v4 on the air of this suite, under ChirpStack's contract.

The server keeps sessions and histories as in `agents.rules.adr_chirpstack`, and asks the plug-in on every uplink
received (`agents.rules.js_plugin`). Where the plug-in throws, or answers what the region has not, the parameters stay
as they are; the first such call is a warning, and `failures` counts them.

| request | value |
|---|---|
| `dr`, `txPowerIndex`, `nbTrans` | of the device session |
| `minDr`, `maxDr`, `maxTxPowerIndex` | 0, and the region's last ones |
| `requiredSnrForDr` | `agents.rules.served_adr.REQUIRED_SNR_DB` |
| `installationMargin` | `margin_db` |
| `uplinkHistory` | up to 20 frames: `fCnt`, `maxSnr`, `maxRssi`, `txPowerIndex`, `gatewayCount` |
| `devEui` | the number of the node, 16 hexadecimal digits |
| `deviceVariables` | `device_variables` |
| `macVersion`, `regParamsRevision`, `adr`, `skipFCntCheck` | `1.0.4`, `RP002-1.0.3`, true, false |

Source: ChirpStack v4, `chirpstack/src/adr/plugin.rs`, `uplink/data.rs`.
Differences: those of `agents.rules.served_adr` and `agents.rules.js_plugin`, and
    1. `gatewayCount` is 1: of the gateways that received a frame, the server here is told the strongest alone.
    2. Frame counters count from the first frame received. NbTrans above 3 becomes 3.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from agents.rules.js_plugin import AdrParameters, JsPlugin, PluginError
from agents.rules.served_adr import HISTORY, ServedAdr, add_entry, note_parameters
from lora_marl.core.outcome import REPEATED

if TYPE_CHECKING:
    from lora_marl.core.scenario import Scenario

CHIRPSTACK_DEFAULT = Path(__file__).parent / "plugins" / "chirpstack_default.js"
"""ChirpStack's default algorithm as a plug-in."""


class AdrJs(ServedAdr):
    """A server whose ADR algorithm is a JavaScript plug-in.

    Args:
        scenario, seeds, margin_db, start, channels, backoff: As in `ServedAdr`.
        plugin: The file of the plug-in.
        device_variables: Names and texts that every device's requests have.

    Raises:
        ModuleNotFoundError: QuickJS is not installed.
        ValueError: the plug-in cannot be used, a variable is no text, or a parameter is outside its range.
    """

    name: ClassVar[str] = "adr-js"

    def __init__(
        self,
        scenario: Scenario,
        seeds: Sequence[int],
        *,
        plugin: str | Path = CHIRPSTACK_DEFAULT,
        device_variables: Mapping[str, str] | None = None,
        margin_db: ArrayLike = 10.0,
        start: str = "slowest",
        channels: str = "hop",
        backoff: bool = True,
    ) -> None:
        super().__init__(scenario, seeds, margin_db=margin_db, start=start, channels=channels, backoff=backoff)
        self.plugin = JsPlugin(plugin)
        self._variables = dict(device_variables or {})
        for key, value in self._variables.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise ValueError(f"device_variables: {key!r} is {value!r}; names and values are texts")
        self.failures = np.zeros((self.replicas, self.nodes), np.int64)
        self._entry_rssi_dbm = np.zeros((self.replicas, self.nodes, HISTORY))

    def state_arrays(self) -> dict[str, NDArray]:
        """The arrays of `ServedAdr`; received powers of the history `[B, N, 20]` dBm; calls that failed `[B, N]`."""
        return super().state_arrays() | {"entry_rssi_dbm": self._entry_rssi_dbm, "failures": self.failures}

    def request(self, replica: int, node: int) -> dict[str, Any]:
        """What the plug-in is asked about a device, in ChirpStack's names."""
        session = self._sessions[replica, node]
        entries = int(session["entries"])
        counters = np.cumsum(np.maximum(session["missed"][:entries], 0) + 1)
        return {
            "regionConfigId": self.region.name.lower(),
            "regionCommonName": self.region.name,
            "devEui": f"{node:016x}",
            "macVersion": "1.0.4",
            "regParamsRevision": "RP002-1.0.3",
            "adr": True,
            "dr": int(session["rate"]),
            "txPowerIndex": int(session["power"]),
            "nbTrans": int(session["nb_trans"]),
            "maxTxPowerIndex": self._lowest,
            "requiredSnrForDr": float(self._needed_db[session["rate"]]),
            "installationMargin": float(self.margin_db[node]),
            "minDr": 0,
            "maxDr": self._fastest,
            "skipFCntCheck": False,
            "deviceVariables": self._variables,
            "uplinkHistory": [
                {
                    "fCnt": int(counters[entry]),
                    "maxSnr": float(session["snr_db"][entry]),
                    "maxRssi": round(float(self._entry_rssi_dbm[replica, node, entry])),
                    "txPowerIndex": int(session["entry_power"][entry]),
                    "gatewayCount": 1,
                }
                for entry in range(entries)
            ],
        }

    def _take_in(self, records: NDArray[np.void], snr_db: NDArray[np.float32], nb_trans: NDArray[np.int8]) -> None:
        for record, snr, transmissions in zip(records, snr_db, nb_trans, strict=True):
            if record["missed"] == REPEATED:
                continue
            replica, node = int(record["replica"]), int(record["node"])
            rate, power = self._fastest - record["point"][0], self._lowest - record["point"][3]
            _note(self._sessions, replica, node, rate, power, transmissions, snr, record["missed"])
            entries = int(self._sessions["entries"][replica, node])
            past_dbm = self._entry_rssi_dbm[replica, node]
            if entries == HISTORY:
                past_dbm[:-1] = past_dbm[1:].copy()
            past_dbm[entries - 1] = record["rssi_dbm"]
            session = self._sessions[replica, node]
            wanted = self._decide(replica, node)
            session["wanted_rate"], session["wanted_power"] = wanted.rate, wanted.power
            session["wanted_nb_trans"] = min(wanted.nb_trans, self._most_nb_trans)

    def _decide(self, replica: int, node: int) -> AdrParameters:
        """The plug-in's parameters, or those in force where it fails."""
        try:
            wanted = self.plugin.handle(self.request(replica, node))
            if not (0 <= wanted.rate <= self._fastest and 0 <= wanted.power <= self._lowest and wanted.nb_trans >= 1):
                raise PluginError(
                    f"handle returned {wanted}; data rates are 0 to {self._fastest}, powers 0 to {self._lowest}, "
                    "and NbTrans is at least 1"
                )
        except PluginError as error:
            if not self.failures.any():
                warnings.warn(
                    f"{self.plugin.path}: {error}; parameters stay as they are, here and in later calls that fail",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self.failures[replica, node] += 1
            session = self._sessions[replica, node]
            return AdrParameters(int(session["rate"]), int(session["power"]), int(session["nb_trans"]))
        return wanted


@njit(cache=True)
def _note(sessions, replica, node, rate, power, nb_trans, snr_db, missed):  # type: ignore[no-untyped-def]
    session = sessions[replica, node]
    note_parameters(session, rate, power, nb_trans)
    add_entry(session, snr_db, missed)
