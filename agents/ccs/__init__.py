"""The coordination service (CCS) of coexisting learning networks: from snapshots of policies to residuals.

A network reports its parameters and a summary of how it fares. The service answers with a change of the network's last
layer, a residual, that moves networks which want the same channels apart. The steps of a round, in order:

    L_k = F_k W_k / tau           logits of network k on public probe observations         `round`
    p_k, p_-k                     chances of channels, of k and of the others as one       `hypernetwork.behaviour`
    e_k, C_k (3)                  embedding of the behaviour, context of the others        `hypernetwork`
    z_k                           latent code: a point on a sphere, a place on a ring      `ring`
    dL_k = g(overlap_k) G(...)    wanted shift of the logits, times the conflict gate      `hypernetwork`, `model`
    dW_k = back(dL_k) (2)         pulled back to the last layer, clipped                   `round`, `safeguards`

The service is trained offline (`training`, on snapshots of a `dataset`) to raise what a differentiable `proxy` of the
air expects, with the objective (4), (5), over several rounds in a row. Online it is frozen (`service`, with `protocol`
and `safeguards`). What servers send is made by `reporting`, with `privacy` and `attacks`; what they do with residuals
is in `residuals`. `round_residuals` is a round for arrays `[M, S, ...]` of worlds.

| paper | name |
|---|---|
| theta_k, Delta theta_k | `parameters`, `delta` (last layer, the bias as last row) |
| P_k (1) | `kpis` |
| C_k (3), z_k | `context`, `codes` |
| G (2) | `Coordinator` |
| alpha, beta, gamma (4) | `Hyperparameters` |

Source: "Coordinating coexisting learning agents in shared spectrum via parameter space complementarity" (the CCS
paper), Eq. (1)-(5) and Algorithm 1, which leaves all sizes, inputs and formulas of the mapping open. "The study" is a
simulation study of the paper that came before this package.

Differences:

1. The mapping works on behaviour, not on weights: networks of any architecture are compared on the same probes, and the
   service asks for shifts of logits. `Design(mapping="raw")` is the literal reading of the paper.
2. Only the last layer moves.
3. The numbering of networks has no effect. Channels are known by their angle on a ring (`ring`), not by their number:
   permuted together with their angles they get permuted residuals, permuted alone other ones; without the ring
   (`Design(ring=False)`) permuted ones in any case. Groups of a network stand apart on the ring, and channels exchange
   messages around it. The study had no ring; its variants `encoder="flat"` and `channel_embedding=4` know channels by
   number. For each channel the mapping gives a shift of every one of its actions, where the study had one, and one per
   (offset, power) for all channels.
4. A residual is scaled down where networks do not overlap, where reported PRR is high, and where snapshots are old.
5. Residuals fade: before every round a network takes back a share of those in force (`Design.fade`). In the study
   residuals stay.
6. In the proxy, queues drop frames as with exponential service times (M/M/1/k), and a node does not collide with
   itself; both are ours. So is training on eight snapshots a step, each in one numbering of the channels; the study had
   ten in four.
7. The discriminator points into the eight dimensions of the codes; the study padded codes to sixteen.
8. Gateways stand at fixed places: their circle is not turned at random.
9. Training has two to four networks, the study's up to eight.
10. Rounds run in single precision. With a ridge of 1e-8 the pull-back reproduces a realisable shift to 1e-5 in double
    precision, and that of the shipped policies to 2e-3 (policy gradient) and 2e-4 (DQN) as rounds run.

| | here | study |
|---|---|---|
| conflict gate: begins, width | .02, .18 | .1, .3 |
| congestion scale: PRR below which, width | .76, .04 | .80, .15 |
| clip of a residual | 1.0 | .5 |
| weight of shifts, of norms | 1e-5, 2e-4 | 3e-4, 2e-3 |
| steps of training, their rate | 800 + 3,200, 2e-3 | 1,200 + 800 + 800, 1e-3 |
| vendors of each kind seen in training | five of eight | four |
"""

from typing import Any

from agents.ccs.dataset import Snapshots, Worlds
from agents.ccs.model import Coordinator, Design
from agents.ccs.protocol import Report, Residual
from agents.ccs.proxy import Proxy
from agents.ccs.round import round_residuals
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.ccs.training import Hyperparameters, Training
from lora_marl.core.checks import warn_renamed

__all__ = [
    "Coordinator",
    "Design",
    "Hyperparameters",
    "Proxy",
    "Report",
    "Residual",
    "Safeguards",
    "Service",
    "Snapshots",
    "Training",
    "Worlds",
    "round_residuals",
]


def __getattr__(name: str) -> Any:
    if name != "coordinated":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_renamed("agents.ccs.coordinated", "round_residuals")
    return round_residuals
