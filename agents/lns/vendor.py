"""A vendor's default: what all servers of a product have learned when they are put into service, as one file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from agents.lns.network import Schema, initial
from agents.tensor_files import FILE_ERRORS
from lora_marl.core.files import one_line, write_atomically

FORMAT = "lns-vendor-1"


@dataclass(frozen=True)
class Vendor:
    """The parameters that a server starts from.

    Attributes:
        schema: Describes the parameters.
        parameters: Parameters of the policy or of the action values, which a server reports. `[P]`
        critic: Parameters of a policy's critic, which keeps learning but is never reported; None with action values.
            Without it a server in service would at first reinforce whatever it does.

    Raises:
        ValueError: parameters that do not fit the schema or are not finite, or a policy without a critic.
    """

    schema: Schema
    parameters: Tensor
    critic: Tensor | None = None

    def __post_init__(self) -> None:
        if self.schema.kind == "pg" and self.critic is None:
            raise ValueError("critic = None: a vendor of kind pg needs one")
        for name, vector, size in (
            ("parameters", self.parameters, self.schema.size),
            ("critic", self.critic, critic_schema(self.schema).size),
        ):
            if vector is None:
                continue
            if not vector.is_floating_point():
                raise ValueError(f"{name} is {vector.dtype}; expected floating-point numbers")
            if list(vector.shape) != [size] or not bool(vector.isfinite().all()):
                raise ValueError(f"{name} has shape {list(vector.shape)}; expected [{size}], finite")


def fresh_vendor(schema: Schema, seed: int) -> Vendor:
    """Returns a vendor that has learned nothing yet."""
    of_policy, of_critic = (np.random.default_rng([seed, part]) for part in range(2))
    critic = initial(critic_schema(schema), [of_critic])[0] if schema.kind == "pg" else None
    return Vendor(schema, initial(schema, [of_policy])[0], critic)


def critic_schema(schema: Schema) -> Schema:
    """Returns the schema of a policy's critic: the same hidden layers, and one value as output."""
    return Schema((*schema.sizes[:-1], 1), schema.kind)


def save_vendor(path: Path, vendor: Vendor) -> None:
    """Writes a vendor to a safetensors file, whole or not at all."""
    config = {"format": FORMAT, "sizes": vendor.schema.sizes, "kind": vendor.schema.kind}
    tensors = {"parameters": vendor.parameters, "critic": vendor.critic}
    copies = {name: tensor.clone() for name, tensor in tensors.items() if tensor is not None}
    write_atomically(path, save(copies, metadata={"config": json.dumps(config)}))


def load_vendor(path: Path) -> Vendor:
    """Returns the vendor in a file.

    Raises:
        ValueError: no such file, one that is truncated or damaged, or not of this kind, naming it.
    """
    try:
        with safe_open(path, framework="pt") as file:
            config = json.loads((file.metadata() or {})["config"])
            if config["format"] != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            schema = Schema(tuple(config["sizes"]), config["kind"])
            critic = file.get_tensor("critic") if "critic" in file.keys() else None  # noqa: SIM118 (not a mapping)
            return Vendor(schema, file.get_tensor("parameters"), critic)
    except FILE_ERRORS as error:
        raise ValueError(f"{path}: no snapshot of a vendor, or a damaged one ({one_line(error)})") from None


def same_schema(vendors: list[Vendor], kind: str) -> Schema:
    """Returns the schema that all vendors share.

    Raises:
        ValueError: none, another kind, or different sizes.
    """
    schemas = {vendor.schema for vendor in vendors}
    if len(schemas) != 1 or vendors[0].schema.kind != kind:
        names = ", ".join(sorted(map(str, schemas))) or "none"
        raise ValueError(f"vendors: need one schema of kind {kind} for all; given {names}")
    return vendors[0].schema
