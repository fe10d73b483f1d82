"""Learning network servers: each chooses for the node groups of its own deployment, and shares the air with others.

All servers of one kind in all replicas are one array program: parameters lead with `[B, S]`, a layer of all servers is
one batched matrix product, and no loop runs over servers. Each has a buffer, an optimiser and a stream of random
numbers of its own, so that neither the number of servers nor that of replicas changes what one learns.

    servers = DqnServers([load_vendor(path)], seeds=[0, 1], servers=[0, 2])
    actions = servers.select(observations)
    servers.update(observations, actions, rewards, weights, next_observations)

`parameters` is what a server reports, one flat vector that a `Schema` explains; `add_to_last_layer` is what a
coordination service sends back. A residual is kept apart from what is learned, and taken back exactly.

| | `DqnServers` | `PolicyGradientServers` |
|---|---|---|
| learns | values of actions, `agents.lns.dqn` | a policy and a critic, `agents.lns.policy_gradient` |
| network | 40-128-128-48, ReLU, shared by the groups | the same; critic 40-128-128-1 |
| temperature of its logits | 0.03 | 1 |
| hyperparameters | `DqnHyperparameters` | `PolicyGradientHyperparameters` |

`ExternalServers` lets models of other libraries be servers. `pretraining` makes vendors' defaults: what the servers of
a product have learned when they are put into service.

Source: the paper on coexisting networks names the two kinds of learner, "hundreds of kilobytes" and a shared default,
and no more; every size and rate is ours.

Choices that the paper leaves open:

1. Rows are groups: a minibatch of 64 is 64 rows, drawn with replacement; 4,000 rows are 1,000 intervals of four groups.
2. A row weighs as much as its group had attempts (`agents/coexistence/rollout.py`), relative within a loss. A row of
   weight 0 teaches nothing; a server without other rows has a gradient of 0, although Adam may still move it.
3. A vendor of a policy ships its critic, too: with a new one, a server in service would at first reinforce whatever it
   did. Snapshots do not hold it.
4. Buffers and optimisers start empty in service. Residuals leave optimisers and critics as they are.
5. Over the last 60 % of pretraining learning rates fall to nothing, and policy gradient takes six epochs, where the
   study took two at one rate: policies end better, and less by chance.
"""

from agents.lns.dqn import DqnServers
from agents.lns.hyperparameters import DqnHyperparameters, PolicyGradientHyperparameters
from agents.lns.learning import LearningServers
from agents.lns.network import Schema
from agents.lns.policy_gradient import PolicyGradientServers
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
