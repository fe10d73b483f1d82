"""The studies that `reproduce.py` checks: cells to simulate, numbers read off them, and bands for these numbers.

A band says where a number should lie. It was stated before anything was simulated, and nothing is tuned to it. Table
III: PDR within 1.5 points of the printed number, EE and TH within 20 % (D at 1,500 m: 30 %), because the printed ones
are of one run of one seed, and learning has several equilibria. The journal paper: means over the last 100 h of an
independent simulation of the authors' rules on the placement of seed 42, and what the paper states in words.
"""

from __future__ import annotations

from importlib.util import find_spec

from scripts.studies.claim import Study


def has_torch() -> bool:
    """Whether studies that need torch can run."""
    return find_spec("torch") is not None


def needs_torch(study: Study) -> bool:
    """Whether a study plays coexisting networks or attention critics."""
    return any(cell.learner == "maac" or cell.config.startswith("ccs_") for cell in study.cells)


def studies(*, quick: bool = False) -> dict[str, Study]:
    """All studies by name, in the order of the papers; `quick`: those without cells are shorter.

    Without torch those of coexisting networks are missing. Modules are imported here, so that a command that uses the
    helpers of one study does not need the libraries of all.
    """
    from scripts.studies.dlora import conference, inversion, journal
    from scripts.studies.mmalora import closed_form
    from scripts.studies.mmalora import networks as mmalora_networks
    from scripts.studies.norel import networks as norel_networks
    from scripts.studies.norel import published_simulator

    everything: tuple[Study, ...]
    everything = (*conference.studies(), *journal.studies(), *inversion.studies())
    everything += (
        *published_simulator.studies(quick=quick),
        *norel_networks.studies(),
        *closed_form.studies(quick=quick),
        *mmalora_networks.studies(),
    )
    if has_torch():
        from scripts.studies.ccs import eu868, figures, options, regimes

        everything += (*regimes.studies(), *figures.studies(), *eu868.studies(), *options.studies())
    return {study.name: study for study in everything}


NOT_REPRODUCIBLE = {
    "journal Fig. 2 and 4, CAASI+ADR": "no rule tried loses 37.7 % of its PDR from 50 to 250 nodes with 62 % at SF12",
    "journal Fig. 2 and 4, MIX-MAB's EE at 100 nodes": "printed as 31; the original rule gives more under all physics",
    "journal Fig. 3(a)": "ADR puts 5 to 21 % of 200 nodes on SF12 under the rules tried, not 62 %",
    "NoReL Fig. 3(b), (d), (f)": "the non-uniform layout is not published",
    "NoReL Table II, added nodes": "the authors' code crashes there; `norel-nodes` plays it on our air",
    "NoReL Table II, changing channel": "unexplained: the authors' code gives 53.7 and 58.5 for 62.1 and 68.8",
    "NoReL Table II, Tolio and DyLoRa": "neither is public; ours are readings of the text, DyLoRa's off at 2,000 nodes",
    "MMALoRa Fig. 5 to 8, values": "the text has none: orders, ratios and mean delivery are all there is to compare",
    "MMALoRa, J, e_p and T_update": "not given; ours: seven powers, LoRaSim's supply currents, an update every step",
    "MMALoRa Table IV": "its airtimes are those of 6 to 8 bytes, not of the 20 bytes that the text states",
    "MMALoRa Fig. 6(a), attention better than a mean": "no difference; `mmalora-attention` has both side by side",
    "MMALoRa, what matching gains": "all interference takes 0.1 % of its EE; no choice of channels can gain more",
    "journal Fig. 11 and Table VI": "measured with hardware; its EE is off the simulation's by a factor of 1e5 or more",
}
"""Published results that no variant tried gives, and why."""
