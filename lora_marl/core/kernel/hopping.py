"""Channel hopping: the channel of a transmission whose operating point names none.

Source: LoRaWAN L2 1.0.4, section 4.3.1 (a device changes its channel pseudo-randomly for every transmission).
"""

from __future__ import annotations

import numpy as np

from lora_marl.core.kernel import compiled
from lora_marl.core.kernel.features import LIMITS
from lora_marl.core.kernel.sub_bands import choose_channel
from lora_marl.core.random import uniform


@compiled()
def hop_channel(state, tables, b, n, now_s):
    """Draw the channel of node `n`'s next packet, by seed, node and packet alone.

    Each of the region's is as likely, of those that the node may use where a mask, sub-bands or data rates restrict it.
    """
    node, channels = state.nodes[b, n], tables.channel_loss_db.shape[0]
    drawn = uniform(state.streams[b].hop, n, node.packet)
    if LIMITS and (tables.rule[0].sub_bands or tables.rule[0].channel_rates or state.channel_masks.shape[1] > 0):
        return choose_channel(state, tables, b, n, node.point[0], node.point[1], now_s, drawn)
    return np.int64(channels * drawn)
