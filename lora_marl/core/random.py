"""Counter-based random numbers: pure functions of (key, node, counter), so nothing depends on the order of calls.

A stream is a 64-bit key made from a seed and a name. A draw hashes key, node and counter with the SplitMix64 finaliser
(Steele, Lea and Flood 2014); a normal draw is the quantile of one uniform draw (Wichura 1988, AS 241), so every kind of
draw costs one hash, and none is rejected.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lora_marl.core.kernel import entry_point

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ONE = np.uint64(1)
_SHIFT_30, _SHIFT_27, _SHIFT_31, _SHIFT_12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)
_ULP = 2.0**-52


_POOL_WORDS = 4


def stream_key(seed: int, name: str) -> np.uint64:
    """The key of the stream `name` of a run seeded with `seed`."""
    return np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1, np.uint64)[0]


def stream_keys(seeds: Sequence[int], names: Sequence[str]) -> NDArray[np.uint64]:
    """The keys `stream_key` of many runs and streams at once, seeds from 0 to 2^64 - 1. `[names, seeds]`

    NumPy's `SeedSequence` takes one seed at a time, and most of the time that a new air of many replicas takes. This is
    its arithmetic on arrays: the words of seed and name are hashed into a pool of four words, these are mixed, and two
    words of output are hashed from them, all modulo 2^32.

    Source: M. E. O'Neill, "Developing a seed_seq alternative", 2015; `numpy.random.SeedSequence`.
    """
    seed = np.array([int(seed) for seed in seeds], np.uint64)[None, :]
    name = np.array([zlib.crc32(name.encode()) for name in names], np.uint32)[:, None]
    low, high = seed.astype(np.uint32), (seed >> np.uint64(32)).astype(np.uint32)
    is_short = high == 0  # a seed of one word; the name is the word behind it
    zero = np.zeros(np.broadcast_shapes(seed.shape, name.shape), np.uint32)
    words = (low + zero, np.where(is_short, name, high), np.where(is_short, zero, name), zero)
    constant = 0x43B0D7E5

    def hashed(word: NDArray[np.uint32], factor: int) -> NDArray[np.uint32]:
        nonlocal constant
        word = word ^ np.uint32(constant)
        constant = constant * factor & 0xFFFFFFFF
        word = word * np.uint32(constant)
        return word ^ (word >> np.uint32(16))

    pool = [hashed(word, 0x931E8875) for word in words]
    for source in range(_POOL_WORDS):
        for target in range(_POOL_WORDS):
            if source != target:
                other = hashed(pool[source], 0x931E8875)
                mixed = pool[target] * np.uint32(0xCA01F9DD) - other * np.uint32(0x4973F715)
                pool[target] = mixed ^ (mixed >> np.uint32(16))
    constant = 0x8B51F9DD
    first, second = (hashed(pool[word], 0x58F38DED).astype(np.uint64) for word in range(2))
    return first | (second << np.uint64(32))


@entry_point()
def mix64(z):
    """SplitMix64's finaliser: a bijection of 64 bits in which every input bit moves every output bit."""
    z = (z ^ (z >> _SHIFT_30)) * _MIX_1
    z = (z ^ (z >> _SHIFT_27)) * _MIX_2
    return z ^ (z >> _SHIFT_31)


@entry_point()
def node_stream(key, node):
    """The part of a node's draws that is the same for all counters."""
    return mix64(key + (np.uint64(node) + _ONE) * _GOLDEN)


@entry_point()
def stream_bits(stream, counter):
    """64 random bits of draw number `counter` of a `node_stream`."""
    return mix64(stream + (np.uint64(counter) + _ONE) * _GOLDEN)


@entry_point()
def bits(key, node, counter):
    """64 random bits of a node's draw number `counter`."""
    return stream_bits(node_stream(key, node), counter)


@entry_point()
def uniform(key, node, counter):
    """A draw from the open interval (0, 1)."""
    return (np.float64(bits(key, node, counter) >> _SHIFT_12) + 0.5) * _ULP


@entry_point()
def exponential(key, node, counter):
    """A draw from the exponential distribution of mean 1."""
    return -np.log(uniform(key, node, counter))


@entry_point()
def draw_index(packet, gateway):
    """The counter of what is drawn per packet and gateway; gateway -1 is what all gateways share."""
    return (np.int64(packet) << np.int64(16)) | np.int64(gateway + 1)


@entry_point()
def _tail_quantile(p, q):
    r = np.sqrt(-np.log(min(p, 1.0 - p)))
    if r <= 5.0:
        r -= 1.6
        top = 7.74545014278341407640e-4
        for a in (2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258, 3.64784832476320460504,
                  5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734):  # fmt: skip
            top = top * r + a
        low = 1.05075007164441684324e-9
        for a in (5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
                  6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1.0):  # fmt: skip
            low = low * r + a
    else:
        r -= 5.0
        top = 2.01033439929228813265e-7
        for a in (2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
                  2.96560571828504891230e-1, 1.78482653991729133580, 5.46378491116411436990,
                  6.65790464350110377720):  # fmt: skip
            top = top * r + a
        low = 2.04426310338993978564e-15
        for a in (1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
                  1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0):  # fmt: skip
            low = low * r + a
    return np.copysign(top / low, q)


@entry_point()
def normal_quantile(p):
    """The standard normal quantile, to about 1e-16. Source: Wichura 1988, algorithm AS 241 (PPND16)."""
    q = p - 0.5
    if abs(q) > 0.425:
        return _tail_quantile(p, q)
    r = 0.180625 - q * q
    top = 2.5090809287301226727e3
    for a in (3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4, 1.3731693765509461125e4,
              1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080):  # fmt: skip
        top = top * r + a
    low = 5.2264952788528545610e3
    for a in (2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4, 5.3941960214247511077e3,
              6.8718700749205790830e2, 4.2313330701600911252e1, 1.0):  # fmt: skip
        low = low * r + a
    return q * top / low


@entry_point()
def normal(key, node, counter):
    """A draw from the standard normal distribution."""
    return normal_quantile(uniform(key, node, counter))
