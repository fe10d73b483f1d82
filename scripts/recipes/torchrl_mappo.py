"""MAPPO with TorchRL on all replicas at once: one actor for all agents, and a central critic.

- `python scripts/recipes/torchrl_mappo.py`

Needs torchrl 0.14. For each agent the critic takes its observation and the mean observation of all agents, so that it
works for any number of agents.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
import typer
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.collectors import Collector
from torchrl.modules import MaskedCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from lora_marl.adapters.perceptron import layers_of
from lora_marl.adapters.policy import Policy, spaces_of
from lora_marl.adapters.torchrl import ReplicaEnv
from scripts.recipes.recipe import recipe

WIDTH, ROUND, EPOCHS, PARTS = 64, 16, 5, 4


class Critic(nn.Module):
    """Values of agents `[..., N, 1]` from their observations `[..., N, D]`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.network = perceptron(2 * features, 1)

    def forward(self, observation: Tensor) -> Tensor:
        """From observations `[..., N, D]` to values `[..., N, 1]`."""
        mean = observation.mean(dim=-2, keepdim=True).expand_as(observation)
        value: Tensor = self.network(torch.cat([observation, mean], dim=-1))
        return value


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    """A perceptron with two hidden layers and tanh."""
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, outputs)
    )


def train(
    name: str,
    steps: int,
    *,
    seed: int = 0,
    replicas: Annotated[int, typer.Option(min=1, help="Environments in the batch.")] = 4,
    **settings: Any,
) -> Policy:
    """Train one policy for all agents of an environment of `lora_marl.ENVS`, for so many environment steps."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    env = ReplicaEnv(name, replicas, action_format="discrete", **settings)
    env.set_seed(seed)
    group, features = env.group, len(env.env.feature_names)
    network = perceptron(features, int(env.env.single_action_space.n))
    actor = ProbabilisticActor(
        TensorDictModule(network, [(group, "observation")], [(group, "logits")]),
        in_keys={"logits": (group, "logits"), "mask": (group, "action_mask")},
        out_keys=[(group, "action")],
        distribution_class=MaskedCategorical,
        return_log_prob=True,
        log_prob_key=(group, "sample_log_prob"),
        spec=env.action_spec,
    )
    critic = ValueOperator(Critic(features), [(group, "observation")], [(group, "state_value")])
    keys = {
        "reward": (group, "reward"), "value": (group, "state_value"),
        "done": (group, "done"), "terminated": (group, "terminated"),
    }  # fmt: skip
    loss = ClipPPOLoss(actor, critic, entropy_coeff=0.0, normalize_advantage=True)
    loss.set_keys(action=(group, "action"), sample_log_prob=(group, "sample_log_prob"), **keys)
    advantage = GAE(gamma=0.5, lmbda=0.95, value_network=critic)
    advantage.set_keys(**keys)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
    for batch in Collector(env, actor, frames_per_batch=ROUND * replicas, total_frames=steps):
        for end in ("done", "terminated"):
            # The ends are of the whole replica; the losses expect them for every agent.
            batch["next", group, end] = batch["next", end][..., None].expand(*batch["next", group, "reward"].shape)
        with torch.no_grad():
            advantage(batch)
        flat = batch.reshape(-1)
        for _ in range(EPOCHS):
            for part in torch.randperm(len(flat)).chunk(PARTS):
                losses = loss(flat[part])
                total = losses["loss_objective"] + losses["loss_critic"]
                optimizer.zero_grad()
                total.backward()
                optimizer.step()
    layers, activation = layers_of(network)
    spaces = spaces_of(env.env, name, algorithm="TorchRL MAPPO", activation=activation, greedy=False, masked=True)
    return Policy(spaces, layers)


if __name__ == "__main__":
    recipe("torchrl", train, __doc__)
