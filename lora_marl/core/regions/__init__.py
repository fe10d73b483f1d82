"""LoRaWAN's regions as plain data: each is a mapping of fields of `lora_marl.core.region.Region`.

Source: LoRaWAN Regional Parameters RP002-1.0.5. Comments name a table or section of it where its text was read. All
other values were read in what implements it, or in what it replaced, under the names that comments use:

| name | what was read |
|---|---|
| TTS | The Things Stack, `pkg/band/*_rp2_v1_0_4.go`: bands by RP002-1.0.4 |
| LBM | Semtech's LoRa Basics Modem, `smtc_real/src/region_*_defs.h` |
| LMN | LoRaMac-node, `src/mac/region/Region*.h` |
| ChirpStack | `lrwn/src/region/*.rs`, and its former library `brocaar/lorawan`, `band/` |
| 1.0.3 | LoRaWAN 1.0.3 Regional Parameters, revision A, which RP002 replaced |

Limits that RP002 leaves to national law have a source of their own. PHY payloads are M + 5 for the M of devices without
a repeater. Powers are those fed to a dipole, 2.15 dB below the EIRP. Data rates that RP002-1.0.5 has beyond LoRa at SF7
to SF12 (FSK, LR-FHSS, SF5 and SF6) are left out.

| region | file | duty cycle | dwell time | listen before talk |
|---|---|---|---|---|
| EU868, RU864 | `europe.py` | by sub-band | - | - |
| EU433 | `europe.py` | 10 % | - | - |
| US915, AU915 | `america.py` | - | 400 ms | - |
| AS923-1 to -4 | `asia.py` | 1 % | - | AS923-1, in Japan; not modelled |
| KR920, IN865 | `asia.py` | - | - | KR920; not modelled |
| CN470 by antenna and plan; `CN470-96` | `china.py` | - | 1 s; - | - |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lora_marl.core.regions import america, asia, china, europe

PLANS: tuple[Mapping[str, Any], ...] = (*europe.PLANS, *america.PLANS, *asia.PLANS, *china.PLANS)
"""All regions; the first four names are older than the others, and have meant the same ever since."""
