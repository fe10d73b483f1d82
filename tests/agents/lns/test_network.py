"""The network of a server, and its parameters as one vector."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.lns.network import Schema, flatten, forward, hidden, initial, last_layer_of, unflatten


def networks(schema: Schema, count: int = 1) -> torch.Tensor:
    return initial(schema, [np.random.default_rng(seed) for seed in range(count)])


def test_sizes_of_the_paper() -> None:
    assert Schema().size == 27_952  # 112 kB of float32


@given(st.lists(st.integers(1, 6), min_size=3, max_size=5), st.lists(st.integers(1, 3), max_size=2))
def test_flat_and_back(sizes: list[int], leading: list[int]) -> None:
    schema = Schema(tuple(sizes))
    vector = torch.arange(float(np.prod(leading)) * schema.size).reshape(*leading, schema.size)
    layers = unflatten(vector, schema)
    assert [w.shape for w in layers.weights] == [(*leading, i, o) for i, o in zip(sizes[:-1], sizes[1:])]
    assert torch.equal(flatten(layers), vector)


def test_the_last_layer_is_the_end_of_the_vector() -> None:
    schema = Schema((2, 3, 4))
    vector = torch.arange(float(schema.size))
    rows, columns = schema.last_layer
    end = vector[-rows * columns :].reshape(rows, columns)
    layers, last = unflatten(vector, schema), last_layer_of(vector, schema)
    assert torch.equal(last, end)
    assert torch.equal(last[:-1], layers.weights[-1])
    assert torch.equal(last[-1], layers.biases[-1])
    last_layer_of(vector.numpy(), schema)[...] += 1.0  # a view of arrays and tensors
    assert torch.equal(last, end) and last[0, 0] == 10.0


def test_layers_are_views() -> None:
    vector = networks(Schema((2, 3, 4)))
    unflatten(vector, Schema((2, 3, 4))).biases[-1].fill_(7.0)
    assert (vector[:, -4:] == 7.0).all()


def test_forward_by_hand() -> None:
    vector = torch.tensor([1.0, -1.0, 0.5, 2.0, 10.0, 20.0, 3.0])  # 1 -> 2 -> 1
    layers = unflatten(vector, Schema((1, 2, 1)))
    x = torch.tensor([[2.0], [-1.0]])
    assert hidden(layers, x).tolist() == [[2.5, 0.0], [0.0, 3.0]]
    assert forward(layers, x).tolist() == [[28.0], [63.0]]


def test_leading_axes_are_networks_of_their_own() -> None:
    schema = Schema((3, 5, 4, 2))
    vector = networks(schema, 6).reshape(2, 3, -1)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 7, 3))).float()
    together = forward(unflatten(vector, schema), x)
    flat = forward(unflatten(vector.flatten(0, 1), schema), x.flatten(0, 1))
    torch.testing.assert_close(flat.unflatten(0, (2, 3)), together)
    torch.testing.assert_close(forward(unflatten(vector[1, 2], schema), x[1, 2]), together[1, 2])
    torch.testing.assert_close(forward(unflatten(vector, schema), x[0, 0])[0, 0], together[0, 0])


def test_initial_scale() -> None:
    layers = unflatten(networks(Schema(), 2), Schema())
    for weight, expected in zip(layers.weights, (np.sqrt(2 / 40), np.sqrt(2 / 128), 0.1 * np.sqrt(2 / 128))):
        assert weight.std().item() == pytest.approx(expected, rel=0.02)
    assert all((bias == 0.0).all() for bias in layers.biases)
    assert torch.equal(networks(Schema(), 2)[0], networks(Schema())[0])  # others do not matter


def test_errors_name_the_field() -> None:
    with pytest.raises(ValueError, match=r"sizes = \(40, 48\): needs observation, hidden"):
        Schema((40, 48))
    with pytest.raises(ValueError, match=r"kind = 'sac': expected one of dqn, pg"):
        Schema(kind="sac")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"vector has 3 parameters; .* has 27952"):
        unflatten(torch.zeros(3), Schema())
