"""Named tuples of arrays that compiled functions read by their address.

The loop needs fifty arrays. Passed one by one, they cost Python 11 us at every call, and the compiler 430 arguments at
every inner one. A `Handle` writes where they lie into one block of memory; compiled functions take its address, and
`at(State, address)` gives them what looks like the named tuple: `state.nodes` is the array.

A class of named tuples has one layout, the types and dimensions of its first handle: compiled functions are made for
it, so that no function is compiled for two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import from_dtype, types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model
from numpy.typing import NDArray

NamedArrays = TypeVar("NamedArrays")

_WORDS_BEFORE_SHAPE = 3
"""Of an array in a handle: elements, bytes of one, address; then shape and strides, a word for each dimension."""


class Arrays(types.Type):
    """The compiler's type of the arrays of a class of named tuples.

    Args:
        cls: The class.
        layout: Type and number of dimensions of each field, in their order.
    """

    def __init__(self, cls: type, layout: tuple[tuple[np.dtype, int], ...]) -> None:
        super().__init__(name=f"Arrays({cls.__module__}.{cls.__qualname__})")
        self.layout = layout
        self.fields: dict[str, tuple[types.Array, int]] = {}  # with the place of its first word
        place = 0
        for name, (dtype, ndim) in zip(cls._fields, layout, strict=True):  # type: ignore[attr-defined]
            self.fields[name] = types.Array(from_dtype(dtype), ndim, "C"), place
            place += _WORDS_BEFORE_SHAPE + 2 * ndim


_TYPES: dict[type, Arrays] = {}


class Handle:
    """The arrays of a named tuple, kept alive, and the address by which compiled functions find them.

    Args:
        arrays: A named tuple of arrays, contiguous in C's order.

    Attributes:
        arrays: The named tuple.
        address: Valid as long as the handle lives.

    Raises:
        TypeError: an array is not contiguous, or its type or dimensions are not those of its field.
    """

    __slots__ = ("_words", "address", "arrays")

    def __init__(self, arrays: Any) -> None:
        layout = tuple((array.dtype, array.ndim) for array in arrays)
        if type(arrays) not in _TYPES:
            _TYPES[type(arrays)] = Arrays(type(arrays), layout)
        for name, array, field in zip(arrays._fields, arrays, _TYPES[type(arrays)].layout, strict=True):
            if (array.dtype, array.ndim) != field or not array.flags.c_contiguous:
                raise TypeError(f"{name}: {array.dtype} {array.shape}; expected {field}, contiguous")
        self.arrays = arrays
        self._words = np.array([word for array in arrays for word in _words(array)], np.int64)
        self.address: int = self._words.ctypes.data

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy has arrays of its own, at other addresses."""
        return Handle, (self.arrays,)


def _words(array: NDArray[Any]) -> tuple[int, ...]:
    return (array.size, array.itemsize, array.__array_interface__["data"][0], *array.shape, *array.strides)


@intrinsic
def _at(_typing_context, cls, _address):
    arrays = _TYPES[cls.instance_class]

    def codegen(_context, builder, _signature, args):
        return builder.inttoptr(args[1], cgutils.voidptr_t)

    return arrays(cls, types.int64), codegen


at: Callable[[type[NamedArrays], int], NamedArrays] = _at  # type: ignore[assignment]
"""The arrays of a class of named tuples whose handle has this address; in compiled functions only."""

register_model(Arrays)(models.OpaqueModel)


@infer_getattr
class _Fields(AttributeTemplate):
    key = Arrays

    def generic_resolve(self, arrays, name):  # type: ignore[override]
        return arrays.fields[name][0] if name in arrays.fields else None


@lower_getattr_generic(Arrays)
def _load_field(context, builder, arrays, address, name):
    """Load what the compiler knows an array by. Handles never change, so that nothing need be loaded twice."""
    kind, place = arrays.fields[name]
    words = builder.bitcast(address, cgutils.intp_t.as_pointer())
    invariant = builder.module.add_metadata([])

    def load(offset):
        word = builder.load(cgutils.gep_inbounds(builder, words, place + offset))
        word.set_metadata("invariant.load", invariant)
        return word

    array = cgutils.create_struct_proxy(kind)(context, builder)
    array.nitems, array.itemsize = load(0), load(1)
    array.data = builder.inttoptr(load(2), array.data.type)
    dimensions = [load(_WORDS_BEFORE_SHAPE + axis) for axis in range(2 * kind.ndim)]
    array.shape = cgutils.pack_array(builder, dimensions[: kind.ndim])
    array.strides = cgutils.pack_array(builder, dimensions[kind.ndim :])
    array.meminfo = cgutils.get_null_value(array.meminfo.type)
    array.parent = cgutils.get_null_value(array.parent.type)
    return array._getvalue()
