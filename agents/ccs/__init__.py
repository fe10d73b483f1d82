"""The coordination service (CCS) of coexisting learning networks: from snapshots of policies to residuals.

A network reports its parameters and a summary of how it fares; the service answers with a change of its last layer, so
that networks which want the same channels come apart. The pieces, in the order in which a round meets them:

    L_k = F_k W_k / tau           logits of network k on public probe observations      `view`, `rounds`
    p_k, p_-k                     chances of channels, own and the others' pooled       `hypernetwork.behaviour`
    e_k, C_k (3)                  embedding per kind of learner, context                `encoder`, `hypernetwork`
    z_k                           latent code: a point on a sphere, a place on a ring   `codes`, `ring`
    dL_k = g(ov_k) G(L_k, ...)    wanted shift, times the conflict gate                 `hypernetwork`, `coordinator`
    dW_k = back(dL_k) (2)         pulled back to the last layer, clipped                `pull_back`, `rounds`

It is trained offline (`training`, on `snapshots`) to raise what a differentiable `proxy` of the air expects, with the
`objective` (4), (5), over `unroll`ed rounds; online it is frozen (`service`, with `records`, `members`, `safeguards`),
and servers take residuals on trial (`server`). `rounds.coordinated` is a round for arrays `[M, S, ...]` of worlds.

| paper | name |
|---|---|
| theta_k, Delta theta_k | `parameters`, `delta` (last layer, the bias as last row) |
| P_k (1) | `kpis` |
| C_k (3), z_k | `context`, `codes` |
| G (2) | `Coordinator` |
| alpha, beta, gamma (4) | `Hyperparameters` |

Source: "Coordinating coexisting learning agents in shared spectrum via parameter space complementarity", Eq. (1)-(5)
and Algorithm 1, which leaves all sizes, inputs and formulas of the mapping open.

Differences:

1. The mapping works on behaviour, not on weights: networks of any architecture are seen through the same probes, and
   residuals are asked for as shifts of logits. `Design(mapping="raw")` is the literal reading.
2. Only the last layer moves.
3. Nothing in the mapping depends on how networks are numbered, and on how channels are only by where they stand on a
   ring (`ring`): permuted together with their standing they get permuted residuals, permuted alone other ones; without
   the ring (`Design(ring=False)`) whatever their numbers. Groups of a network stand apart on it, and channels
   hear of one another around it. The study had no ring; its variants, `encoder="flat"` and `channel_embedding=4`, know
   channels by number. For each channel the mapping gives a shift of every one of its actions, where the study had one,
   and one per (offset, power) for all channels.
4. A residual is scaled down where networks do not overlap, where reported PRR is high, and where snapshots are old.
5. A network lets a share of what it holds of residuals go before every round (`Design.fade`): none outlives by long
   what it was an answer to. In the study residuals stay.
6. In the proxy queues drop frames as one of exponential service does (M/M/1/k), and a node does not meet itself; both
   are ours. So is training on eight snapshots a step, each in one numbering of the channels; the study had ten in four.
7. The discriminator points into the eight dimensions of the codes; the study padded codes to sixteen.
8. Gateways stand where they stand: their circle is not turned at random.
9. Training has two to four networks, the study's up to eight.
10. Rounds run in single precision: with a ridge of 1e-8 the pull-back reproduces a realisable shift to 1e-5 in double
    precision, and of the shipped policies to 2e-3 (policy gradient) and 2e-4 (DQN) as rounds run.

| | here | study |
|---|---|---|
| conflict gate: begins, width | .02, .18 | .1, .3 |
| congestion scale: PRR below which, width | .76, .04 | .80, .15 |
| clip of a residual | 1.0 | .5 |
| weight of shifts, of norms | 1e-5, 2e-4 | 3e-4, 2e-3 |
| steps of training, their rate | 800 + 3,200, 2e-3 | 1,200 + 800 + 800, 1e-3 |
| vendors of each kind seen in training | five of eight | four |
"""

from agents.ccs.dataset import Snapshots, Worlds
from agents.ccs.model import Coordinator, Design
from agents.ccs.protocol import Report, Residual
from agents.ccs.proxy import Proxy
from agents.ccs.round import coordinated
from agents.ccs.safeguards import Safeguards
from agents.ccs.service import Service
from agents.ccs.training import Hyperparameters, Training

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
    "coordinated",
]
