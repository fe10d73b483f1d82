import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from lora_marl.core.kernel import queue
from lora_marl.core.kernel.state import EVENT


@njit
def replace_first(events, time_s, source):
    """The queue's function as Python may call it."""
    queue.replace_first(events, time_s, source)


TIMES = st.lists(st.floats(0, 100), min_size=1, max_size=20)


@given(first=TIMES, gaps=st.lists(st.tuples(st.sampled_from([0.0, 0.5, 3.0, 40.0]), st.booleans()), max_size=60))
def test_events_come_in_order_of_time_ends_before_starts(first, gaps):
    events = np.zeros((1, len(first)), EVENT)
    queue.fill(events, np.array([first]), np.zeros((1, len(first)), bool))
    pending = {n: (time_s, n) for n, time_s in enumerate(first)}
    for gap, is_end in gaps:
        n = min(pending, key=pending.get)
        assert (events[0, 0]["time_s"], events[0, 0]["source"]) == pending[n]
        pending[n] = (pending[n][0] + gap, ~n if is_end else n)
        replace_first(events[0], *pending[n])
        assert queue.times_by_source(events)[0].tolist() == [pending[k][0] for k in range(len(first))]
