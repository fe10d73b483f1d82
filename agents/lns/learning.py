"""What servers that learn have in common: parameters to report, residuals, state; `L` = B S learners."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from agents.lns.network import Kind, Trained, forward
from agents.lns.replay import Draws, Replay
from agents.lns.servers import Servers, check_names
from agents.lns.vendor import Vendor, same_schema
from agents.torch_utils import threads


class LearningServers(Servers):
    """Servers with a network each, that start from vendors' defaults.

    A server depends on its vendor, the seed of its replica and its number alone, not on how many others there are: bit
    by bit where hidden widths are multiples of 16, else torch's products may differ in the last bit.

    Args:
        vendors: One per server, or one for all; of one schema.
        seeds: One per replica.
        servers: Numbers of the servers within their world.
        groups: Q.

    Attributes:
        schema: Of the parameters.
        steps: Control intervals that were learned from.
    """

    kind: ClassVar[Kind]
    temperature: ClassVar[float]
    """What outputs are divided by to become logits of a policy."""

    replay: Replay

    def __init__(self, vendors: Sequence[Vendor], seeds: Sequence[int], servers: Sequence[int], groups: int) -> None:
        self.schema = same_schema(list(vendors), self.kind)
        super().__init__(len(seeds), len(servers), groups, self.schema.sizes[0])
        if len(vendors) not in (1, len(servers)):
            raise ValueError(
                f"vendors has {len(vendors)} entries; needs one, or one for each of {len(servers)} servers"
            )
        if len(set(servers)) < len(servers):
            raise ValueError(f"servers = {list(servers)}: each number at most once")
        self.vendors = [*vendors] * (len(servers) // len(vendors))
        self.learners = len(seeds) * len(servers)
        self.dtype = vendors[0].parameters.dtype
        self.acting = Draws(seeds, servers, "act")
        self.steps = torch.zeros((), dtype=torch.int64)
        self.row = {"observation": ((self.features,), self.dtype), "action": ((), torch.int32)}
        self.row |= {name: ((), self.dtype) for name in ("reward", "weight")}

    @property
    @abstractmethod
    def networks(self) -> dict[str, Trained]:
        """Everything that is trained, by name; `policy` is the part that is reported."""

    @abstractmethod
    def chosen(self, outputs: Tensor) -> Tensor:
        """Actions with chance in them `[L, Q]`, for outputs `[L, Q, A]`."""

    @abstractmethod
    def learn(self, rows: dict[str, Tensor], following: Tensor) -> dict[str, Tensor]:
        """Remembers an interval, and learns where it is time; diagnostics `[L]`.

        Args:
            rows: `observation` `[L, Q, D]`, `action`, `reward`, `weight` `[L, Q]`.
            following: Next observations. `[L, Q, D]`
        """

    def select(self, observations: ArrayLike, explore: bool = True) -> NDArray[np.int64]:
        """See `Servers`."""
        seen = self._rows("observations", observations, self.features)
        with threads(1), torch.no_grad():
            outputs = forward(self.networks["policy"].layers(), seen)
            actions = self.chosen(outputs) if explore else outputs.argmax(-1)
        return actions.numpy().reshape(self.shape)

    def update(
        self,
        observations: ArrayLike,
        actions: ArrayLike,
        rewards: ArrayLike,
        weights: ArrayLike,
        next_observations: ArrayLike,
    ) -> dict[str, NDArray[np.floating]]:
        """See `Servers`."""
        rows = {
            "observation": self._rows("observations", observations, self.features),
            "action": self._rows("actions", actions).long(),
            "reward": self._rows("rewards", rewards),
            "weight": self._rows("weights", weights),
        }
        following = self._rows("next_observations", next_observations, self.features)
        self._check_rows(rows)
        self.steps += 1
        with threads(1):
            found = self.learn(rows, following)
        return {name: value.detach().numpy().reshape(self.shape[:2]) for name, value in found.items()}

    def parameters(self) -> NDArray[np.floating]:
        """A copy of the parameters as they act `[B, S, P]`."""
        return self.networks["policy"].parameters().numpy().reshape(*self.shape[:2], -1)

    def add_to_last_layer(self, delta: ArrayLike) -> None:
        """Adds a residual to the last layer, and to that of a target network.

        Its negative takes it back: what was learned since stays, and where nothing was, parameters are bit by bit what
        they were before.

        Args:
            delta: Its last row is the bias. `[B, S, hidden + 1, A]`

        Raises:
            ValueError: another shape, not finite, or larger than `agents.lns.network.LARGEST`.
        """
        given, expected = np.asarray(delta), [*self.shape[:2], *self.schema.last_layer]
        if list(given.shape) != expected:
            raise ValueError(f"delta has shape {list(given.shape)}; expected {expected}")
        self.networks["policy"].add(torch.from_numpy(np.array(given)).flatten(0, 1))

    @torch.no_grad()
    def replace_parameters(self, parameters: ArrayLike) -> None:
        """Puts others in the place of what was learned, residuals apart; optimiser and target network stay.

        Args:
            parameters: As they shall act. `[B, S, P]`

        Raises:
            ValueError: another shape, or not finite.
        """
        given, policy = np.asarray(parameters), self.networks["policy"]
        expected = [*self.shape[:2], self.schema.size]
        if list(given.shape) != expected or not np.isfinite(given).all():
            raise ValueError(f"parameters have shape {list(given.shape)}; expected {expected}, finite")
        change = torch.from_numpy(given.copy()).to(self.dtype).flatten(0, 1) - policy.parameters()
        policy.vectors[:, : self.schema.size] += change

    def vendor(self, replica: int, server: int) -> Vendor:
        """What a server has learned, to start others from; `server`: its place, not its number."""
        learner = replica * self.shape[1] + server
        found = {name: network.parameters()[learner].clone() for name, network in self.networks.items()}
        return Vendor(self.schema, found["policy"], found.get("critic"))

    def state_dict(self) -> dict[str, NDArray]:
        """See `Servers`; of the buffers only what is filled."""
        tensors = self._tensors() | {f"replay.{name}": rows for name, rows in self.replay.state().items()}
        arrays = {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}
        return arrays | {"replay": np.array([self.replay.position, self.replay.filled])}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """See `Servers`."""
        own = self.state_dict()
        check_names(state, own)
        position, filled = (int(count) for count in state["replay"])
        for name, expected in own.items():
            given, shape = state[name], list(expected.shape)
            if name.startswith("replay."):
                shape[1] = min(filled, self.replay.capacity)
            if list(given.shape) != shape or given.dtype != expected.dtype:
                raise ValueError(
                    f"state of servers: {name} is {given.dtype} {list(given.shape)}; expected {expected.dtype} {shape}"
                )
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(torch.from_numpy(state[name]))
        rows = {name: torch.from_numpy(state[f"replay.{name}"]) for name in self.replay.state()}
        self.replay.load(rows, position)

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors of constant shape that change, themselves."""
        found = {"steps": self.steps, "acting": self.acting.drawn}
        for name, network in self.networks.items():
            found |= {f"{name}.{part}": tensor for part, tensor in network.tensors().items()}
        return found

    def _starts(self, vectors: Sequence[Tensor]) -> Tensor:
        """Vectors by server, for every learner `[L, ...]`."""
        return torch.stack([*vectors]).repeat(self.shape[0], 1)

    def _check_rows(self, rows: Mapping[str, Tensor]) -> None:
        played, actions = rows["action"], self.schema.sizes[-1]
        wrong = played[(played < 0) | (played >= actions)]
        if len(wrong):
            raise ValueError(f"actions: {int(wrong[0])} is not one of 0 to {actions - 1}")
        if bool((rows["weight"] < 0.0).any()):
            raise ValueError(f"weights: {float(rows['weight'].min()):g}: must be at least 0")

    def _rows(self, name: str, given: ArrayLike, *last: int) -> Tensor:
        """An array `[B, S, Q, *last]` as rows of learners `[L, Q, *last]`."""
        return torch.tensor(self.checked(name, given, *last), dtype=self.dtype).flatten(0, 1)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Of the rows of each learner `[L, M]` -> `[L]`; 0 where no row has weight."""
    total = weights.sum(-1)
    return (values * weights).sum(-1) / torch.where(total > 0.0, total, 1.0)
