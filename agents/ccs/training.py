"""Offline training of a coordinator on snapshots of simulated rollouts; letters in `agents.ccs.layout`.

The loss of a batch, averaged over several rounds in a row, is

    L = alpha L_task + beta share L_div + gamma L_adv + penalty,

with L_task from the utility that the proxy of the air expects, L_div for networks that choose different channels where
the air is congested (`share`), L_adv for codes that tell networks apart, and a penalty of large changes.

Source: the CCS paper, Eq. (4) and (5); weights, penalty and `share` are ours.
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
from agents.ccs.unroll import Batch, own_policies, prepare_batch, unroll_rounds
from agents.torch_utils import adam
from lora_marl.core.checks import check_above_0, check_at_least_0, check_count

MINIMUM_WEIGHT = 0.5
"""Weight of the worst learner's utility beside the mean, for fairness."""

CALM_PRR, CONGESTED_RANGE, LEAST_DIVERSITY = 0.88, 0.3, 0.05
"""Mean PRR from which on diversity counts least, how far below it counts fully, and the least share of its weight."""

LEAST_CHANCE = 1e-12
"""Chances count as at least this in entropies, whose gradient at 0 is infinite; sharp policies reach 0."""

LEAST_RATE = 0.05
"""Share of the learning rate at which its cosine ends."""

DISCRIMINATOR_WIDTH = 64
"""Width of the hidden layer of the discriminator."""


@dataclass(frozen=True)
class Hyperparameters:
    """How a coordinator is trained: the one place of the defaults.

    Its `repr` is stored in settings of trainings and in services, so that the names here are data.

    Attributes:
        snapshots: Snapshots of a batch, all of one mixture.
        orders: Random numberings of the channels in which each snapshot is seen.
        rounds: Rounds in a row that are differentiated through.
        clip: Largest norm of a residual relative to the layer, per round.
        alpha: Weight of the task.
        beta: Weight of diversity, where the air is congested.
        gamma: Weight of the discriminator, in the last round.
        pairs: Whose channels should differ: of each `network`, in the same states, or of each `group`, in its own.
        shift_weight: Weight of squared shifts of logits in the first round; grows by twice itself per round.
        norm_weight: Weight of the squared relative norm of all changes.
        kpi_noise: Standard deviation of noise on reports.
        gradient_norm: Largest norm of the gradient.
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
        for name in ("snapshots", "orders", "rounds"):
            check_count(name, getattr(self, name))
        for name in ("gradient_norm", "discriminator_rate"):
            check_above_0(name, getattr(self, name))
        for name in ("alpha", "beta", "gamma", "shift_weight", "norm_weight", "clip", "kpi_noise"):
            check_at_least_0(name, getattr(self, name))
        if self.pairs not in ("network", "group"):
            raise ValueError(f"pairs = {self.pairs!r}: expected network or group")


def task_loss(utility: Tensor, learners: Tensor) -> Tensor:
    """L_task of every world: minus the mean utility of all networks and half the least one of the learners.

    Args:
        utility: `[M, S]`
        learners: Which networks learn. int64 `[L]`

    Returns:
        Their weighted mean. `[M]`
    """
    least = utility[:, learners].amin(1)
    return -(utility.mean(1) + MINIMUM_WEIGHT * least) / (1.0 + MINIMUM_WEIGHT)


def jensen_shannon(first: Tensor, second: Tensor) -> Tensor:
    """Jensen-Shannon divergence of distributions `[..., C]`, from 0 to log 2. nats `[...]`"""
    first, second = (chances.clamp(min=LEAST_CHANCE) for chances in (first, second))
    entropies = (torch.special.entr(first) + torch.special.entr(second)).sum(-1)
    return torch.special.entr((first + second) / 2.0).sum(-1) - entropies / 2.0


def diversity_loss(marginals: Tensor) -> Tensor:
    """L_div of every world: minus the mean divergence of pairs, over the same states; 0 where there is no pair.

    Args:
        marginals: Chances of channels of each member of the pairs in each state. `[M, L, states, C]`

    Returns:
        From -log 2 to 0. `[M]`

    Source: the CCS paper, Eq. (5).
    """
    first, second = torch.triu_indices(marginals.shape[1], marginals.shape[1], 1)
    if not len(first):
        return marginals.new_zeros(len(marginals))
    return -jensen_shannon(marginals[:, first], marginals[:, second]).mean((1, 2))


def congestion(prr: Tensor) -> Tensor:
    """Share of its weight that diversity has in a world, for its networks' PRR `[M, L]`. `[M]`"""
    return ((CALM_PRR - prr.mean(1)) / CONGESTED_RANGE).clamp(LEAST_DIVERSITY, 1.0)


class Discriminator(nn.Module):
    """Guesses which network behaves so in a state: the one whose code its output points at.

    Args:
        layout: Layout of observations and actions.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        inputs, width = layout.features + layout.channels, DISCRIMINATOR_WIDTH
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, SPHERE))

    def forward(self, states: Tensor, marginals: Tensor, codes: Tensor) -> Tensor:
        """L_adv: cross entropy of the right network, which coordinator and discriminator both lower.

        Args:
            states: Observations. `[M, states, D]`
            marginals: Chances of channels of each network in each state. `[M, L, states, C]`
            codes: Codes of the networks; only the points are read. `[M, L, Z]`

        Returns:
            nats `[]`
        """
        count = marginals.shape[1]
        observed = states[:, None].expand(-1, count, -1, -1)
        logits = (
            self.layers(torch.cat([observed, marginals], dim=-1)) @ codes[:, None, :, :SPHERE].mT
        )  # [M, L, states, L]
        target = torch.arange(count)[:, None].expand(logits.shape[:-1])
        return cross_entropy(logits.flatten(0, -2), target.flatten())


class Training:
    """A coordinator, its optimiser and discriminator, and data that may grow between phases.

    Args:
        coordinator: Trained in place.
        proxy: Model of the air.
        data: Snapshots; those of the same mixture are joined.
        seed: Seed of batches, and of the discriminator's first weights.
        hyper: How it is trained; None: the defaults.

    Attributes:
        step: Steps taken in this phase.
        steps: Steps of this phase.
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
        """Appends snapshots."""
        self.data = by_mixture([*self.data.values(), *data])

    def begin(self, steps: int, learning_rate: float) -> None:
        """Begins a phase: fresh optimisers, discriminator and schedule, the coordinator as it is."""
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
        """Trains for a phase, or, after `load_state_dict` of an unfinished one, for the rest of it.

        Args:
            steps: Steps of the phase.
            learning_rate: Learning rate at its beginning; falls to a twentieth by a cosine.
            progress: Called after each step with the number of steps taken and the terms of the loss.
        """
        if self.step == self.steps or (self.steps, self.learning_rate) != (steps, learning_rate):
            self.begin(steps, learning_rate)
        while self.step < self.steps:
            terms = self.update()
            if progress is not None:
                progress(self.step, terms)

    def update(self) -> dict[str, float]:
        """Takes one step and returns the terms of the loss."""
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
        """Draws snapshots of one mixture, in proportion to how many it has, each in several numberings of channels."""
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
        """Returns the terms of Eq. (4), averaged over worlds and rounds, and their weighted sum `loss`. `[]` each"""
        hyper, layout = self.hyper, self.coordinator.layout
        steps = unroll_rounds(self.coordinator, batch, hyper.rounds, hyper.clip)
        share = congestion(batch.kpis[..., 0])
        task, diversity, penalty = [], [], []
        for number, step in enumerate(steps):
            policy = own_policies(step.policy, batch.learners, batch.worlds.non_learning.shape[1])
            task.append(task_loss(self.proxy(policy, batch.worlds).utility, batch.learners).mean())
            in_pairs = step.policy if hyper.pairs == "network" else policy[:, batch.learners].flatten(1, 2)[:, :, None]
            diversity.append((share * diversity_loss(layout.marginals(in_pairs))).mean())
            growing = hyper.shift_weight * (1.0 + 2.0 * number)
            penalty.append((growing * step.shift + hyper.norm_weight * step.norm).mean())
        marginals = layout.marginals(steps[-1].policy)
        by_term = {"task": task, "diversity": diversity, "penalty": penalty}
        terms = {name: torch.stack(rounds).mean() for name, rounds in by_term.items()}
        terms["adversarial"] = self.discriminator(batch.states, marginals, batch.codes.mean(2))
        total = hyper.alpha * terms["task"] + hyper.beta * terms["diversity"] + terms["penalty"]
        return terms | {"loss": total + hyper.gamma * terms["adversarial"]}

    def state_dict(self) -> dict[str, Tensor]:
        """Returns a copy of everything that changes but the data, by name."""
        return {name: tensor.detach().clone() for name, tensor in self._tensors().items()} | {
            "generator": self.generator.get_state(),
            "phase": torch.tensor([self.step, self.steps, self.learning_rate], dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continues from what `state_dict` returned; with the same data, training continues to identical numbers.

        Raises:
            ValueError: a tensor is missing, unknown, or of another shape, naming it.
        """
        tensors = self._tensors()
        for name in sorted({"generator", "phase"} ^ set(tensors) ^ set(state)):
            raise ValueError(f"state of training: {name} is {'unknown' if name in state else 'missing'}")
        for name, tensor in tensors.items():
            if tensor.shape != state[name].shape:
                shapes = list(state[name].shape), list(tensor.shape)
                raise ValueError(f"state of training: {name} has shape {shapes[0]}; expected {shapes[1]}")
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(state[name])
        self.generator.set_state(state["generator"])
        step, steps, self.learning_rate = state["phase"].tolist()
        self.step, self.steps = int(step), int(steps)

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors that a step changes, not copied."""
        tensors: dict[str, Tensor] = {}
        networks: tuple[tuple[str, nn.Module, torch.optim.Adam], ...] = (
            ("coordinator", self.coordinator, self.adam),
            ("discriminator", self.discriminator, self.discriminator_adam),
        )
        for name, network, optimizer in networks:
            tensors |= {f"{name}.{key}": tensor for key, tensor in network.state_dict().items()}
            for key, parameter in network.named_parameters():
                tensors |= {f"{name}_adam.{key}.{item}": t for item, t in optimizer.state[parameter].items()}
        return tensors
