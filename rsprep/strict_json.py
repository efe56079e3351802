"""JSON from strangers: bounded in size, in parts and in depth before it becomes objects, which take far more memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

MOST_BYTES = 32 * 2**20
"""Largest document: pages of a search, which are the largest, take a few MB."""
MOST_PARTS = 2_000_000
"""Most objects and lists. An empty one takes 2 bytes as text and 60 in memory."""


class OversizeError(ValueError):
    """The text is not worth reading."""


def load_json(
    text: str | bytes,
    *,
    most_bytes: int = MOST_BYTES,
    most_parts: int = MOST_PARTS,
    parse_constant: Callable[[str], Any] | None = None,
) -> Any:
    """What a JSON text holds.

    Raises
    ------
    ValueError : it is not JSON; too large, of too many parts (:class:`OversizeError`) or nested too deeply.
    """
    if len(text) > most_bytes:
        raise OversizeError(f"{len(text):,} bytes, at most {most_bytes:,} are read")
    parts = text.count("{") + text.count("[") if isinstance(text, str) else text.count(b"{") + text.count(b"[")
    if parts > most_parts:
        raise OversizeError(f"{parts:,} objects and lists, at most {most_parts:,} are read")
    try:
        return json.loads(text, parse_constant=parse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
