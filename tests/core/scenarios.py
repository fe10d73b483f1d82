"""Small networks for the tests of the air."""

from dataclasses import replace

import numpy as np

from lora_marl.core.air import Air
from lora_marl.core.downlink import PAPERS_DOWNLINK
from lora_marl.core.propagation import Propagation
from lora_marl.core.reception import Fate
from lora_marl.core.region import Region
from lora_marl.core.scenario import Change, Scenario
from lora_marl.core.traffic import Traffic

STILL = Propagation(shadowing_db=0.0)


def region(channels=3, step_hz=200e3, bandwidths_hz=(125e3,), **fields):
    return Region(
        name="test",
        channels_hz=tuple(868.1e6 + step_hz * c for c in range(channels)),
        bandwidths_hz=bandwidths_hz,
        **fields,
    )


def downlink(**fields):
    """How gateways send: as in the papers' networks but for some fields; the tests' region states nothing."""
    return replace(PAPERS_DOWNLINK, **fields)


def network(nodes=20, *, seed=0, spread_m=800.0, gateways=1, **fields):
    """Nodes at random around the gateways, busy enough that packets meet."""
    rng = np.random.default_rng(seed)
    values = {
        "node_xy_m": rng.normal(size=(nodes, 2)) * spread_m,
        "gateway_xy_m": rng.normal(size=(gateways, 2)) * 500.0,
        "region": region(),
        "traffic": Traffic(interval_s=5.0),
        "downlink": PAPERS_DOWNLINK,
    }
    return Scenario(**(values | fields))


def random_points(scenario, replicas=1, seed=0):
    """Operating points drawn uniformly `[B, N, 4]`."""
    rng = np.random.default_rng(seed)
    sizes = scenario.region.factor_sizes
    columns = [rng.integers(0, size, (replicas, scenario.nodes)) for size in sizes]
    return np.stack(columns, axis=-1).astype(np.int16)


def timed(starts_s, loss_db, **fields):
    """One packet per node at a hand-set time: node n joins at `starts_s[n]`, and would send again in 11 days.

    `loss_db` `[N, G]` or `[N]`: path loss of each node to each gateway. dB
    """
    starts_s = np.asarray(starts_s, float)
    loss_db = np.asarray(loss_db, float).reshape(len(starts_s), -1)
    changes = tuple(
        Change(at_s=float(at_s), values={"active": starts_s <= at_s}) for at_s in np.unique(starts_s[starts_s > 0])
    )
    values = {
        "node_xy_m": np.zeros((len(starts_s), 2)),
        "gateway_xy_m": np.zeros((loss_db.shape[1], 2)),
        "path_loss_db": loss_db,
        "propagation": STILL,
        "region": region(),
        "traffic": Traffic(kind="periodic", interval_s=1e6, random_phase=False, payload_bytes=20),
        "active": starts_s <= 0,
        "changes": changes,
        "low_data_rate": "off",
        "downlink": PAPERS_DOWNLINK,
    }
    return Scenario(**(values | fields))


def played_once(scenario, *, sf, tp_dbm=14.0, bw_hz=125e3, channel=0, until_s=1000.0, seed=0):
    """Play hand-set packets; they, what was heard, and each node's fate `[N]`."""
    air = Air(scenario, [seed], record=True)
    nodes = np.zeros(scenario.nodes)
    point = scenario.region.points(
        sf=sf + nodes, bw_hz=bw_hz + nodes, channel=channel + nodes.astype(int), tp_dbm=tp_dbm + nodes
    )
    air.advance(point[None], until_s)
    packets, receptions = air.recording()
    fates = np.full(scenario.nodes, Fate.NONE)
    fates[packets.source] = packets.fate
    return packets, receptions, fates.tolist()
