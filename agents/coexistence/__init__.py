"""Strategies of coexisting networks: what decides for all networks that learn and share the air.

| strategy | module | what its servers do |
|---|---|---|
| `IndependentServers` | `independent` | learn by themselves |
| `ParameterAveraging` | `independent` | learn, and take the mean of the parameters of their kind now and then |
| `CoordinatedServers` | `coordinated` | learn, report to the service of `agents.ccs`, and add its residuals |
| `RandomResiduals` | `coordinated` | the same with residuals of random direction |
| `DirectResiduals` | `direct` | learn, and add residuals optimised for them on a model of the air |
| `Optimum`, `Partition`, `Hopping`, `RandomActions` | `rules` | follow rules, most of which know more than servers do |

`rollout` plays a strategy on an environment, interval by interval; `ledger` keeps what came of the intervals.
"""

from agents.coexistence.coordinated import CoordinatedServers, RandomResiduals
from agents.coexistence.direct import DirectResiduals
from agents.coexistence.independent import IndependentServers, ParameterAveraging
from agents.coexistence.ledger import Ledger, Ledgers
from agents.coexistence.rollout import Rollout
from agents.coexistence.rules import Hopping, Optimum, Partition, RandomActions
from agents.coexistence.strategy import Strategy

__all__ = [
    "CoordinatedServers",
    "DirectResiduals",
    "Hopping",
    "IndependentServers",
    "Ledger",
    "Ledgers",
    "Optimum",
    "ParameterAveraging",
    "Partition",
    "RandomActions",
    "RandomResiduals",
    "Rollout",
    "Strategy",
]
