"""Learning network servers: each chooses for the groups of nodes of its own network, and shares the air with others.

All servers of one kind in all replicas are one array program: parameters lead with `[B, S]`, a layer of all servers is
one batched matrix product, and no loop runs over servers. Each server has its own buffer, optimiser and stream of
random numbers, so neither the number of servers nor that of replicas changes what a server learns.

    servers = DqnServers([load_vendor(path)], seeds=[0, 1], servers=[0, 2])
    actions = servers.select(observations)
    servers.update(observations, actions, rewards, weights, next_observations)

A server reports `parameters`, one flat vector that a `Schema` describes. `add_to_last_layer` adds the residual that a
coordination service answers with. Residuals are stored apart from what is learned, so they can be removed exactly.

| | `DqnServers` | `PolicyGradientServers` |
|---|---|---|
| learns | action values, `agents.lns.dqn` | a policy and a critic, `agents.lns.policy_gradient` |
| network | 40-128-128-48, ReLU, shared by the groups | the same; critic 40-128-128-1 |
| temperature of its logits | 0.03 | 1 |
| hyperparameters | `DqnHyperparameters` | `PolicyGradientHyperparameters` |

With `ExternalServers` models of other libraries are servers. `pretraining` makes vendors' defaults: what the servers
of a product have learned when they are put into service.

Source: the CCS paper names the two kinds of learner, "hundreds of kilobytes" and a shared default, and no more; every
size and rate is ours.

Choices that the paper leaves open:

1. Rows are groups: a minibatch of 64 is 64 rows, drawn with replacement; 4,000 rows are 1,000 intervals of four groups.
2. The weight of a row is the number of its group's attempts (`agents.coexistence.rollout`), relative within a loss. A
   row of weight 0 has no effect; a server that has only such rows has a gradient of 0, although Adam may still move it.
3. A vendor of a policy ships the critic as well: with a new critic, a server in service would at first reinforce
   whatever it does. Reports do not contain the critic.
4. Buffers and optimisers start empty in service. Residuals leave optimisers and critics as they are.
5. Over the last 60 % of pretraining learning rates decay to 0, and policy gradient takes six epochs, where the study
   took two at a constant rate: policies end better, and depend less on chance.
"""

from agents.lns.dqn import DqnHyperparameters, DqnServers
from agents.lns.learning import LearningServers
from agents.lns.network import Schema
from agents.lns.policy_gradient import PolicyGradientHyperparameters, PolicyGradientServers
from agents.lns.servers import ExternalServers, Servers
from agents.lns.vendor import Vendor, fresh_vendor, load_vendor, save_vendor

__all__ = [
    "DqnHyperparameters",
    "DqnServers",
    "ExternalServers",
    "LearningServers",
    "PolicyGradientHyperparameters",
    "PolicyGradientServers",
    "Schema",
    "Servers",
    "Vendor",
    "fresh_vendor",
    "load_vendor",
    "save_vendor",
]
