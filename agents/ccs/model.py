"""The trained part of the service: from the view of all networks to a message for each; letters in `agents.ccs.layout`.

A message is the wanted shift of a network's logits on the probes, after the conflict gate. `agents.ccs.round` makes
residuals of messages.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from agents.ccs.hypernetwork import ENCODERS, Hypernetwork, RawHypernetwork, behaviour
from agents.ccs.layout import Layout, View
from agents.ccs.safeguards import check_ramp
from agents.lns.network import Schema
from agents.tensor_files import FILE_ERRORS
from lora_marl.core.checks import check_finite
from lora_marl.core.files import one_line

RIDGE = 0.2
"""Ridge of the pull-back, relative to the mean diagonal of the matrix that is inverted."""

FORMAT = "ccs-4"
"""Format of a coordinator's file."""

MAPPINGS = ("behaviour", "raw")
CODE_SCOPES = ("network", "group", "none")
"""Values of `Design.mapping` and of `Design.code_scope`."""


@dataclass(frozen=True)
class Design:
    """The choices that are made before training.

    Its `repr` is stored in settings of trainings and in services, so that the names here are data.

    Attributes:
        mapping: `behaviour`: behaviour on probes to shifts of logits, which are pulled back to the last layer; or
            `raw`: flattened weights to a residual of the last layer, the plain hypernetwork of the paper's words, for
            networks of the default schema only.
        encoder: `shared` by channels, or `flat` as in the study.
        channel_embedding: Numbers of a learned embedding of channels; 4 in the study, 0: none.
        width: Width of the hidden layers of the head that scores channels.
        ring: Whether channels are known by their angle on a ring, on which networks have places, and exchange messages
            around it.
        spread: How far the groups of a network stand apart on it (`agents.ccs.ring.group_places`), from 0, all at its
            place, to 2, where the arcs of two networks fill the ring; read where codes are of networks.
        code_scope: Whether a code is of a `network` or of each `group` of it; `none`: all codes are 0.
        gate: Overlap at which coordination begins, and how much more it takes until it is full; None: no gate.
        ridge: Ridge of the pull-back, relative; see `RIDGE`.
        fade: Share of the residuals in force that a network takes back before every round, so that none outlives by
            long the report that it answered; 0: residuals stay.
        layout: Layout of observations and actions.

    Raises:
        ValueError: a value outside its range, naming it.
    """

    mapping: str = "behaviour"
    encoder: str = "shared"
    channel_embedding: int = 0
    width: int = 64
    ring: bool = True
    spread: float = 2.0
    code_scope: str = "network"
    gate: tuple[float, float] | None = (0.02, 0.18)
    ridge: float = RIDGE
    fade: float = 0.1
    layout: Layout = field(default_factory=Layout)

    def __post_init__(self) -> None:
        for name, allowed in (("mapping", MAPPINGS), ("encoder", tuple(ENCODERS)), ("code_scope", CODE_SCOPES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} = {getattr(self, name)!r}: expected one of {', '.join(allowed)}")
        for name, least in (("width", 1), ("channel_embedding", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least {least}")
        if not 0.0 < self.ridge < math.inf:
            raise ValueError(f"ridge = {self.ridge}: must be finite and above 0")
        if not 0.0 <= self.spread <= 2.0:
            raise ValueError(f"spread = {self.spread}: must be from 0 to 2")
        if not 0.0 <= self.fade <= 1.0:
            raise ValueError(f"fade = {self.fade}: must be from 0 to 1")
        check_ramp("gate", self.gate)

    @property
    def codes_per_network(self) -> int:
        """How many codes a network has."""
        return self.layout.groups if self.code_scope == "group" else 1


class Coordinator(nn.Module):
    """Hypernetwork, probes and gate.

    Args:
        probes: Public probe observations, group by group of each pattern. `[n, D]`
        design: The choices made before training; None: the defaults.
        seed: Seed of the first weights.

    Attributes:
        made: Settings of its training by name, where its file has them.

    Raises:
        ValueError: probes of another shape.
    """

    probes: Tensor

    def __init__(self, probes: Tensor, design: Design | None = None, seed: int = 0) -> None:
        super().__init__()
        self.design, self.made = design or Design(), dict[str, str]()
        self.layout = self.design.layout
        if probes.dim() != 2 or probes.shape[1] != self.layout.features or len(probes) % self.layout.groups:
            raise ValueError(f"probes have shape {list(probes.shape)}; expected [patterns * groups, features]")
        self.register_buffer("probes", probes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.hypernetwork = self._hypernetwork()

    def _hypernetwork(self) -> Hypernetwork | RawHypernetwork:
        if self.design.mapping == "raw":
            return RawHypernetwork(Schema())
        design = self.design
        return Hypernetwork(
            self.layout,
            len(self.probes),
            design.encoder,
            channel_embedding=design.channel_embedding,
            width=design.width,
            ring=design.ring,
            spread=design.spread if design.code_scope == "network" else 0.0,
        )

    def forward(self, view: View) -> Tensor:
        """Messages of a round.

        Returns:
            Wanted shifts of logits `[M, S, n, A]`; of the raw mapping residuals relative to the norm of the layer
            `[M, S, H, A]`.

        Source: the CCS paper, Eq. (2).
        """
        seen = behaviour(view, self.layout)
        if self.design.code_scope == "none":
            view = view._replace(codes=torch.zeros_like(view.codes))
        message = self.hypernetwork(view, seen, self.probes)
        return message if self.design.gate is None else message * self.gate(seen.overlap)[..., None, None]

    def gate(self, overlap: Tensor) -> Tensor:
        """The conflict gate, from 0 to 1, of overlaps of any shape."""
        begin, width = self.design.gate or (-1.0, 1.0)
        return ((overlap - begin) / width).clamp(0.0, 1.0)

    def save(self, path: Path) -> None:
        """Writes weights, probes, design and settings of the training as safetensors."""
        # One entry: the order of several is not the same in every file.
        config = json.dumps({"format": FORMAT, "design": asdict(self.design), "made": self.made})
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        save_file(tensors, path, {"config": config})

    @classmethod
    def load(cls, path: Path) -> Coordinator:
        """Reads what `save` wrote, frozen.

        Raises:
            ValueError: no such file, or not of this kind, naming it.
        """
        try:
            with safe_open(path, framework="pt") as file:
                config = json.loads((file.metadata() or {})["config"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            if config["format"] != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            design = config["design"]
            gate = None if design["gate"] is None else tuple(design["gate"])
            design = Design(**design | {"gate": gate, "layout": Layout(**design["layout"])})
            with torch.device("meta"):  # shapes alone: a false design could ask for any memory
                _check_shapes(cls(torch.empty(tensors["probes"].shape), design), tensors)
            for name, tensor in tensors.items():
                check_finite(name, tensor)
            coordinator = cls(tensors["probes"], design)
            coordinator.load_state_dict(tensors)
            coordinator.made = dict(config.get("made", {}))
        except FILE_ERRORS as error:
            raise ValueError(f"{path}: no coordinator, or a damaged one ({one_line(error)})") from None
        return coordinator.requires_grad_(False).eval()


def _check_shapes(coordinator: Coordinator, tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless the tensors are those of a coordinator, by name, shape and type."""
    expected = coordinator.state_dict()
    for name in sorted(set(expected) ^ set(tensors)):
        raise ValueError(f"{name} is {'missing' if name in expected else 'unknown'}")
    for name, tensor in expected.items():
        actual = tensors[name]
        if (actual.shape, actual.dtype) != (tensor.shape, tensor.dtype):
            shapes = f"{actual.dtype} {list(actual.shape)}; its design needs {tensor.dtype} {list(tensor.shape)}"
            raise ValueError(f"{name} is {shapes}")
