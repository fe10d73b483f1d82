import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lora_marl.core.kernel import heap
from lora_marl.core.kernel.state import EVENT

TIMES = st.lists(st.floats(0, 100), min_size=1, max_size=20)


@given(first=TIMES, gaps=st.lists(st.sampled_from([0.0, 0.5, 3.0, 40.0]), max_size=60))
def test_events_come_in_order_of_time_and_then_of_source(first, gaps):
    events = np.zeros((1, len(first)), EVENT)
    heap.fill(events, np.array([first]))
    pending = dict(enumerate(first))
    for gap in gaps:
        source = min(pending, key=lambda s: (pending[s], s))
        assert (events[0, 0]["time_s"], events[0, 0]["source"]) == (pending[source], source)
        pending[source] += gap
        heap.replace_first(events[0], pending[source])
        assert heap.times_by_source(events)[0].tolist() == [pending[s] for s in range(len(first))]
