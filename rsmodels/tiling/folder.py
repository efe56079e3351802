"""The folder that rasters are worked into: what may lie in it, whether a job can go on there, and who works on it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsmodels.errors import ModelError
from rsmodels.records import as_json
from rsprep.corpus.inputs import listed
from rsprep.files import write_text
from rsprep.job.lock import DatasetLock
from rsprep.job.places import check_folder

WORK, JOB, PAGE, IMAGES = ".work", "job.json", "report.html", "images"
_FILES = (".tif", ".tiff", ".png", ".jpg", ".zarr")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a kind of job leaves in its folder besides the page."""

    noun: str
    """With its article: an inpainting."""
    done: str
    """What was done to the files: filled."""
    record: str
    """Name of the record, which is written last."""
    folders: tuple[str, ...]


def check_out(out: Path) -> None:
    """See that a folder can be made of `out`; raises InputError, or ModelError ``out-like-a-file``."""
    check_folder(out, "OUT")
    if out.suffix.lower() in _FILES and not out.is_dir():
        raise ModelError(
            "out-like-a-file",
            "OUT is a folder: images and a report go there",
            value=str(out),
            remedy=f"give it another name, such as {out.with_suffix('')}",
        )


def check_names(files: Sequence[Path], out: Path) -> None:
    """Raise ModelError ``same-name`` where several inputs would be written into one file below `out`."""
    several = [str(file.relative_to(out)) for file, count in Counter(files).items() if count > 1]
    if several:
        raise ModelError(
            "same-name",
            "several pictures would be written under one name",
            value=listed(several),
            remedy="rename some of them",
        )


def check_goes_on(out: Path, identity: dict[str, Any], layout: Layout) -> bool:
    """See that `out` is new, or holds the same job; True where that is done already. Writes nothing.

    Raises
    ------
    ModelError : ``not-a-folder``; ``not-an-inpainting`` and ``other-inpainting``, or as the job is called, with what
        differs.
    """
    if out.exists() and not out.is_dir():
        raise ModelError("not-a-folder", "OUT is a file", value=str(out), remedy="choose another OUT")
    there = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    strange = [name for name in there if name not in (WORK, layout.record, PAGE, *layout.folders)]
    kept = next((file for file in (out / layout.record, out / WORK / JOB) if file.is_file()), None)
    if strange or (there and kept is None and there != [WORK]):
        raise ModelError(
            f"not-{layout.noun.replace(' ', '-')}",
            "OUT holds other files",
            value=f"{out}: {', '.join((strange or there)[:3])}",
            remedy="choose another OUT, or an empty folder",
        )
    if kept is None:
        return False
    before = json.loads(kept.read_text(encoding="utf-8"))["identity"]
    differing = [key for key in {**before, **identity} if before.get(key) != identity.get(key)]
    if differing:
        raise ModelError(
            f"other-{layout.noun.split(' ', 1)[1]}",
            f"OUT was {layout.done} otherwise, or from other files",
            value="; ".join(f"{key}: {before.get(key)!r} before, {identity.get(key)!r} now" for key in differing),
            remedy="give the command as it was, or choose another OUT",
        )
    return kept.name == layout.record


@contextmanager
def working(out: Path, identity: dict[str, Any], window: int) -> Iterator[Path]:
    """The folder within `out` for what is half done, for one process at a time; it is taken away when all is done.

    Raises
    ------
    StoreError : ``locked``.
    """
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    lock = DatasetLock(work)
    try:
        write_text(work / JOB, as_json({"identity": identity, "window": window}))
        yield work
        for file in sorted(work.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        work.rmdir()
    finally:
        lock.release()


def read_record(out: Path, layout: Layout) -> dict[str, Any]:
    """What a job that is done wrote down."""
    record: dict[str, Any] = json.loads((out / layout.record).read_text(encoding="utf-8"))
    return record


def key_of(path: Path, root: Path) -> str:
    """Name of a file below `root`, without its ending."""
    return path.relative_to(root).with_suffix("").as_posix()
