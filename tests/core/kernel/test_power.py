"""Bounds of received power from the first bits of draws, and what they cost to make."""

import subprocess
import sys

import numpy as np

from lora_marl.core.kernel import power
from lora_marl.core.random import normal_quantile


def test_the_bound_of_each_bin_is_above_its_largest_draw_and_hardly_more():
    largest = np.array([normal_quantile(edge) for edge in power._uniform_edges()[1]])
    excess = power._LARGEST_NORMAL - largest
    assert (excess > 0.5 * power.ROUNDING_DB).all() and (excess < 2.0 * power.ROUNDING_DB).all()


def test_the_air_is_imported_without_compiling():
    code = "import lora_marl.core.air; from lora_marl.core.random import normal_quantile as q; print(len(q.signatures))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
