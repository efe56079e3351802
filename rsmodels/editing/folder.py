"""A folder that is there whole or not at all, and takes the place of none but its like."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from rsmodels.errors import ModelError
from rsprep.files import SUFFIX


def check_folder(out: Path, marker: str, files: Collection[str]) -> None:
    """See that `out` is new, empty, or a folder of `files` with `marker` among them; writes nothing.

    Raises
    ------
    ModelError : ``not-a-folder``, ``not-an-edit``.
    """
    if out.exists() and not out.is_dir():
        raise ModelError("not-a-folder", "--out is a file", value=str(out), remedy="choose another --out")
    there = sorted(file.name for file in out.iterdir()) if out.is_dir() else []
    if there and (marker not in there or not set(there) <= set(files)):
        raise ModelError(
            "not-an-edit",
            "--out holds other files than those of an edit",
            value=f"{out}: {', '.join(name for name in there if name not in files) or there[0]}",
            remedy="choose another --out, or an empty folder",
        )


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A temporary sibling to write to; takes the place of `out` once the block is done.

    Raises
    ------
    ModelError : ``not-writable``.
    """
    partial, old = (out.with_name(f".{out.name}.{uuid.uuid4().hex}{SUFFIX}") for _ in range(2))
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise ModelError(
            "not-writable",
            f"--out cannot be written: {error.strerror}",
            value=str(out),
            remedy="choose another --out",
        ) from None
    try:
        yield partial
        if out.exists():
            out.rename(old)
        partial.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
