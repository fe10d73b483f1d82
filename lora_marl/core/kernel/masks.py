"""Channel masks of nodes: which channels a node that hops may use.

Where the server commands by downlinks, a mask is part of its commands, as NbTrans is; else it is in force at once.

Source: LoRaWAN L2 1.0.4, sections 4.3.1 (a device hops over its enabled channels), 4.3.1.1 (a back-off enables the
default channels again) and 5.2 (LinkADRReq's ChMask).
"""

from __future__ import annotations

from lora_marl.core.kernel import compiled

_IN_FORCE, _COMMAND = 0, 1
"""Places in `State.masks_in_force`: the node's mask, and the one in the downlink on its way."""


@compiled()
def is_enabled(state, tables, b, n, channel):
    """Whether node `n` may hop to a channel."""
    if state.channel_masks.shape[1] == 0:
        return True
    rule = tables.rule[0]
    if rule.server and rule.downlinks and state.nodes[b, n].in_force[0] >= 0:
        return state.masks_in_force[b, n, _IN_FORCE, channel]
    return state.channel_masks[b, n, channel]


@compiled()
def _copy_mask(state, b, n, place):
    for channel in range(state.channel_masks.shape[2] if state.channel_masks.shape[1] > 0 else 0):
        state.masks_in_force[b, n, place, channel] = state.channel_masks[b, n, channel]


@compiled()
def begin_with_mask(state, b, n):
    """Let the mask that the server has set for node `n` be in force without a command, as its first point is."""
    _copy_mask(state, b, n, _IN_FORCE)


@compiled()
def command_mask(state, b, n):
    """Put the mask that the server wants of node `n` into the downlink."""
    _copy_mask(state, b, n, _COMMAND)


@compiled()
def mask_differs(state, b, n):
    """Whether the mask that the server wants of node `n` is another one than the node uses."""
    for channel in range(state.channel_masks.shape[2] if state.channel_masks.shape[1] > 0 else 0):
        if state.channel_masks[b, n, channel] != state.masks_in_force[b, n, _IN_FORCE, channel]:
            return True
    return False


@compiled()
def obey_mask(state, b, n):
    """Let the mask of the downlink that node `n` has received be in force."""
    for channel in range(state.channel_masks.shape[2] if state.channel_masks.shape[1] > 0 else 0):
        state.masks_in_force[b, n, _IN_FORCE, channel] = state.masks_in_force[b, n, _COMMAND, channel]


@compiled()
def enable_defaults(state, tables, b, n):
    """Add the region's default channels to those that node `n` may use; the server learns of it."""
    for channel in range(tables.rule[0].default_channels if state.channel_masks.shape[1] > 0 else 0):
        state.channel_masks[b, n, channel] = True
        state.masks_in_force[b, n, _IN_FORCE, channel] = True
