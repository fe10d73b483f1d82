"""LoRaWAN's regions as plain data: each is a mapping of fields of `lora_marl.core.region.Region`.

Source: LoRaWAN Regional Parameters RP002-1.0.5, of which a comment names the section (and the table where we have it);
limits of frequencies that RP002 leaves to national law have a source of their own. PHY payloads are M + 5 for the M of
devices without a repeater. Powers are those fed to a dipole, 2.15 dB below the EIRP.

| region | file | duty cycle | dwell time | listen before talk |
|---|---|---|---|---|
| EU868, EU433, RU864 | `europe.py` | by sub-band; 10 %; 1 % | - | - |
| US915, AU915 | `america.py` | - | 400 ms | - |
| AS923-1 to -4 | `asia.py` | 1 % | - | by country; not modelled |
| KR920, IN865 | `asia.py` | - | - | KR920; not modelled |
| CN470 by antenna and plan | `china.py` | - | 1 s | - |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lora_marl.core.regions import america, asia, china, europe

PLANS: tuple[Mapping[str, Any], ...] = (*europe.PLANS, *america.PLANS, *asia.PLANS, *china.PLANS)
"""All regions; the first four names are older than the others, and have meant the same ever since."""
