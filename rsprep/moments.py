"""Moments as people write them, read as UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rsprep.errors import TimeError

REMEDY = "write 2021-06-01 or 2021-06-01T10:00:00Z"


def parse_moment(value: Any, *, is_end: bool) -> dt.datetime | None:
    """Read a date or datetime as UTC.

    A bare date means its first moment, or its last when it ends a window. A datetime without a zone
    is refused: local time would silently shift the window.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = (
                dt.date.fromisoformat(value)
                if len(value) <= 10
                else dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
            )
        except ValueError as error:
            raise TimeError("unreadable", f"not a date ({error})", value=value, remedy=REMEDY) from None
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise TimeError(
                "naive",
                "the time has no zone",
                value=value.isoformat(),
                remedy="add Z for UTC, as in 2021-06-01T10:00:00Z",
            )
        try:
            return value.astimezone(dt.UTC)
        except OverflowError:
            raise TimeError("unreadable", "not a date of UTC", value=value.isoformat(), remedy=REMEDY) from None
    if isinstance(value, dt.date):
        moment = dt.time.max if is_end else dt.time.min
        return dt.datetime.combine(value, moment, tzinfo=dt.UTC)
    raise TimeError("unreadable", "a date is wanted, and this is none", value=value, remedy=REMEDY)


def check_order(start: dt.datetime | None, end: dt.datetime | None) -> None:
    """Refuse a time window that ends before it starts: TimeError ``reversed``."""
    if start is not None and end is not None and start > end:
        raise TimeError(
            "reversed",
            "the time window ends before it starts",
            value=f"{start.isoformat()} .. {end.isoformat()}",
            remedy="swap --start and --end",
        )
