"""Channel hopping: the channel of a transmission whose operating point names none.

Source: LoRaWAN L2 1.0.4, section 4.3.1 (a device changes its channel pseudo-randomly for every transmission).
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.random import uniform


@compiled()
def hop_channel(state, tables, b, n):
    """Draw the channel of node `n`'s next packet, each of the region's as likely: by seed, node and packet alone."""
    channels = tables.channel_loss_db.shape[0]
    return np.int64(channels * uniform(state.streams[b].hop, n, state.nodes[b, n].packet))
