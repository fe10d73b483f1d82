"""Times of events, in seconds since 1970 (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lora_marl.logs.rows import BadEvent

_MILLISECONDS_FROM = 1e11
"""A number from here on is in milliseconds: as seconds it would be after the year 5100."""


def time_s(value: Any) -> float:
    """The time of a text (ISO 8601) or number (seconds or milliseconds). s

    Raises:
        BadEvent: it is none.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise BadEvent(f"{value!r:.60} is no time (ISO 8601)") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1e3 if value > _MILLISECONDS_FROM else float(value)
    raise BadEvent(f"{value!r:.60} is no time")
