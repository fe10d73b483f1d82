"""PPO on the environment's arrays, in one file: one policy for all agents, several training seeds at once.

- `python scripts/recipes/ppo_arrays.py`
- `python scripts/recipes/ppo_arrays.py uplink_v0 --steps 4000 --seeds 4`

Copy it to change it. Nothing stands between the learner and `step_array`: a step of all replicas is one call, and one
pass through the networks. Every training seed has networks, an optimiser's state, and `--replicas` networks of radio of
its own; all seeds are rows of the same batch, and their layers are one batched product. The policy of the seed with the
highest mean reward in the last round is exported.

| part | here |
|---|---|
| actions | every factor of an action has its own softmax; masked values have probability 0 |
| ends | a truncated episode is bootstrapped from its last observation, a terminated one is not |
| advantages | generalised, gamma 0.5, lambda 0.95; normalised in each part of a round, for each seed |
| losses | clipped at 0.2; value loss times 0.5; no entropy bonus; gradients of each seed clipped at a norm of 0.5 |
| optimiser | Adam, 1e-3; rounds of 16 steps, 4 epochs of 4 parts |

Shape letters: `K` training seeds, `M` rows of a seed (its replicas times agents), `T` steps of a round, `D` features,
`A` values of all factors, `F` factors.

Source: Schulman et al. 2017 (PPO); Huang et al. 2022 (its details, CleanRL). Differences from CleanRL: seeds in one
batch, masks, and bootstrapping at truncation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor, nn

import lora_marl
from lora_marl.adapters.policy import Policy, spaces_of
from lora_marl.envs.codec import sizes_of
from scripts.recipes.recipe import app_of

WIDTH, ROUND, EPOCHS, PARTS = 64, 16, 4, 4
GAMMA, LAMBDA, CLIP, VALUE_SHARE, LARGEST_NORM, RATE = 0.5, 0.95, 0.2, 0.5, 0.5, 1e-3


class Perceptrons(nn.Module):
    """A perceptron of two hidden layers with tanh for each training seed: from `[K, M, D]` to `[K, M, outputs]`."""

    def __init__(self, seeds: int, inputs: int, outputs: int, last_gain: float) -> None:
        super().__init__()
        widths = (inputs, WIDTH, WIDTH, outputs)
        gains = (math.sqrt(2.0), math.sqrt(2.0), last_gain)
        self.weights = nn.ParameterList(
            torch.stack([nn.init.orthogonal_(torch.empty(wide, narrow), gain) for _ in range(seeds)]).transpose(1, 2)
            for narrow, wide, gain in zip(widths, widths[1:], gains, strict=False)
        )
        self.biases = nn.ParameterList(torch.zeros(seeds, 1, width) for width in widths[1:])

    def forward(self, rows: Tensor) -> Tensor:
        """From rows `[K, M, D]` to outputs `[K, M, outputs]`."""
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows = torch.baddbmm(bias, torch.tanh(rows) if number else rows, weight)
        return rows

    def layers(self, seed: int) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]:
        """Weights `[out, in]` and biases `[out]` of one seed's perceptron."""
        pairs = zip(self.weights, self.biases, strict=True)
        return tuple((w[seed].detach().T.numpy().copy(), b[seed, 0].detach().numpy().copy()) for w, b in pairs)


@dataclass(frozen=True)
class Round:
    """A round of all training seeds. Tensors `[K, T M, ...]`"""

    observations: Tensor
    actions: Tensor
    masks: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor

    def part(self, rows: Tensor) -> Round:
        """Some rows of each seed. `[K, P]`"""
        seeds = torch.arange(len(rows))[:, None]
        return Round(*(getattr(self, name)[seeds, rows] for name in self.__dataclass_fields__))


def log_probs_of(scores: Tensor, masks: Tensor, sizes: list[int]) -> Tensor:
    """Logarithms of the probabilities of all values, by factor; masked ones are far below any other. `[K, M, A]`"""
    scores = scores.masked_fill(~masks, -1e9)
    return torch.cat([part.log_softmax(-1) for part in scores.split(sizes, -1)], -1)


def draw(log_probs: Tensor, sizes: list[int]) -> Tensor:
    """A value of each factor, by the largest of log-probability plus a Gumbel draw. `[K, M, F]`"""
    noisy = log_probs - torch.empty_like(log_probs).exponential_().log_()
    return torch.stack([part.argmax(-1) for part in noisy.split(sizes, -1)], -1)


def advantages_of(rewards: Tensor, values: Tensor, next_values: Tensor, terminated: Tensor, ended: Tensor) -> Tensor:
    """Generalised advantages of a round.

    Args:
        rewards, values: `[T, K, M]`
        next_values: Of the observations that the steps led to, the last ones of episodes included. `[T, K, M]`
        terminated, ended: 1 where an agent's episode terminated, and where it ended in any way. `[T, K, M]`
    """
    advantages, running = torch.empty_like(rewards), torch.zeros_like(rewards[0])
    errors = rewards + GAMMA * (1.0 - terminated) * next_values - values
    for step in range(len(rewards) - 1, -1, -1):
        running = errors[step] + GAMMA * LAMBDA * (1.0 - ended[step]) * running
        advantages[step] = running
    return advantages


class Learner:
    """Actors and critics of all training seeds.

    Args:
        seeds: K.
        features: D.
        sizes: Number of values of each factor of an action.
    """

    def __init__(self, seeds: int, features: int, sizes: list[int]) -> None:
        self.sizes = sizes
        self.firsts = torch.tensor(np.cumsum([0, *sizes[:-1]]))
        self.actor = Perceptrons(seeds, features, sum(sizes), last_gain=0.01)
        self.critic = Perceptrons(seeds, features, 1, last_gain=1.0)
        self.parameters = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, lr=RATE, eps=1e-5)

    @torch.no_grad()
    def act(self, observations: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Actions `[K, M, F]`, the logarithm of their probabilities and values `[K, M]`."""
        log_probs = log_probs_of(self.actor(observations), masks, self.sizes)
        actions = draw(log_probs, self.sizes)
        return actions, self.chosen(log_probs, actions), self.critic(observations)[..., 0]

    def chosen(self, log_probs: Tensor, actions: Tensor) -> Tensor:
        """The logarithm of the probability of each action. `[K, M]`"""
        return log_probs.gather(-1, actions + self.firsts).sum(-1)

    def update(self, played: Round) -> None:
        """All epochs on a round."""
        seeds, rows = played.returns.shape
        for _ in range(EPOCHS):
            order = torch.rand(seeds, rows).argsort(-1)
            for some in order.chunk(PARTS, -1):
                self.optimizer.zero_grad(set_to_none=True)
                self.loss(played.part(some)).backward()
                self.clip_gradients()
                self.optimizer.step()

    def loss(self, part: Round) -> Tensor:
        """The sum of the losses of all seeds, whose gradients do not meet."""
        log_probs = log_probs_of(self.actor(part.observations), part.masks, self.sizes)
        ratio = (self.chosen(log_probs, part.actions) - part.log_probs).exp()
        spread = part.advantages.std(-1, keepdim=True)
        advantages = (part.advantages - part.advantages.mean(-1, keepdim=True)) / (spread + 1e-8)
        gain = torch.minimum(ratio * advantages, ratio.clamp(1.0 - CLIP, 1.0 + CLIP) * advantages)
        value_loss = (self.critic(part.observations)[..., 0] - part.returns).square()
        return (VALUE_SHARE * value_loss - gain).mean(-1).sum()

    def clip_gradients(self) -> None:
        """Scale each seed's gradients to the largest norm."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norms = torch.stack([gradient.square().sum((1, 2)) for gradient in gradients]).sum(0).sqrt()
        scale = (LARGEST_NORM / (norms + 1e-6)).clamp(max=1.0)[:, None, None]
        for gradient in gradients:
            gradient.mul_(scale)


def play(env: Any, learner: Learner, observations: NDArray[np.float32], seeds: int) -> tuple[Round, NDArray, Tensor]:
    """A round of steps.

    Returns:
        The round, the observations after it, and the mean reward of each training seed `[K]`.
    """

    def rows(array: NDArray) -> Tensor:
        """From `[K R, N, ...]` to `[K, M, ...]`."""
        return torch.from_numpy(np.ascontiguousarray(array)).reshape(seeds, -1, *array.shape[2:])

    steps: list[tuple[Tensor, ...]] = []
    for _ in range(ROUND):
        seen, masks = rows(observations), rows(env.mask_array())
        actions, log_probs, values = learner.act(seen, masks)
        chosen = actions.reshape(*observations.shape[:2], *env.single_action_space.shape).numpy()
        next_observations, rewards, terminated, truncated, _ = env.step_array(chosen)
        ends = rows(terminated).float(), rows(terminated | truncated).float()
        with torch.no_grad():  # of the last observation of an episode, before the next one begins
            next_values = learner.critic(rows(next_observations))[..., 0]
        steps.append((seen, actions, masks, log_probs, values, rows(rewards).float(), next_values, *ends))
        observations = env.reset_array() if (terminated | truncated).all() else next_observations
    seen, actions, masks, log_probs, values, reward, *rest = (
        torch.stack(column) for column in zip(*steps, strict=True)
    )
    advantages = advantages_of(reward, values, *rest)
    columns = (seen, actions, masks, log_probs, advantages, advantages + values)
    played = Round(*(column.transpose(0, 1).flatten(1, 2) for column in columns))
    return played, observations, reward.mean((0, 2))


def train(
    name: str,
    steps: int,
    *,
    seed: int = 0,
    replicas: Annotated[int, typer.Option(min=1, help="Networks of each training seed.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds, all in one batch.")] = 1,
    **settings: Any,
) -> Policy:
    """Train one policy for all agents; `steps` are environment steps over all replicas of all seeds."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    settings = {"info_level": "none", **settings}
    env: Any = lora_marl.make(name, replicas=seeds * replicas, **settings)
    observations = env.reset_array(seed)
    sizes = sizes_of(env.single_action_space).tolist()
    learner = Learner(seeds, observations.shape[-1], sizes)
    reward = torch.zeros(seeds)
    for _ in range(max(1, steps // (ROUND * seeds * replicas))):
        played, observations, reward = play(env, learner, observations, seeds)
        learner.update(played)
    spaces = spaces_of(env, name, algorithm="PPO on arrays", activation="tanh", greedy=False, masked=True)
    return Policy(spaces, learner.actor.layers(int(reward.argmax())))


app = app_of("torch", train, __doc__)

if __name__ == "__main__":
    app()
