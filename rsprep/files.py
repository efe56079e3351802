"""Files that appear whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".partial"
"""Ends the names of files that are being written; what a killed writer leaves behind is known by it."""


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A temporary sibling to write to; takes the place of `path` once the block is done."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}{SUFFIX}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a temporary sibling, then put it in the place of `path`."""
    with appearing(path) as partial:
        partial.write_text(text, encoding="utf-8")
