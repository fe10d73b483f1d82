"""D-LoRa's conference paper: Table III, which Fig. 3 to 5 draw, with the four baselines."""

from __future__ import annotations

from pathlib import Path

from scripts.runs.packets.published_numbers import ERRATUM, RADII_M, TABLE_III
from scripts.studies.claim import Cell, Claim, Results, Study, metric_claim
from scripts.studies.dlora.plots import draw_sweep

COLUMNS = ("pdr_percent", "ee_bits_per_mj", "bits_per_airtime_s")
LEARNERS = {"D": "D-LoRa", "PDR": "D-LoRa-PDR", "EE": "D-LoRa-EE", "TH": "D-LoRa-TH"}
BASELINES = ("random", "round-robin", "adr", "rs-lora")


def studies() -> list[Study]:
    """The study `table3`."""
    cells = {(name, radius_m): _cell(name, radius_m) for name in (*LEARNERS, *BASELINES) for radius_m in RADII_M}
    claims = tuple(claim for (name, radius_m), cell in cells.items() for claim in _claims(cell, name, radius_m))
    title = "conference paper, Table III and Fig. 3 to 5 as run: variants and baselines at four radii"
    return [Study("table3", title, tuple(cells.values()), claims, _draw)]


def _cell(name: str, radius_m: int) -> Cell:
    """A variant of D-LoRa, or a baseline, at a radius."""
    changes = [f"scenario.topology.radius_m={radius_m}"]
    if name in BASELINES:
        # An error in the published clock switches the preamble rule off in the learners' runs, not in the baselines'.
        changes += [f"learners.{name}={{episodes: 1}}", "scenario.reception.spared_preamble_symbols=3"]
        changes.append("scenario.reception.spares=pair")
    if name == "rs-lora":
        changes.append("scenario.region.tp_dbm=[2, 4, 6, 8, 10, 12, 14, 16]")  # the code adds 2 dB to at most 14
    return Cell(f"table3/{name}-{radius_m}", "conference_as_run.yaml", LEARNERS.get(name, name), tuple(changes))


def _claims(cell: Cell, name: str, radius_m: int) -> tuple[Claim, ...]:
    """PDR, EE and TH of a cell of Table III."""
    pdr_percent, ee, th = TABLE_III[name][radius_m]
    slack = 0.3 if (name, radius_m) == ("D", 1500) else 0.2
    erratum = ERRATUM if (name, radius_m) == ("TH", 2000) else ""
    return (
        metric_claim(cell, "pdr_percent", (pdr_percent, 1.5), pdr_percent, erratum),
        metric_claim(cell, "ee_bits_per_mj", (ee, slack * ee), ee),
        metric_claim(cell, "bits_per_airtime_s", (th, slack * th), th),
    )


def _draw(path: Path, numbers: Results) -> None:
    paper = {
        name: {radius_m: dict(zip(COLUMNS, cell, strict=True)) for radius_m, cell in by_radius.items()}
        for name, by_radius in TABLE_III.items()
    }
    draw_sweep(path, "conference paper, Fig. 3 to 5", "radius [m]", COLUMNS, numbers, paper)
