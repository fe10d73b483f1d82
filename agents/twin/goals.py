"""What a plan is for, and the coordinate ascent that finds it.

| goal | plan |
|---|---|
| `pdr` | most packets delivered of those sent |
| `energy` | least energy per packet delivered, among plans whose PDR is at least `least_pdr` |
| `ee` | most bits delivered per mJ, likewise |
| `log` | highest sum over nodes of the logarithm of delivery (proportional fairness) |
| `worst` | highest delivery of the worst node, on a way that climbs the sum of -(1 - D)^`LOSS_POWER` |

Nodes take, one after another in random order, the point of most value while all others stay
(`agents.twin.fields.sweep`), until hardly any moves. A ratio is maximised as a difference, whose price is the present
ratio (Dinkelbach). An energy goal puts a price on energy: it rises while the plan delivers more than it must, and falls
while it does not.

Source: Dinkelbach, "On nonlinear fractional programming", Management Science 13, 1967.

Shape letters: `N` nodes, `S` spreading factors, `T` powers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.twin.fields import (
    BITS,
    DELIVERED,
    ENERGY,
    LEAST_DELIVERY,
    LINEAR,
    LOGARITHM,
    LOSS_POWER,
    PACKETS,
    WORST,
    Fields,
    Nodes,
    Objective,
    build_fields,
    deliveries,
    sweep,
)
from agents.twin.tables import Tables

GOALS = ("pdr", "energy", "ee", "log", "worst")
SWEEPS = 6
"""Sweeps of one ascent at most."""
FEW_MOVES = 150
"""An ascent ends when a sweep moves fewer than one in so many nodes."""
FIRST_PRICE_PER_MJ = 1e-3
FIRST_TURNS, TURNS = 9, 5
"""Prices of energy that are tried, at the first plan and later."""
FIRST_SWEEPS, LATER_SWEEPS = 3, 2
"""Sweeps at each price."""
FIRST_FACTOR, LATER_FACTOR = 2.0, 1.15
"""Factor between prices until the goal is met at one and missed at another; from then on, their geometric mean."""


SHAPES = {"log": LOGARITHM, "worst": WORST}
"""How a node's delivery counts, where it is not by the packet."""
LEAST_LOSS = 1e-6
"""Least loss of the worst node; nothing is to be gained below."""


@dataclass(frozen=True)
class Plan:
    """A plan, and what the model promises of it.

    Attributes:
        points: Spreading factor, channel and power of every node. `[N, 3]`
        delivery: Of every node. `[N]`
        pdr: Of the network.
        price: Of energy, to start from next time; 0: the goal was not met at any. per mJ
    """

    points: NDArray[np.int64]
    delivery: NDArray[np.float64]
    pdr: float
    price: float


@dataclass(frozen=True)
class Planner:
    """Plans for one server at one time.

    Attributes:
        tables, nodes: Constants and beliefs.
        channels: How many.
        in_force: Points that nodes use. `[N, 3]`
        move: Packets per second that a command to a node costs over the horizon. `[N]`
        movable: Nodes that can be commanded. `[N]`
        rng: For the order of the nodes.
    """

    tables: Tables
    nodes: Nodes
    channels: int
    in_force: NDArray[np.int64]
    move: NDArray[np.float64]
    movable: NDArray[np.bool_]
    rng: np.random.Generator

    def plan(self, goal: str, least_pdr: float, price: float) -> Plan:
        """The plan for a goal.

        Args:
            goal: One of `GOALS`.
            least_pdr: PDR of the model that energy goals need.
            price: Of energy, of the last plan; 0: there was none. per mJ
        """
        if goal in ("energy", "ee"):
            return self._cheapest(goal, least_pdr, price)
        if goal == "worst":
            return self._fairest()
        return self._promise(self._ascend(self.in_force, goal, 0.0, SWEEPS), 0.0)

    def totals(self, points: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Delivery of every node `[N]`, and the totals per second `[4]`."""
        return deliveries(self.tables, self.nodes, points, self.fields(points))

    def fields(self, points: NDArray[np.int64]) -> Fields:
        """The fields of an assignment `[N, 3]`, every packet being worth the same."""
        return build_fields(self.tables, self.nodes, points, np.ones(len(points)), self.channels)

    def _promise(self, points: NDArray[np.int64], price: float) -> Plan:
        delivery, totals = self.totals(points)
        return Plan(points, delivery, float(totals[DELIVERED] / totals[PACKETS]), price)

    def _ascend(self, start: NDArray[np.int64], goal: str, price: float, sweeps: int) -> NDArray[np.int64]:
        points = start.copy()
        for _ in range(sweeps):
            fields = self.fields(points)
            objective = self._objective(points, fields, goal, price)
            if (objective.weight != 1.0).any():
                fields = build_fields(self.tables, self.nodes, points, objective.weight, self.channels)
            order = self.rng.permutation(len(points))
            moves = sweep(self.tables, self.nodes, fields, objective, points, self.in_force, order)
            if moves <= len(points) // FEW_MOVES:
                break
        return points

    def _objective(self, points: NDArray[np.int64], fields: Fields, goal: str, price: float) -> Objective:
        """The objective of a goal, at the present assignment and its fields."""
        delivery, totals = deliveries(self.tables, self.nodes, points, fields)
        weight, theta, move = np.ones(len(points)), totals[DELIVERED] / totals[PACKETS], self.move
        shape, scale = SHAPES.get(goal, LINEAR), 1.0
        kind = self.nodes.payload * len(self.tables.floor) + points[:, 0]
        if shape != LINEAR:
            active = np.isfinite(self.nodes.interval_s)
            scale = max(float((1.0 - delivery)[active].max()), LEAST_LOSS)
            period_s = self.nodes.interval_s + self.tables.airtimes * self.tables.airtime_s[kind]
            slope = slope_of(shape, delivery, scale)
            weight = np.where(active, slope * period_s, 0.0)
            # A command costs all nodes the same share of their delivery.
            move = self.move * float((slope * delivery)[active].sum() / totals[PACKETS])
        elif goal == "ee" and price > 0.0:
            # The slope of log(bits / energy) + kappa PDR, divided by that of one delivered packet.
            spent = min(price * totals[ENERGY], totals[DELIVERED])
            weight = 1.0 - spent * (1.0 / totals[DELIVERED] - self.tables.bits[kind] / totals[BITS])
        allowed = np.ones((len(self.tables.floor), len(self.tables.power)), np.bool_)
        return Objective(weight, shape, scale, float(theta), price, move, allowed, self.movable)

    def _fairest(self) -> Plan:
        """The plan of the best worst node on the way from the one of the goal `log`."""
        active = np.isfinite(self.nodes.interval_s)
        best = self._promise(self._ascend(self.in_force, "log", 0.0, SWEEPS), 0.0)
        points = best.points
        for _ in range(SWEEPS):
            points = self._ascend(points, "worst", 0.0, 1)
            tried = self._promise(points, 0.0)
            if tried.delivery[active].min() > best.delivery[active].min():
                best = tried
        return best

    def _cheapest(self, goal: str, least_pdr: float, last_price: float) -> Plan:
        """The plan of least energy that the goal allows; the one of most delivery where none reaches its PDR."""
        first = last_price == 0.0
        price = FIRST_PRICE_PER_MJ if first else last_price
        factor = FIRST_FACTOR if first else LATER_FACTOR
        reached_at = missed_at = 0.0
        points, best, best_cost = self.in_force, None, math.inf
        for _ in range(FIRST_TURNS if first else TURNS):
            points = self._ascend(points, goal, price, FIRST_SWEEPS if first else LATER_SWEEPS)
            _, totals = self.totals(points)
            if totals[DELIVERED] >= least_pdr * totals[PACKETS]:
                cost = totals[ENERGY] / totals[BITS if goal == "ee" else DELIVERED]
                if cost < best_cost:
                    best, best_cost = self._promise(points.copy(), price), cost
                reached_at = price
                price = math.sqrt(price * missed_at) if missed_at else price * factor
            else:
                missed_at = price
                price = math.sqrt(price * reached_at) if reached_at else price / factor
        return best or self._promise(self._ascend(self.in_force, "pdr", 0.0, SWEEPS), last_price / LATER_FACTOR)


def slope_of(shape: int, delivery: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """What a little more delivery of a node is worth, by `fields.LOGARITHM` or `WORST`. `[N]`"""
    if shape == LOGARITHM:
        return 1.0 / np.maximum(delivery, LEAST_DELIVERY)
    slope: NDArray[np.float64] = ((1.0 - delivery) / scale) ** (LOSS_POWER - 1.0)
    return slope
