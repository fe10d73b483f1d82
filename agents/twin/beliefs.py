"""What the server believes of its nodes and its air, and how frames change that.

| belief | from |
|---|---|
| mean gap of every node | times and counters of frames (`agents.twin.rates`) |
| mean gains, sigma | frames received and lost (`agents.twin.gains`) |
| hazard of interference from outside, by channel | loss that the model does not explain |
| bias of the model | delivery promised less delivery measured |

A packet of airtime T survives interference from outside with probability exp(-eta (T + `BURST_S`)): bursts begin at a
rate, and one of mean length `BURST_S` hits packets on the air when it begins, and those that begin within it. The
hazard eta is the regression of log(modelled / measured delivery) on T + `BURST_S`, one point per spreading factor.

Nodes that have not been heard yet are registered, and send; until they are silent for too long they count as if they
used their first point, with gains like all others.

A frame that was lost before the last plan met other interference than there is now. So the field at every plan is kept;
a frame between two plans met the mean of both.

Shape letters: `B` replicas, `N` nodes, `G` gateways, `P` epochs, `C` channels, `V` kinds, `X` bins.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from agents.twin.changes import has_changed, refit
from agents.twin.fields import Fields, Nodes, build_fields, deliveries
from agents.twin.frames import FrameRing
from agents.twin.gains import expect_received, improve_gains
from agents.twin.rates import mean_gaps_s
from agents.twin.tables import LEAST_SIGMA_DB, LOADS, MOST_LOAD, MOST_SIGMA_DB, Tables, build_tables, payload_classes
from lora_marl.core.scenario import Scenario

FIRST_SIGMA_DB = 6.0
"""Standard deviation of the shadowing before the first estimate. dB"""
ROUNDS, STEPS = 4, 2
"""Rounds in which field and gains follow each other, and steps of expectation and maximisation in each."""
LEAST_NUMBER = 50.0
"""Frames from which sigma is estimated."""
EPOCHS = 16
"""Plans whose fields of interference are kept, for the losses of frames that were sent before the last one."""
BURST_S = 0.5
"""Mean length of a burst of interference from outside, which frames do not tell; a guess. s"""
LEAST_FRAMES = 300
"""Frames of a spreading factor on a channel from which their unexplained loss counts."""
REFIT_FRAMES = 4.0
"""Frames that a gain refitted after a change of the channel is worth; chosen, not fitted."""
LEAST_DELIVERY = 0.05
"""Modelled delivery below which a node's losses say nothing about interference from outside."""
SILENT_FRAMES = 40.0
"""Frames, as many as should have been received, of silence after which a node counts as gone."""
TRUSTED_FRAMES = 5000.0
"""Frames after which half of a measured bias is believed."""


class Beliefs:
    """The beliefs of the servers of all replicas.

    Args:
        public: What they know (`agents.twin.knowledge`).
        replicas: B.
        first: Spreading factor, channel and power of every node before the first command. `[B, N, 3]`

    Attributes:
        gain_db: Mean gain of every link. `[B, N, G]` dB
        sigma_db: Standard deviation of the shadowing. `[B]` dB
        interval_s: Mean gap of every node; infinite for nodes that are off. `[B, N]` s
        hazard_per_s: Of interference from outside. `[B, C]` 1/s
        delivery: Modelled delivery of every node at its point in force. `[B, N]`
        bias: Promised less measured delivery. `[B]`
        begin_s: Since when the channel has been what it is; older frames say nothing about gains. `[B]` s
    """

    def __init__(self, public: Scenario, replicas: int, first: NDArray[np.int64]) -> None:
        nodes, gateways, channels = public.nodes, public.gateways, len(public.region.channels_hz)
        self._public, self._first = public, first
        payload = np.broadcast_to(np.asarray(public.traffic.payload_bytes, np.float64), (replicas, nodes))
        sizes, classes = payload_classes(np.ascontiguousarray(payload).ravel())
        self._sizes, self.payload = sizes, classes.reshape(replicas, nodes)
        self.channels = channels
        self.gain_db = np.zeros((replicas, nodes, gateways))
        self.sigma_db = np.full(replicas, FIRST_SIGMA_DB)
        self.interval_s = np.full((replicas, nodes), np.inf)
        self.hazard_per_s = np.zeros((replicas, channels))
        self.delivery = np.ones((replicas, nodes))
        self.bias = np.zeros(replicas)
        self.begin_s = np.zeros(replicas)
        self._known = np.zeros((replicas, nodes), np.bool_)
        self._prior_db = np.full((replicas, nodes, gateways), np.nan)
        self._expected_db = np.ones((replicas, 2, nodes, gateways))
        self._tables: dict[float, Tables] = {}
        kinds, bins = self.tables(0).limit.shape[0] * len(sizes), self.tables(0).limit.shape[2]
        self._fields = np.ones((replicas, EPOCHS, channels, gateways, kinds, bins), np.float32)

    def tables(self, replica: int) -> Tables:
        """The constants of the model for the replica's sigma, in steps of .01 dB."""
        sigma_db = round(float(self.sigma_db[replica]), 2)
        if sigma_db not in self._tables:
            self._tables[sigma_db] = build_tables(self._public, self._sizes, sigma_db)
        return self._tables[sigma_db]

    def nodes(self, replica: int) -> Nodes:
        """The beliefs of a replica as the planner takes them."""
        t = self.tables(replica)
        exposed_s = t.airtime_s + BURST_S
        return Nodes(
            self.payload[replica],
            self.interval_s[replica],
            np.rint((self.gain_db[replica] - t.lowest_dbm) / t.fine_db).astype(np.int64),
            strongest_pair(self.gain_db[replica]),
            np.exp(-self.hazard_per_s[replica][:, None] * exposed_s),
        )

    def update(self, replica: int, ring: FrameRing, epoch: int, now_s: float, settled_s: float) -> bool:
        """Learn from a replica's frames.

        Args:
            replica: b.
            ring: Frames received so far.
            epoch: Plans made before.
            now_s: s
            settled_s: Since when the points in force have been used; infinite: they have not settled. s

        Returns:
            Whether anything is known of the network yet.
        """
        heard = ring.count[replica] > 0
        if not self._update_rates(replica, ring, heard, now_s):
            return False
        self._begin_gains(replica, ring, heard)
        points = ring.last_points(replica, self._first[replica])
        left = np.ones(0)
        for _ in range(ROUNDS):
            t, nodes = self.tables(replica), self.nodes(replica)
            fields = build_fields(t, nodes, points, np.ones(len(heard)), self.channels)
            self.delivery[replica], _ = deliveries(t, nodes, points, fields)
            left = fields.left * self._few(replica, t, points)[None, None, :, None]
            self._update_gains(replica, ring, heard, t, self._met(replica, epoch, left))
            if np.isfinite(settled_s):
                self._update_hazard(replica, ring, points, t, settled_s)
        self._fields[replica, (epoch + 1) % EPOCHS] = left
        return True

    def channel_changed(self, replica: int, ring: FrameRing, since_s: float) -> bool:
        """Whether the frames since a time show a channel other than believed (`agents.twin.changes`)."""
        means_db, spreads_db = self._expected_db[replica]
        return has_changed(ring.frames[replica], ring.count[replica], means_db, spreads_db, since_s)

    def expect_frames(self, replica: int, points: NDArray[np.int64], fields: Fields) -> None:
        """Note what frames should show while nodes use some points `[N, 3]`, under the fields of these."""
        t = self.tables(replica)
        left = fields.left * self._few(replica, t, points)[None, None, :, None]
        expect_received(
            t, left, points, self.payload[replica], self.gain_db[replica], float(self.sigma_db[replica]),
            *self._expected_db[replica],
        )  # fmt: skip

    def begin_anew(self, replica: int, ring: FrameRing, begin_s: float) -> None:
        """Forget what frames before a change of the channel said about gains, and go on from an affine refit."""
        gain_db, sigma_db = refit(ring.frames[replica], ring.count[replica], self.gain_db[replica], begin_s)
        self.begin_s[replica] = begin_s
        self.gain_db[replica] = self._prior_db[replica] = gain_db
        if sigma_db > 0.0:
            self.sigma_db[replica] = min(max(sigma_db, LEAST_SIGMA_DB), MOST_SIGMA_DB)

    def correct_bias(self, replica: int, ring: FrameRing, promised: float, settled_s: float) -> None:
        """Learn from the delivery measured since the points in force have been used, and what the plan promised."""
        counted = ring.since(replica, settled_s)
        received = int(counted.sum())
        frames = received + int((ring.frames[replica]["missed"] * counted).sum())
        if frames:
            trust = frames / (frames + TRUSTED_FRAMES)
            self.bias[replica] += trust * (promised - received / frames - self.bias[replica])

    def state_arrays(self) -> dict[str, NDArray]:
        """All beliefs."""
        return {
            "gain_db": self.gain_db,
            "sigma_db": self.sigma_db,
            "interval_s": self.interval_s,
            "hazard_per_s": self.hazard_per_s,
            "delivery": self.delivery,
            "bias": self.bias,
            "begin_s": self.begin_s,
            "known": self._known,
            "prior_db": self._prior_db,
            "expected_db": self._expected_db,
            "fields": self._fields,
        }

    def _update_rates(self, b: int, ring: FrameRing, heard: NDArray[np.bool_], now_s: float) -> bool:
        t = self.tables(b)
        gaps_s = mean_gaps_s(ring.frames[b], ring.count[b], self.payload[b], t.airtime_s, t.airtimes, now_s)
        if np.isnan(gaps_s[0]):
            return False
        points = ring.last_points(b, self._first[b])
        kind = self.payload[b] * len(t.floor) + points[:, 0]
        period_s = gaps_s + t.airtimes * t.airtime_s[kind]
        expected = np.where(heard, np.maximum(self.delivery[b], LEAST_DELIVERY), 1.0)
        silent_s = now_s - np.where(heard, ring.last_s(b), 0.0)
        self.interval_s[b] = np.where(silent_s > SILENT_FRAMES * period_s / expected, np.inf, gaps_s)
        return True

    def _begin_gains(self, b: int, ring: FrameRing, heard: NDArray[np.bool_]) -> None:
        """Give nodes that are heard for the first time the mean of their frames, and the others one of the rest's."""
        gateways = self.gain_db.shape[2]
        for n in np.flatnonzero(heard & ~self._known[b]):
            frames = ring.frames[b, n, : ring.count[b, n]]
            for g in range(gateways):
                own = frames["gain_db"][frames["gateway"] == g]
                self.gain_db[b, n, g] = own.mean() if len(own) else frames["gain_db"].mean() - 2 * self.sigma_db[b]
        self._known[b] |= heard
        unheard = np.flatnonzero(~heard)
        if len(unheard):
            mean_db, spread_db = self._population_db(b, heard)
            ranks = (np.arange(len(unheard)) + 0.5) / len(unheard)
            z = np.array([NormalDist().inv_cdf(rank) for rank in ranks.tolist()])
            self.gain_db[b, unheard] = mean_db + spread_db * z[:, None]

    def _population_db(self, b: int, heard: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
        """Mean gain of the nodes heard at each gateway `[G]`, and the standard deviation between them, in dB."""
        gain_db = self.gain_db[b, heard]
        return gain_db.mean(axis=0), max(math.sqrt(gain_db.var(axis=0).mean()), 1.0)

    def _update_gains(
        self, b: int, ring: FrameRing, heard: NDArray[np.bool_], t: Tables, left: NDArray[np.float64]
    ) -> None:
        mean_db, spread_db = self._population_db(b, heard)
        prior_frames = float((self.sigma_db[b] / spread_db) ** 2)
        prior_db = self._prior_db[b]
        if np.isnan(prior_db[0, 0]):
            prior_db = np.broadcast_to(mean_db, prior_db.shape).copy()
        else:
            prior_frames = REFIT_FRAMES
        squares, number = improve_gains(
            t, left, ring.frames[b], ring.count[b], float(self.begin_s[b]), self.payload[b], self.gain_db[b], prior_db,
            prior_frames, float(self.sigma_db[b]), STEPS,
        )  # fmt: skip
        if number > LEAST_NUMBER:
            self.sigma_db[b] = min(max(math.sqrt(squares / number), LEAST_SIGMA_DB), MOST_SIGMA_DB)

    def _met(self, b: int, epoch: int, left: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean field that frames of every epoch met, at its number modulo P, with the present one. `[P, C, G, V, X]`"""
        fields = self._fields[b].astype(np.float64)
        fields[(epoch + 1) % EPOCHS] = left
        met = 0.5 * (fields + np.roll(fields, -1, axis=0))
        if epoch < EPOCHS:
            met[0] = fields[1]  # before the first plan
        return met

    def _update_hazard(self, b: int, ring: FrameRing, points: NDArray[np.int64], t: Tables, settled_s: float) -> None:
        frames, counted = ring.frames[b], ring.since(b, settled_s)
        for column, name in enumerate(("sf", "channel", "tp")):
            counted &= frames[name] == points[:, column, None]
        received = counted.sum(axis=1)
        sent = received + (frames["missed"] * counted).sum(axis=1)
        trusted = (sent > 0) & (self.delivery[b] > LEAST_DELIVERY)
        for c in range(self.channels):
            products = squares = 0.0
            for v, airtime_s in enumerate(t.airtime_s):
                kind = self.payload[b] * len(t.floor) + points[:, 0]
                nodes = trusted & (points[:, 1] == c) & (kind == v)
                if sent[nodes].sum() >= LEAST_FRAMES:
                    modelled, measured = sent[nodes] @ self.delivery[b, nodes], max(received[nodes].sum(), 1)
                    exposed_s, weight = airtime_s + BURST_S, sent[nodes].sum()
                    products += weight * exposed_s * math.log(modelled / measured)
                    squares += weight * exposed_s**2
            if squares > 0.0:
                self.hazard_per_s[b, c] = max(self.hazard_per_s[b, c] + products / squares, 0.0)

    def _few(self, b: int, t: Tables, points: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probability that few enough others are on the air, by kind `[V]`."""
        kind = self.payload[b] * len(t.floor) + points[:, 0]
        period_s = self.interval_s[b] + t.airtimes * t.airtime_s[kind]
        load = float(np.minimum(t.airtime_s[kind] / period_s, 1.0).sum())
        grid = np.linspace(0.0, MOST_LOAD, LOADS + 1)
        few = np.array([np.interp(load, grid, row) for row in t.few])
        return np.tile(few, len(t.airtime_s) // len(t.floor))


def strongest_pair(gain_db: NDArray[np.float64]) -> NDArray[np.int64]:
    """The two strongest gateways of nodes, by gains `[N, G]`, in order of their numbers; of one, 0 and 0. `[N, 2]`"""
    if gain_db.shape[1] == 1:
        return np.zeros((len(gain_db), 2), np.int64)
    return np.sort(np.argsort(-gain_db, axis=1, kind="stable")[:, :2], axis=1).astype(np.int64)
