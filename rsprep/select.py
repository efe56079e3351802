"""Which finished chips are kept: enough clear pixels, little cloud, and no more of a class than wanted.

Nothing here depends on the order in which chips were finished: quotas are filled in the order of a
hash of the chip's name, so the same chips win whatever the number of workers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from rsprep.config import Select


def select(candidates: Iterable[Mapping[str, Any]], settings: Select, *, seed: int = 0) -> dict[str, str]:
    """Chips that are not kept, each with the reason.

    Parameters
    ----------
    candidates : one record a chip with ``chip_id``, ``valid_fraction``, ``s2_cloud_fraction`` (0 to 1; None or NaN
        when the layer is absent) and ``class_shares`` (class to share of the labelled pixels; None or
        empty when nothing is labelled).
    settings : limits and quotas.
    seed : changes which chips fill a quota.

    Returns
    -------
    dict : chip id to reason, in the order of the ids. Chips that are not named are kept.
    """
    reasons: dict[str, str] = {}
    left = dict(settings.quotas)
    for record in sorted(candidates, key=lambda record: _rank(record["chip_id"], seed)):
        reason = _limit_reason(record, settings) or _quota_reason(record, left, settings)
        if reason:
            reasons[record["chip_id"]] = reason
    return dict(sorted(reasons.items()))


def dominant_class(shares: Mapping[int, float] | None) -> int | None:
    """Class with the largest share, the lowest number on a tie; None when nothing is labelled."""
    labelled = {number: share for number, share in (shares or {}).items() if share > 0}
    return min(labelled, key=lambda number: (-labelled[number], number)) if labelled else None


def _rank(chip_id: str, seed: int) -> tuple[bytes, str]:
    return hashlib.blake2b(f"{seed}/{chip_id}".encode(), digest_size=8).digest(), chip_id


def _limit_reason(record: Mapping[str, Any], settings: Select) -> str | None:
    valid, cloud = record["valid_fraction"], record["s2_cloud_fraction"]
    if settings.min_valid > 0:
        if _unknown(valid):
            return f"valid fraction is unknown, {_limit(settings.min_valid)} is asked for"
        if valid < settings.min_valid:
            return f"valid {_shown(valid, settings.min_valid)} < {_limit(settings.min_valid)}"
    if settings.max_cloud < 1:
        if _unknown(cloud):
            return f"cloud fraction is unknown, at most {_limit(settings.max_cloud)} is asked for"
        if cloud > settings.max_cloud:
            return f"cloud {_shown(cloud, settings.max_cloud)} > {_limit(settings.max_cloud)}"
    return None


def _quota_reason(record: Mapping[str, Any], left: dict[int, int], settings: Select) -> str | None:
    if not settings.quotas:
        return None
    largest = dominant_class(record["class_shares"])
    if largest is None:
        return "no land-cover labels, so it fills no quota"
    if largest not in left:
        return None  # a class without a quota is not limited
    if left[largest] == 0:
        return f"quota of class {largest} is full ({settings.quotas[largest]})"
    left[largest] -= 1
    return None


def _limit(limit: float) -> str:
    return f"{limit:.2f}" if round(limit, 2) == limit else f"{limit:g}"


def _shown(value: float, limit: float) -> str:
    """Two decimals, or as many as it takes to differ from the limit."""
    digits = next((n for n in (2, 4, 6) if round(value, n) != round(limit, n)), 9)
    return f"{value:.{digits}f}"


def _unknown(value: float | None) -> bool:
    return value is None or math.isnan(value)
