"""Maps of whole years: which year stands for a period that may lie between them, or after the last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
Interval = tuple[dt.datetime, dt.datetime]


def nearest_year(items: Sequence[tuple[Interval, T]], start: dt.datetime | None, end: dt.datetime | None) -> list[T]:
    """The items of one year: the one whose middle is nearest to the middle of the period.

    One year and not several: where two maps disagree, their mode would be whichever class has the lower number.

    Parameters
    ----------
    items : first and last moment of each, and the item; its year is that of the middle between them, so that a year
        may end where the next begins.
    start, end : the period. Open at the end: the latest year. Open at the start: the year nearest to the end. Of two
        years that are equally near the later is taken, because newer maps of a series are the better ones.
    """
    if not items:
        return []
    years = [_year(*interval) for interval, _ in items]
    if end is None:
        chosen = max(years)
    else:
        target = _middle(start or end, end)
        chosen = min(set(years), key=lambda year: (abs(_middle(*_whole(year)) - target), -year))
    return [item for year, (_, item) in zip(years, items, strict=True) if year == chosen]


def _year(first: dt.datetime, last: dt.datetime) -> int:
    return _middle(first, last).year


def _middle(first: dt.datetime, last: dt.datetime) -> dt.datetime:
    return first + (last - first) / 2


def _whole(year: int) -> Interval:
    return dt.datetime(year, 1, 1, tzinfo=dt.UTC), dt.datetime(year + 1, 1, 1, tzinfo=dt.UTC)
