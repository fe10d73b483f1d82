"""The pictures of README and documentation: `python docs/pictures.py` draws them into `docs/figures`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

import agents
import lora_marl
from lora_marl.core.air import Air
from lora_marl.core.coexistence import Deployment
from lora_marl.core.duty_cycle import DutyCycleWarning
from lora_marl.core.metrics import frame_pdr, pdr
from lora_marl.core.presets import journal_network
from lora_marl.core.presets.ccs import ccs_study, non_learning
from lora_marl.core.reception import Fate
from lora_marl.core.region import CHANNEL, HOP
from lora_marl.core.traffic import Traffic
from lora_marl.render.map import FATE_COLOURS

HERE = Path(__file__).parent
SIZE_INCH = (7.0, 4.5)
WIDE_INCH = (9.6, 4.4)


def save(draw: Callable[[Any], None], path: Path, size_inch: tuple[float, float]) -> None:
    """Write one picture."""
    figure = Figure(figsize=size_inch, layout="constrained")
    with warnings.catch_warnings(action="ignore", category=DutyCycleWarning):  # the papers' networks break it
        draw(figure)
    figure.savefig(path, dpi=110)


def overview(figure: Any) -> None:
    """A network and its packets, and what learners and references make of it."""
    left, right = figure.subfigures(1, 2, width_ratios=(1.0, 1.15))
    map_of_rings(left)
    trade_off(right)


KINDS = {
    "bandits": ("cucb", "priced-cucb", "cd-lora", "epsilon-greedy", "thompson", "mix-mab", "ucb1"),
    "rules": ("caasi", "adr", "rs-lora", "round-robin"),
    "trivial references": ("random", "static-sf7", "distance-quantile"),
    "best fixed assignments": ("reference-pdr", "reference-ee"),
}
"""Learners of the picture by kind, each a marker; `adr-ideal` lies far outside (49 %, 1,270 bits/mJ)."""


def trade_off(figure: Any) -> None:
    """Delivery and energy efficiency of all learners on the journal network, from the table of `results_dlora.md`."""
    row = re.compile(r"^\| `([\w-]+)`[^|]* \| ([\d.]+) ± [\d.]+ \| [\d.]+ \| ([\d.]+) ±", re.MULTILINE)
    table = {name: (float(x), float(y)) for name, x, y in row.findall((HERE / "results_dlora.md").read_text("utf-8"))}
    axes = figure.add_subplot()
    for (kind, names), marker in zip(KINDS.items(), "osD*", strict=True):
        axes.scatter(*zip(*(table[name] for name in names), strict=True), marker=marker, s=45, label=kind)
        for name in names:
            label = "cucb (D-LoRa)" if name == "cucb" else name
            offset = {"caasi": (-30, -12), "reference-pdr": (-30, 7), "cucb": (5, -10)}.get(name, (5, 4))
            axes.annotate(label, table[name], xytext=offset, textcoords="offset points", fontsize="x-small")
    axes.set(xlabel="packets delivered (%)", ylabel="energy efficiency (bits/mJ)", yscale="log", xlim=(74, 100))
    axes.set_yticks([30, 50, 70, 100, 150], ["30", "50", "70", "100", "150"], minor=False)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title("Learners, rules and references on one air")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4, fontsize="x-small", frameon=False)


def map_of_rings(figure: Any) -> None:
    """Map of nodes by spreading factor, and the fate of their last packets."""
    network = journal_network(60)
    learner = agents.make("distance-quantile", network, [0])
    env = lora_marl.make("uplink_v0", scenario=network, window_s=60.0)
    env.reset_array([0])
    env.step_array(env.game.codec.encode(learner.initial_points()))
    env.game.frame().draw(figure)


def channels_by_time(figure: Any) -> None:
    """Airtime by channel of coexisting networks that choose at random."""
    networks = ccs_study([Deployment(nodes=60), non_learning(nodes=60), Deployment(nodes=60)])
    env = lora_marl.make("coexistence_v0", coexistence=networks, max_cycles=60)
    env.reset(seed=0)
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    env.game.frame().draw(figure)


def packets(figure: Any) -> None:
    """Packets by time and channel, coloured by fate."""
    network = journal_network(100)
    learner = agents.make("random", network, [0])
    air = Air(network, [0], record=True)
    air.advance(learner.initial_points(), until_s=120.0)
    uplinks, _ = air.recording()
    axes = figure.add_subplot()
    for fate, colour in FATE_COLOURS.items():
        shown = uplinks.fate == fate
        if shown.any():
            start_s, end_s, channel = uplinks.start_s[shown], uplinks.end_s[shown], uplinks.point[shown, 2]
            name = Fate(fate).name.lower().replace("_", " ")
            axes.barh(channel, end_s - start_s, 0.6, start_s, color=colour, alpha=0.7, label=name)
    axes.set(xlabel="time (s)", ylabel="channel", title="Packets on the air")
    axes.legend(fontsize="x-small")


def nb_trans(figure: Any) -> None:
    """Delivery of frames that are sent once, twice and three times, from a quiet network to a crowded one."""
    axes, sizes = figure.add_subplot(), (100, 300, 1000, 3000, 10_000)
    for number in (1, 2, 3):
        frames, packets_delivered = [], []
        for nodes in sizes:
            network = journal_network(nodes, traffic=Traffic(interval_s=60.0))
            points = agents.make("distance-quantile", network, [0]).initial_points()
            points[..., CHANNEL] = HOP
            transmissions = np.full((1, nodes), number, np.int8)
            outcome = Air(network, [0]).advance(points, 600.0, nb_trans=transmissions)
            frames.append(100 * frame_pdr(outcome.frames_delivered.sum(), outcome.frames_lost.sum()))
            packets_delivered.append(100 * pdr(outcome.sent.sum(), outcome.delivered.sum()))
        (line,) = axes.plot(sizes, frames, marker="o", label=f"NbTrans {number}: frames")
        axes.plot(sizes, packets_delivered, "--", color=line.get_color(), label=f"NbTrans {number}: packets")
    axes.set(xscale="log", xlabel="nodes with a frame a minute", ylabel="delivered (%)")
    axes.set_title("Repeats help a quiet network and harm a crowded one")
    axes.legend()


def learning(figure: Any) -> None:
    """Delivery of two learners on the same air, hour by hour."""
    from lora_marl.config import LearnerConfig, load
    from scripts.runs.packets.experiment import PacketExperiment

    config = load(Path(__file__).parents[1] / "configs" / "journal_fit.yaml")
    short = {"seeds": (0,), "duration_h": 40.0, "interval_h": 1.0, "report_last_h": 1.0}
    learners = {name: LearnerConfig(name=name) for name in ("cucb", "random")}
    config = config.model_copy(update={**short, "learners": learners})
    axes = figure.add_subplot()
    for label in learners:
        experiment = PacketExperiment(config, label)
        rows = [experiment.step()[0] for _ in experiment.schedule]
        axes.plot([row["time_h"] for row in rows], [100 * row["pdr"] for row in rows], label=label)
    axes.set(xlabel="simulated hours", ylabel="PDR (%)", title="Learning on the journal network")
    axes.legend()


if __name__ == "__main__":
    save(overview, HERE / "figures" / "overview.png", WIDE_INCH)
    for draw in (map_of_rings, channels_by_time, packets, nb_trans, learning):
        save(draw, HERE / "figures" / f"{draw.__name__}.png", SIZE_INCH)
