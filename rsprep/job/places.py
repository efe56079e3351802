"""Where a build writes: looked at before the work begins, so that a wrong place costs nothing."""

from __future__ import annotations

import os
from pathlib import Path

from rsprep.cloud.address import Address, Place, place
from rsprep.cloud.objects import names
from rsprep.errors import StoreError
from rsprep.job.journal_view import FILE_NAME


def check_out(out: str | Place) -> None:
    """See that a data set can be begun or resumed in a folder or a bucket; writes nothing.

    Raises
    ------
    ConfigError : ``bad-address``, ``no-cloud-extra``.
    StoreError : ``not-a-folder``, ``not-writable``, or ``not-empty`` where other files lie there already.
    BuildError : ``bucket-denied`` or ``bucket-failed``.
    """
    folder = place(out)
    if isinstance(folder, Address):
        files, deeper = names(folder)
        there = {*files, *deeper}
    else:
        check_folder(folder, "--out")
        there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    # A build that died at once leaves hidden files only.
    strangers = sorted(name for name in there if not name.startswith("."))
    if strangers and FILE_NAME not in there:
        raise StoreError(
            "not-empty",
            f"the folder holds files that belong to no data set: {', '.join(strangers[:5])}",
            value=str(folder),
            remedy="give an empty or a new folder as --out",
        )


def check_folder(folder: Path, option: str) -> None:
    """See that `folder` is one, or can be made, and can be written to."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise StoreError(
            "not-a-folder", f"{there.name} is a file", value=str(folder), remedy=f"give another folder as {option}"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(
            "not-writable", "this folder may not be written to", value=str(there), remedy=f"give another as {option}"
        )
