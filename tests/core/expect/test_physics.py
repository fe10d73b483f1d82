"""What no closed form has is named by each of them."""

from dataclasses import replace

import numpy as np
import pytest

from lora_marl.core.expect import LogNormal, OneGateway, Rayleigh
from lora_marl.core.interference import Interference
from lora_marl.core.presets import journal_network, mmalora_network, norel_network
from lora_marl.core.traffic import Traffic

FORMS = {OneGateway: journal_network(4), LogNormal: norel_network(4, feedback="free"), Rayleigh: mmalora_network(4)}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_networks_that_share_the_air_bursts_and_retries_are_named(form):
    plain = FORMS[form]
    form(plain)
    channels = len(plain.region.channels_hz)
    two = {"node_network": np.array([0, 1, 0, 1]), "gateway_network": np.arange(2)}
    for values, named in (
        ({"traffic": Traffic(confirmed=True, after_end=False)}, "scenario.traffic.confirmed: True has no"),
        ({"interference": Interference(occupancy=np.zeros(channels))}, "scenario.interference: .* has no"),
        (two | {"gateway_xy_m": np.zeros((2, 2))}, "scenario.node_network: 2 has no"),
    ):
        with pytest.raises(ValueError, match=named):
            form(replace(plain, **values))
