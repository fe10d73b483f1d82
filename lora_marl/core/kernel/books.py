"""What is kept of packets: tallies per node and factor value, and, when asked for, every packet."""

from __future__ import annotations

from lora_marl.core.kernel.compiled import kernel
from lora_marl.core.kernel.state import AIRTIME_S, DELIVERED_BITS, DOWN, ENERGY_MJ, UPLINK
from lora_marl.core.reception import Fate

DELIVERED = int(Fate.DELIVERED)


@kernel()
def tally(state, tables, b, n):
    """Book the packet that ended under its node, and under the values of its factors."""
    rule = tables.rule[0]
    node = state.nodes[b, n]
    airtime_s = node.end_s - node.start_s
    delivered = node.last_fate == DELIVERED
    state.counts[b, n, node.last_fate] += 1
    sums = state.sums[b, n]
    sums[AIRTIME_S] += airtime_s
    sums[ENERGY_MJ] += airtime_s * tables.tp_mw[node.point[3]] + rule.receive_mj
    if delivered:
        sums[DELIVERED_BITS] += node.payload_bits
    if rule.count_arms:
        sizes = (tables.airtime_s.shape[1], tables.airtime_s.shape[2], tables.channel_loss_db.shape[0])
        offset = 0
        for f in range(4):
            state.arms[b, n, offset + node.point[f], 0] += 1
            state.arms[b, n, offset + node.point[f], 1] += delivered
            offset += sizes[f] if f < 3 else 0


@kernel()
def record_start(state, b, n):
    """Keep the packet that node `n` starts; its fate follows at its end."""
    replica, node = state.replicas[b], state.nodes[b, n]
    node.slot = replica.recorded
    replica.recorded += 1
    packet = state.packets[b, node.slot]
    packet.source = n
    packet.gateway = -1
    packet.kind = UPLINK
    packet.fate = -1
    packet.index = node.packet
    packet.start_s = node.start_s
    packet.end_s = node.end_s
    packet.critical_s = node.critical_s
    for f in range(4):
        packet.point[f] = node.point[f]
    for g in range(state.links.shape[2]):
        state.receptions[b, node.slot, g].rssi_dbm = state.links[b, n, g].rssi_dbm
        state.receptions[b, node.slot, g].fate = -1


@kernel()
def record_downlink(state, b, g):
    """Keep the downlink that gateway `g` starts; its fate follows at its end."""
    replica, down = state.replicas[b], state.downlinks[b, g]
    down.slot = replica.recorded
    replica.recorded += 1
    packet = state.packets[b, down.slot]
    packet.source = down.node
    packet.gateway = g
    packet.kind = DOWN
    packet.fate = -1
    packet.index = state.nodes[b, down.node].packet - 1
    packet.start_s = down.start_s
    packet.end_s = down.end_s
    packet.critical_s = down.critical_s
    packet.point[0] = down.sf
    packet.point[1] = down.bw
    packet.point[2] = down.channel
    packet.point[3] = 0
    for h in range(state.links.shape[2]):
        state.receptions[b, down.slot, h].rssi_dbm = state.down_links[b, g].rssi_dbm
        state.receptions[b, down.slot, h].fate = -1


@kernel()
def record_link(state, b, n, g, fate):
    """Keep what gateway `g` heard of the packet of node `n`, and made of it."""
    link = state.links[b, n, g]
    reception = state.receptions[b, state.nodes[b, n].slot, g]
    reception.overlap_mw = link.overlap_mw
    reception.fate = fate
