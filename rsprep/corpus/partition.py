"""Which split an image or a mask belongs to: by the folder it lies in, by a list, or by a hash of its name."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rsprep.corpus.inputs import listed
from rsprep.errors import InputError
from rsprep.report.data import SPLITS

FOLDERS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validate": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Names of folders that tell a split."""


def choose_splits(
    rule: str,
    names: Sequence[tuple[str, ...]],
    own: Sequence[str],
    *,
    ratio: Sequence[float],
    seed: int,
    file: str = "",
) -> list[str]:
    """Split of every image.

    Parameters
    ----------
    rule : ``folder`` takes `own`, ``file`` the list in `file`, ``hash`` the last name; ``auto`` is folder where `own`
        tells anything, else hash; ``train``, ``val`` or ``test`` stand for all images.
    names : what an image may be called in the list; the last one is its stable name.
    own : what folders or a data set say; empty for nothing.

    Raises
    ------
    InputError : ``split-unclear``, ``not-in-split-file``, ``split-file``.
    """
    if rule == "auto":
        rule = "folder" if any(own) else "hash"
    if rule == "hash":
        return [by_hash(name[-1], ratio, seed) for name in names]
    if rule == "folder":
        unclear = [name[0] for name, split in zip(names, own, strict=True) if not split]
        if unclear:
            raise InputError(
                "split-unclear",
                f"{len(unclear):,} of {len(names):,} images lie in no folder called train, val or test",
                value=listed(unclear),
                remedy="move them, or choose --split hash or a --split-file",
            )
        return list(own)
    if rule == "file":
        return _from_file(names, read_split_file(file))
    return [rule] * len(names)


def _from_file(names: Sequence[tuple[str, ...]], told: Mapping[str, str]) -> list[str]:
    found = [next((told[one] for one in name if one in told), "") for name in names]
    missing = [name[0] for name, split in zip(names, found, strict=True) if not split]
    if missing:
        raise InputError(
            "not-in-split-file",
            f"{len(missing):,} of {len(names):,} images are not in the list of splits",
            value=listed(missing),
            remedy="name images as they are called below IMAGES, with or without the suffix",
        )
    return found


def by_folder(path: Path, root: Path) -> tuple[str, str]:
    """Split and label that the folders between `root` and a file tell; either may be empty.

    ``train/aGrass/1.jpg`` is of split train and label aGrass. Where no such folder lies below `root`, its own name
    counts: files of ``rsscn7/train`` are for training.
    """
    parts = path.relative_to(root).parent.parts if path != root else ()
    told = next((part for part in parts if part.lower() in FOLDERS), "")
    label = "/".join(part for part in parts if part != told)
    return FOLDERS.get((told or (root if root.is_dir() else root.parent).resolve().name).lower(), ""), label


def by_hash(name: str, ratio: Sequence[float], seed: int) -> str:
    """Split from a hash of seed and name, so that an image keeps its split when others come or go.

    Parameters
    ----------
    ratio : shares of train, val and test; they need not sum to 1.
    """
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    at = int.from_bytes(digest, "big") / 2**64 * sum(ratio)
    for split, share in zip(SPLITS, ratio, strict=True):
        if at < share:
            return split
        at -= share
    return next(split for split, share in reversed(list(zip(SPLITS, ratio, strict=True))) if share)


def read_split_file(path: str | Path) -> dict[str, str]:
    """A CSV with columns ``image`` and ``split``: image as it is named there to train, val or test.

    Raises
    ------
    InputError : ``split-file``.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _wrong_file(f"the list of splits cannot be read: {error}", path) from None
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        name, split = (row.get("image") or "").strip(), FOLDERS.get((row.get("split") or "").strip().lower(), "")
        if not name or not split:
            raise _wrong_file("a row needs an image, and a split that is train, val or test", f"{path}, line {number}")
        if found.setdefault(name, split) != split:
            raise _wrong_file("an image has two splits", f"{path}, line {number}: {name}")
    if not found:
        raise _wrong_file("the list of splits is empty", path)
    return found


def _wrong_file(cause: str, value: object) -> InputError:
    return InputError(
        "split-file", cause, value=str(value), remedy="write a CSV with the header image,split and a row an image"
    )
