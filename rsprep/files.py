"""Files that appear whole or not at all, under names that lead nowhere else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rsprep.errors import StoreError

MOST_NAME_BYTES = 200
"""Longest name; file systems take 255 bytes, and endings come after it."""
SUFFIX = ".partial"
"""Ends the names of files that are being written; what a killed writer leaves behind is known by it."""


def plain_name(name: str) -> str:
    """`name`, which something from outside gave, where it can be that of a file; raises StoreError ``odd-name``.

    Ids of chips, layers and items may be anything: ``../../.bashrc`` among them.
    """
    if not name or name.startswith(".") or len(name.encode()) > MOST_NAME_BYTES or set(name) & set("/\\\0\r\n"):
        raise StoreError(
            "odd-name", "a name in the data set cannot be that of a file", value=name, remedy="who made the data set?"
        )
    return name


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
