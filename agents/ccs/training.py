"""Offline training of a coordinator on snapshots of simulated rollouts; letters in `agents.ccs.layout`.

Hyperparameters of training a coordinator: the one place of their defaults.

What the service is trained to do (the CCS paper, Eq. (4) and (5)); letters in `agents.ccs.layout`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from agents.ccs.dataset import Snapshots, by_mixture
from agents.ccs.layout import Layout, random_orders
from agents.ccs.model import Coordinator
from agents.ccs.proxy import Proxy
from agents.ccs.ring import SPHERE, random_codes
from agents.ccs.round import Batch, own_policies, prepare_batch, unroll_rounds
from agents.torch_utils import adam
from lora_marl.core.checks import Checked


@dataclass(frozen=True)
class Hyperparameters(Checked):
    """How a coordinator is trained.

    Attributes:
        snapshots: Of one mixture in a batch.
        orders: Random numberings of the channels that each of them is seen in.
        rounds: That are unrolled.
        clip: Largest norm of a residual relative to the layer, per round.
        alpha: Weight of the task.
        beta: Of diversity, where the air is congested.
        gamma: Of the discriminator, in the last round.
        pairs: Whose channels should differ: of `network`s, in the same states, or of all `group`s, in their own.
        shift_weight: Of squared shifts of logits in the first round; grows by twice itself per round.
        norm_weight: Of the squared relative norm of all changes.
        kpi_noise: Deviation of noise on reports.
        gradient_norm: Largest.
        discriminator_rate: Learning rate of the discriminator.

    Raises:
        ValueError: a value outside its range, naming it.
    """

    snapshots: int = 8
    orders: int = 1
    rounds: int = 2
    clip: float = 1.0
    alpha: float = 1.0
    beta: float = 0.1
    gamma: float = 0.02
    pairs: str = "network"
    shift_weight: float = 1e-5
    norm_weight: float = 2e-4
    kpi_noise: float = 0.02
    gradient_norm: float = 1.0
    discriminator_rate: float = 1e-3

    def __post_init__(self) -> None:
        self.check("an integer of at least 1", "snapshots", "orders", "rounds")
        self.check("finite and above 0", "gradient_norm", "discriminator_rate")
        weights = ("alpha", "beta", "gamma", "shift_weight", "norm_weight")
        self.check("finite and at least 0", *weights, "clip", "kpi_noise")
        if self.pairs not in ("network", "group"):
            raise ValueError(f"pairs = {self.pairs!r}: expected network or group")


MINIMUM_WEIGHT = 0.5
"""Of the worst learner's utility beside the mean: the guard of fairness."""

CALM_PRR, CONGESTED_RANGE, LEAST_DIVERSITY = 0.88, 0.3, 0.05
"""Mean PRR at which diversity is worth least, how far below it is worth all, and the least share of its weight."""

LEAST_CHANCE = 1e-12
"""In entropies, whose gradient at 0 is infinite: sharp policies of values reach it."""


def task_loss(utility: Tensor, learners: Tensor) -> Tensor:
    """L_task of every world `[M]`: less the mean utility of all, legacy too, and half the least of the learners.

    Args:
        utility: `[M, S]`
        learners: Which networks learn. int64 `[L]`
    """
    least = utility[:, learners].amin(1)
    return -(utility.mean(1) + MINIMUM_WEIGHT * least) / (1.0 + MINIMUM_WEIGHT)


def jensen_shannon(first: Tensor, second: Tensor) -> Tensor:
    """Divergence of distributions `[..., C]`, from 0 to log 2. nats `[...]`"""
    first, second = (chances.clamp(min=LEAST_CHANCE) for chances in (first, second))
    entropies = (torch.special.entr(first) + torch.special.entr(second)).sum(-1)
    return torch.special.entr((first + second) / 2.0).sum(-1) - entropies / 2.0


def diversity_loss(marginals: Tensor) -> Tensor:
    """L_div of every world `[M]`: less the mean divergence of pairs, on the same states; 0 where there is no pair.

    Args:
        marginals: Of each member of pairs, chances of channels in each state. `[M, L, states, C]`

    Source: the CCS paper, Eq. (5).
    """
    first, second = torch.triu_indices(marginals.shape[1], marginals.shape[1], 1)
    if not len(first):
        return marginals.new_zeros(len(marginals))
    return -jensen_shannon(marginals[:, first], marginals[:, second]).mean((1, 2))


def congestion(prr: Tensor) -> Tensor:
    """What share of its weight diversity has in a world `[M]`, of its networks' PRR `[M, L]`."""
    return ((CALM_PRR - prr.mean(1)) / CONGESTED_RANGE).clamp(LEAST_DIVERSITY, 1.0)


class Discriminator(nn.Module):
    """Says which network chose so in a state: the one whose code its output points at.

    Args:
        layout: Of observations and actions.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        inputs = layout.features + layout.channels
        self.layers = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, SPHERE))

    def forward(self, states: Tensor, marginals: Tensor, codes: Tensor) -> Tensor:
        """L_adv: cross entropy of the network, which both sides lower.

        Args:
            states: Observations. `[M, states, D]`
            marginals: Of each network in each state. `[M, L, states, C]`
            codes: Of which the points count. `[M, L, Z]`
        """
        count = marginals.shape[1]
        seen = states[:, None].expand(-1, count, -1, -1)
        logits = self.layers(torch.cat([seen, marginals], dim=-1)) @ codes[:, None, :, :SPHERE].mT  # [M, L, states, L]
        target = torch.arange(count)[:, None].expand(logits.shape[:-1])
        return cross_entropy(logits.flatten(0, -2), target.flatten())


LEAST_RATE = 0.05
"""Where the cosine ends, as a share of the learning rate."""


class Training:
    """A coordinator, its optimiser and discriminator, and data that may grow between phases.

    Args:
        coordinator: Trained in place.
        proxy: Of the air.
        data: Snapshots; parts of the same mixture are joined.
        seed: Of batches, and of the discriminator's first weights.
        hyper: How.

    Attributes:
        step: Steps taken in this phase.
        steps: Of this phase.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        proxy: Proxy,
        data: Iterable[Snapshots],
        seed: int,
        hyper: Hyperparameters | None = None,
    ) -> None:
        self.coordinator, self.proxy, self.hyper = coordinator, proxy, hyper or Hyperparameters()
        self.data = by_mixture(data)
        self.generator = torch.Generator().manual_seed(seed)
        self.begin(0, 0.0)

    def add(self, data: Iterable[Snapshots]) -> None:
        """More snapshots, after those there are."""
        self.data = by_mixture([*self.data.values(), *data])

    def begin(self, steps: int, learning_rate: float) -> None:
        """A new phase: fresh optimisers, discriminator and schedule, the coordinator as it is."""
        self.step, self.steps, self.learning_rate = 0, steps, learning_rate
        self.discriminator = Discriminator(self.coordinator.layout)
        with torch.no_grad():
            for parameter in self.discriminator.parameters():
                bound = 1.0 / math.sqrt(parameter.shape[-1])
                parameter.uniform_(-bound, bound, generator=self.generator)
        self.adam = adam(self.coordinator.parameters(), learning_rate)
        self.discriminator_adam = adam(self.discriminator.parameters(), self.hyper.discriminator_rate)

    def run(
        self, steps: int, learning_rate: float, progress: Callable[[int, dict[str, float]], None] | None = None
    ) -> None:
        """A phase from its beginning to its end, or, after `load_state_dict` of an unfinished one, the rest of it.

        Args:
            steps: Of the phase.
            learning_rate: At its beginning; falls to a twentieth by a cosine.
            progress: Told the number of steps taken and the terms of the loss after each.
        """
        if self.step == self.steps or (self.steps, self.learning_rate) != (steps, learning_rate):
            self.begin(steps, learning_rate)
        while self.step < self.steps:
            terms = self.update()
            if progress is not None:
                progress(self.step, terms)

    def update(self) -> dict[str, float]:
        """One step; the terms of the loss."""
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.step / max(self.steps, 1))
        self.adam.param_groups[0]["lr"] = self.learning_rate * (LEAST_RATE + (1.0 - LEAST_RATE) * cosine)
        terms = self.loss(self.batch())
        for optimizer in (self.adam, self.discriminator_adam):
            optimizer.zero_grad()
        terms["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self.coordinator.parameters(), self.hyper.gradient_norm)
        if not bool(norm.isfinite()):
            raise FloatingPointError(f"training: the gradient is not finite at step {self.step}")
        for optimizer in (self.adam, self.discriminator_adam):
            optimizer.step()
        self.step += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def batch(self) -> Batch:
        """Snapshots of one mixture, drawn in proportion to how many it has, each in several numberings."""
        sizes = torch.tensor([len(snapshots) for snapshots in self.data.values()], dtype=torch.float64)
        snapshots = list(self.data.values())[int(torch.multinomial(sizes, 1, generator=self.generator))]
        drawn = torch.randint(len(snapshots), (self.hyper.snapshots,), generator=self.generator)
        rows = snapshots.rows(drawn.repeat_interleave(self.hyper.orders))
        layout, per_network = self.coordinator.layout, self.coordinator.design.codes_per_network
        learners = int((rows.kinds[0] >= 0).sum())
        codes = random_codes(len(rows), learners * per_network, self.generator).unflatten(1, (learners, per_network))
        orders = random_orders(len(rows), layout.channels, self.generator)
        with torch.no_grad():
            codes = codes.expand(-1, -1, layout.groups, -1)
            batch = prepare_batch(rows, codes, orders, self.coordinator)
        noise = self.hyper.kpi_noise * torch.randn(batch.kpis.shape, generator=self.generator)
        return batch._replace(kpis=batch.kpis + noise)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of Eq. (4), averaged over worlds and rounds, and their weighed sum `loss`."""
        hyper, layout = self.hyper, self.coordinator.layout
        steps = unroll_rounds(self.coordinator, batch, hyper.rounds, hyper.clip)
        share = congestion(batch.kpis[..., 0])
        task, diversity, penalty = [], [], []
        for number, step in enumerate(steps):
            policy = own_policies(step.policy, batch.learners, batch.worlds.legacy.shape[1])
            task.append(task_loss(self.proxy(policy, batch.worlds).utility, batch.learners).mean())
            in_pairs = step.policy if hyper.pairs == "network" else policy[:, batch.learners].flatten(1, 2)[:, :, None]
            diversity.append((share * diversity_loss(layout.marginals(in_pairs))).mean())
            growing = hyper.shift_weight * (1.0 + 2.0 * number)
            penalty.append((growing * step.shift + hyper.norm_weight * step.norm).mean())
        marginals = layout.marginals(steps[-1].policy)
        terms = {name: torch.stack(found).mean() for name, found in (("task", task), ("diversity", diversity))}
        terms["penalty"] = torch.stack(penalty).mean()
        terms["adversarial"] = self.discriminator(batch.states, marginals, batch.codes.mean(2))
        total = hyper.alpha * terms["task"] + hyper.beta * terms["diversity"] + terms["penalty"]
        return terms | {"loss": total + hyper.gamma * terms["adversarial"]}

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that changes but the data, by name, copied."""
        return {name: tensor.detach().clone() for name, tensor in self._tensors().items()} | {
            "generator": self.generator.get_state(),
            "phase": torch.tensor([self.step, self.steps, self.learning_rate], dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes over what `state_dict` gave; with the same data training goes on to identical numbers.

        Raises:
            ValueError: a tensor is missing, unknown, or of another shape, naming it.
        """
        own = self._tensors()
        for name in sorted({"generator", "phase"} ^ set(own) ^ set(state)):
            raise ValueError(f"state of training: {name} is {'unknown' if name in state else 'missing'}")
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                shapes = list(state[name].shape), list(tensor.shape)
                raise ValueError(f"state of training: {name} has shape {shapes[0]}; expected {shapes[1]}")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name])
        self.generator.set_state(state["generator"])
        step, steps, self.learning_rate = state["phase"].tolist()
        self.step, self.steps = int(step), int(steps)

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors that change with a step, themselves."""
        found: dict[str, Tensor] = {}
        networks: tuple[tuple[str, nn.Module, torch.optim.Adam], ...] = (
            ("coordinator", self.coordinator, self.adam),
            ("discriminator", self.discriminator, self.discriminator_adam),
        )
        for name, network, optimizer in networks:
            found |= {f"{name}.{key}": tensor for key, tensor in network.state_dict().items()}
            for key, parameter in network.named_parameters():
                found |= {f"{name}_adam.{key}.{item}": t for item, t in optimizer.state[parameter].items()}
        return found
