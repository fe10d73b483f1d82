"""What a saved state of the air must be like before compiled code follows it.

`fields` declares every field of every array: what it counts, or what it points into. `consistency` compares arrays with
each other: the event queue, the lists of packets on the air, the decisions that are due. All of it is a few passes of
numpy over the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

from lora_marl.core.kernel.state import State
from lora_marl.core.kernel.tables import Tables
from lora_marl.core.scenario import Scenario
from lora_marl.core.snapshots.consistency import check_consistency
from lora_marl.core.snapshots.fields import check_fields
from lora_marl.core.snapshots.waits import longest_waits_s


def check_state(state: State, fresh: State, tables: Tables, scenarios: Sequence[Scenario]) -> None:
    """Check a state that was read from outside.

    Args:
        state: The state.
        fresh: One of an air with the same seeds.
        tables: Of the scenario at the state's time.
        scenarios: The scenario at first, and after each change that has been made.

    Raises:
        ValueError: a number outside its range, or arrays that contradict each other.
    """
    check_fields(state, fresh, tables)
    check_consistency(state, tables, longest_waits_s(scenarios))
