"""Records as JSON that every reader takes: null where a number is none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """`value` as JSON, one line end behind it; NaN and infinity become null."""
    return json.dumps(_plain(value), indent=indent, allow_nan=False) + "\n"


def number(value: float | None) -> float:
    """A number that was read from JSON; null was NaN."""
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
