"""Both kinds of server said server by server and row by row, with torch's own layers and optimiser."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from agents.lns.dqn import DqnHyperparameters
from agents.lns.network import Schema, unflatten
from agents.lns.policy_gradient import PolicyGradientHyperparameters
from agents.lns.vendor import Vendor, critic_schema
from lora_marl.core.random import stream_key, uniform


def module(vector: Tensor, schema: Schema) -> nn.Sequential:
    layers = unflatten(vector, schema)
    parts: list[nn.Module] = []
    for weight, bias in zip(layers.weights, layers.biases):
        linear = nn.Linear(*weight.shape, dtype=weight.dtype)
        linear.weight.data, linear.bias.data = weight.T.clone(), bias.clone()
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def vector_of(network: nn.Sequential) -> np.ndarray:
    linears = [part for part in network if isinstance(part, nn.Linear)]
    return torch.cat([p for linear in linears for p in (linear.weight.T.flatten(), linear.bias)]).detach().numpy()


def descend(loss: Tensor, network: nn.Sequential, adam: torch.optim.Optimizer, norm: float) -> None:
    adam.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), norm)
    adam.step()


def dqn(vendor: Vendor, rows: list[list[tuple]], seed: int, server: int, hyper: DqnHyperparameters) -> np.ndarray:
    """Parameters after intervals of rows (observation, action, reward, weight, next observation)."""
    network = module(vendor.parameters, vendor.schema)
    target = copy.deepcopy(network)
    adam = torch.optim.Adam(network.parameters(), lr=hyper.learning_rate)
    key, drawn, buffer = stream_key(seed, "lns.replay"), 0, []
    for t, interval in enumerate(rows):
        for i, row in enumerate(interval):
            place = (t * len(interval) + i) % hyper.capacity
            buffer[place : place + 1] = [row]
        for _ in range(hyper.updates_per_step if len(buffer) >= hyper.batch else 0):
            numbers = [uniform(key, server, drawn + i) for i in range(hyper.batch)]
            drawn += hyper.batch
            losses, total = [], 0.0
            for number in numbers:
                seen, action, reward, weight, following = buffer[int(number * len(buffer))]
                with torch.no_grad():
                    best = network(torch.tensor(following)).argmax()
                    goal = reward + hyper.discount * target(torch.tensor(following))[best]
                error = network(torch.tensor(seen))[action] - goal
                huber = 0.5 * error**2 if abs(error) < 1.0 else abs(error) - 0.5
                losses.append(weight * huber)
                total += weight
            descend(sum(losses) / total, network, adam, hyper.gradient_norm)
            for slow, fast in zip(target.parameters(), network.parameters()):
                slow.data += hyper.target_rate * (fast.data - slow.data)
    return vector_of(network)


def policy_gradient(
    vendor: Vendor, rows: list[list[tuple]], hyper: PolicyGradientHyperparameters
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of policy and critic after intervals of rows."""
    policy, critic = module(vendor.parameters, vendor.schema), module(vendor.critic, critic_schema(vendor.schema))
    actor_adam = torch.optim.Adam(policy.parameters(), lr=hyper.learning_rate)
    critic_adam = torch.optim.Adam(critic.parameters(), lr=hyper.learning_rate * hyper.critic_rate)
    for t in range(0, len(rows), hyper.every):
        seen, actions, rewards, weights, _ = (
            np.array(column) for column in zip(*[row for interval in rows[t : t + hyper.every] for row in interval])
        )
        seen, rewards, weights = (torch.tensor(column) for column in (seen, rewards, weights))
        mean = lambda values, w=weights: (values * w).sum() / w.sum()  # noqa: E731
        with torch.no_grad():
            error = rewards - critic(seen)[:, 0]
            spread = mean((error - mean(error)) ** 2).sqrt() + hyper.spread
            advantage = (error / spread).clamp(-hyper.advantage, hyper.advantage)
            before = torch.distributions.Categorical(logits=policy(seen)).log_prob(torch.tensor(actions))
        for _ in range(hyper.epochs):
            now = torch.distributions.Categorical(logits=policy(seen))
            ratio = (now.log_prob(torch.tensor(actions)) - before).exp()
            gains = torch.minimum(ratio * advantage, ratio.clamp(1 - hyper.clip, 1 + hyper.clip) * advantage)
            loss = -mean(gains) - hyper.entropy * mean(now.entropy())
            descend(loss, policy, actor_adam, hyper.gradient_norm)
            descend(mean((critic(seen)[:, 0] - rewards) ** 2), critic, critic_adam, hyper.gradient_norm)
    return vector_of(policy), vector_of(critic)
