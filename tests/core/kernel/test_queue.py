import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from lora_marl.core.kernel import queue
from lora_marl.core.kernel.queue import Queue


@njit
def schedule(of_replicas, b, place, time_s, is_end):
    """The queue's function as Python may call it."""
    queue.schedule(of_replicas, b, place, time_s, is_end)


TIMES = st.lists(st.floats(0, 100), min_size=1, max_size=20)


def first(events: Queue, b: int) -> tuple[float, int]:
    place = events.winners[b, 1]
    return float(events.events["time_s"][b, place]), int(events.events["source"][b, place])


@given(starts=TIMES, gaps=st.lists(st.tuples(st.sampled_from([0.0, 0.5, 3.0, 40.0]), st.booleans()), max_size=60))
def test_events_come_in_order_of_time_ends_before_starts(starts, gaps):
    events = queue.allocate(2, len(starts))
    queue.fill(events, np.array([starts, starts[::-1]]), np.zeros((2, len(starts)), bool))
    pending = {n: (time_s, n) for n, time_s in enumerate(starts)}
    for gap, is_end in gaps:
        n = min(pending, key=pending.get)
        assert first(events, 0) == pending[n]
        pending[n] = (pending[n][0] + gap, ~n if is_end else n)
        schedule(events, 0, n, pending[n][0], is_end)
        assert events.events["time_s"][0].tolist() == [pending[k][0] for k in range(len(starts))]
    assert first(events, 1)[0] == min(starts)


@given(times=TIMES, ends=st.lists(st.booleans(), min_size=20, max_size=20))
def test_a_queue_that_is_filled_from_events_in_order_is_the_same(times, ends):
    ends = ends[: len(times)]
    events, again = queue.allocate(1, len(times)), queue.allocate(1, len(times))
    queue.fill(events, np.array([times]), np.array([ends]))
    ordered = queue.in_order(events)[0]
    keys = list(zip(ordered["time_s"].tolist(), ordered["source"].tolist(), strict=True))
    assert keys == sorted(keys) and first(events, 0) == keys[0]
    queue.fill(again, queue.times_by_source(ordered[None]), np.array([ends]))
    assert (again.events == events.events).all() and (again.winners == events.winners).all()
