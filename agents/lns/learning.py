"""The base of all learning servers: parameters to report, residuals, state; `L` = B S learners."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from agents.draws import Draws
from agents.lns.network import Kind, TrainedNetworks, forward
from agents.lns.replay import Replay
from agents.lns.servers import Servers, check_names
from agents.lns.vendor import Vendor, same_schema
from agents.torch_utils import threads
from lora_marl.core.states import with_prefix


class LearningServers(Servers):
    """Servers with one network each, which start from vendors' defaults.

    What a server learns depends on its vendor, the seed of its replica and its number only, not on how many others
    there are: bit by bit where hidden widths are multiples of 16; otherwise torch's products may differ in the last
    bit.

    Args:
        vendors: One per server, or one for all; all of the same schema.
        seeds: One per replica.
        servers: Numbers of the servers within their world.
        groups: Q.

    Attributes:
        schema: Describes the parameters.
        networks: All trained networks, by name; `policy` is the one that is reported.
        vendors: One per server.
        steps: Control intervals learned from so far.

    Raises:
        ValueError: unlike schemas, another number of vendors than of servers, or a number that occurs twice.
    """

    kind: ClassVar[Kind]
    temperature: ClassVar[float]
    """Divides outputs, which makes them the logits of a policy."""

    networks: dict[str, TrainedNetworks]
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

    @abstractmethod
    def explore(self, outputs: Tensor) -> Tensor:
        """Returns actions in whose choice chance has a part. `[L, Q]`

        Args:
            outputs: Outputs of the networks. `[L, Q, A]`
        """

    @abstractmethod
    def learn(self, rows: dict[str, Tensor], next_observations: Tensor) -> dict[str, Tensor]:
        """Stores an interval, updates when it is time, and returns diagnostics by name. `[L]` each

        Args:
            rows: `observation` `[L, Q, D]`, `action`, `reward`, `weight` `[L, Q]`.
            next_observations: `[L, Q, D]`
        """

    def select(self, observations: ArrayLike, explore: bool = True) -> NDArray[np.int64]:
        """Returns the actions of all groups; see `Servers.select`. `[B, S, Q]`"""
        rows = self._rows("observations", observations, self.features)
        with threads(1), torch.no_grad():
            outputs = forward(self.networks["policy"].layers(), rows)
            actions = self.explore(outputs) if explore else outputs.argmax(-1)
        return actions.numpy().reshape(self.shape)

    def update(
        self,
        observations: ArrayLike,
        actions: ArrayLike,
        rewards: ArrayLike,
        weights: ArrayLike,
        next_observations: ArrayLike,
    ) -> dict[str, NDArray[np.floating]]:
        """Learns from a control interval and returns diagnostics; see `Servers.update`. `[B, S]` each"""
        rows = {
            "observation": self._rows("observations", observations, self.features),
            "action": self._rows("actions", actions).long(),
            "reward": self._rows("rewards", rewards),
            "weight": self._rows("weights", weights),
        }
        next_rows = self._rows("next_observations", next_observations, self.features)
        self._check_rows(rows)
        self.steps += 1
        with threads(1):
            diagnostics = self.learn(rows, next_rows)
        return {name: value.detach().numpy().reshape(self.shape[:2]) for name, value in diagnostics.items()}

    def parameters(self) -> NDArray[np.floating]:
        """Returns a copy of the parameters in force, residuals included. `[B, S, P]`"""
        return self.networks["policy"].parameters().numpy().reshape(*self.shape[:2], -1)

    def add_to_last_layer(self, delta: ArrayLike) -> None:
        """Adds a residual to the last layer of each network, and of its target network.

        Adding its negative removes it: what was learned since stays; if nothing was, the parameters are bit by bit what
        they were before.

        Args:
            delta: Residuals; the last row is added to the bias. `[B, S, hidden + 1, A]`

        Raises:
            ValueError: another shape, not finite, or larger than `agents.lns.network.LARGEST`.
        """
        residuals, expected = np.array(delta), [*self.shape[:2], *self.schema.last_layer]
        if list(residuals.shape) != expected:
            raise ValueError(f"delta has shape {list(residuals.shape)}; expected {expected}")
        self.networks["policy"].add(torch.from_numpy(residuals).flatten(0, 1))

    @torch.no_grad()
    def replace_parameters(self, parameters: ArrayLike) -> None:
        """Replaces what was learned; residuals, optimiser and target network stay as they are.

        Args:
            parameters: Those to be in force, residuals included. `[B, S, P]`

        Raises:
            ValueError: another shape, or not finite.
        """
        vectors, policy = np.array(parameters), self.networks["policy"]
        expected = [*self.shape[:2], self.schema.size]
        if list(vectors.shape) != expected or not np.isfinite(vectors).all():
            raise ValueError(f"parameters have shape {list(vectors.shape)}; expected {expected}, finite")
        change = torch.from_numpy(vectors).to(self.dtype).flatten(0, 1) - policy.parameters()
        policy.vectors[:, : self.schema.size] += change

    def vendor(self, replica: int, server: int) -> Vendor:
        """Returns what a server has learned, for others to start from.

        Args:
            replica: Its replica.
            server: Its place among the servers, not its number.
        """
        learner = replica * self.shape[1] + server
        parameters = {name: network.parameters()[learner].clone() for name, network in self.networks.items()}
        return Vendor(self.schema, parameters["policy"], parameters.get("critic"))

    def state_dict(self) -> dict[str, NDArray]:
        """Returns a copy of everything that changes; of the buffers only what is filled."""
        tensors = self._tensors() | with_prefix("replay", self.replay.state())
        arrays = {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}
        return arrays | {"replay": np.array([self.replay.position, self.replay.filled])}

    def load_state_dict(self, state: Mapping[str, NDArray]) -> None:
        """Continues from a state; see `Servers.load_state_dict`."""
        present = self.state_dict()
        check_names(state, present)
        position, filled = (int(count) for count in state["replay"])
        for name, expected in present.items():
            array, shape = state[name], list(expected.shape)
            if name.startswith("replay."):
                shape[1] = min(filled, self.replay.capacity)
            if list(array.shape) != shape or array.dtype != expected.dtype:
                raise ValueError(
                    f"state of servers: {name} is {array.dtype} {list(array.shape)}; expected {expected.dtype} {shape}"
                )
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(torch.from_numpy(state[name]))
        rows = {name: torch.from_numpy(state[f"replay.{name}"]) for name in self.replay.state()}
        self.replay.load(rows, position)

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors that change and whose shape is constant, not copied, by name."""
        tensors = {"steps": self.steps, "acting": torch.from_numpy(self.acting.drawn)}
        for name, network in self.networks.items():
            tensors |= with_prefix(name, network.tensors())
        return tensors

    def _starts(self, vectors: Sequence[Tensor]) -> Tensor:
        """The vectors of all learners `[L, ...]`, of one vector per server."""
        return torch.stack([*vectors]).repeat(self.shape[0], 1)

    def _check_rows(self, rows: Mapping[str, Tensor]) -> None:
        """Raises ValueError for an unknown action or a negative weight."""
        actions, count = rows["action"], self.schema.sizes[-1]
        wrong = actions[(actions < 0) | (actions >= count)]
        if len(wrong):
            raise ValueError(f"actions: {int(wrong[0])} is not one of 0 to {count - 1}")
        if bool((rows["weight"] < 0.0).any()):
            raise ValueError(f"weights: {float(rows['weight'].min()):g}: must be at least 0")

    def _rows(self, name: str, values: ArrayLike, *last: int) -> Tensor:
        """Values `[B, S, Q, *last]` as rows of learners `[L, Q, *last]`."""
        return torch.tensor(self.checked(name, values, *last), dtype=self.dtype).flatten(0, 1)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Returns the weighted mean over the rows of each learner; 0 where no row has a weight.

    Args:
        values, weights: `[L, M]`

    Returns:
        `[L]`
    """
    total = weights.sum(-1)
    return (values * weights).sum(-1) / torch.where(total > 0.0, total, 1.0)
