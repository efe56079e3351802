"""Checkpoints: a folder of files with their hashes, which is there whole or not at all.

A checkpoint is written under another name, flushed, and renamed; the manifest with the hashes is written last. So a
death at any moment leaves the one before it, and whatever happened to a file afterwards shows when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rsmodels.errors import ModelError
from rsprep.cloud.address import Address, Place, place
from rsprep.cloud.objects import names
from rsprep.cloud.workplace import fetched
from rsprep.files import SUFFIX
from rsprep.strict_json import load_json

FOLDER = "checkpoints"
MANIFEST = "manifest.json"
FORMAT = 1
PICKLED = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle")
"""Files of this kind may run programs when they are read, so none is."""
MOST_TEXT_BYTES = 512 * 2**20
"""Longest text of a checkpoint."""
MOST_MANIFEST_BYTES = 2**20
MOST_HEADER_BYTES = 16 * 2**20
"""Longest header of a file of tensors; that of ten thousand tensors takes a tenth."""
_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a checkpoint says of itself."""

    path: Path
    step: int
    score: float | None
    """Value of the score that picks the best; None where nothing was scored at this step."""
    files: Mapping[str, str]
    """Name to SHA-256."""
    digest: str
    """Stands for the whole checkpoint: SHA-256 over the files' hashes."""


def write(
    run: Path,
    step: int,
    *,
    tensors: Mapping[str, Mapping[str, Tensor]],
    texts: Mapping[str, str],
    files: Mapping[str, Path] | None = None,
    score: float | None = None,
) -> Path:
    """Write the checkpoint of one step; a whole one that is there already stays.

    Parameters
    ----------
    run : folder of the run.
    tensors : file name to named tensors, as safetensors.
    texts : file name to content.
    files : file name to a file that is copied.

    Returns
    -------
    The checkpoint's folder.
    """
    home = run / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    final = home / f"step-{step:08d}"
    partial = home / f".{final.name}.{uuid.uuid4().hex}{SUFFIX}"
    partial.mkdir()
    for name, named in tensors.items():
        save_file({key: _plain(tensor) for key, tensor in named.items()}, partial / name)
    for name, text in texts.items():
        (partial / name).write_text(text, encoding="utf-8")
    for name, source in (files or {}).items():
        shutil.copyfile(source, partial / name)
    hashes = {file.name: _hash(file) for file in sorted(partial.iterdir())}
    record = {"format": FORMAT, "step": step, "score": score, "files": hashes}
    (partial / MANIFEST).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for file in partial.iterdir():
        _flush(file)
    _flush(partial)
    if final.exists() and _is_whole(final):  # made before a stop, of the same step
        shutil.rmtree(partial)
        return final
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    _flush(home)
    return final


def read_manifest(path: Path) -> Manifest:
    """What the checkpoint in `path` holds, its hashes not yet compared.

    Raises
    ------
    ModelError : ``no-checkpoint``, ``torn-checkpoint`` if the manifest cannot be read.
    """
    file = path / MANIFEST
    if path.suffix.lower() in PICKLED and path.is_file():
        raise ModelError(
            "pickled-checkpoint",
            "a pickled file may run programs when it is read; only checkpoints of safetensors are",
            value=str(path),
            remedy="give the folder of a checkpoint that rsmodels wrote",
        )
    if not file.is_file():
        raise ModelError("no-checkpoint", "there is no checkpoint here", value=str(path), remedy="check the path")
    if file.stat().st_size > MOST_MANIFEST_BYTES:
        raise _torn(path, f"{MANIFEST} is longer than {MOST_MANIFEST_BYTES:,} bytes")
    try:
        record = load_json(file.read_text(encoding="utf-8"))
        files = {str(name): str(value) for name, value in record["files"].items()}
        digest = hashlib.sha256("".join(f"{files[name]}  {name}\n" for name in sorted(files)).encode()).hexdigest()
        known = record["format"] == FORMAT
        manifest = Manifest(path=path, step=int(record["step"]), score=record["score"], files=files, digest=digest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _torn(path, f"{MANIFEST} cannot be read ({error})") from None
    if not known or any(Path(name).name != name for name in files):
        raise _torn(path, f"{MANIFEST} is of another format")
    return manifest


def verify(manifest: Manifest) -> None:
    """Compare every file with its hash; ModelError ``torn-checkpoint`` names the first that differs."""
    for name, wanted in manifest.files.items():
        file = manifest.path / name
        if not file.is_file():
            raise _torn(manifest.path, f"{name} is missing")
        if _hash(file) != wanted:
            raise _torn(manifest.path, f"{name} is not what was written")


def listed(run: Path) -> list[Path]:
    """Folders of checkpoints in a run, oldest first; what is in them is not looked at."""
    home = run / FOLDER
    return sorted(path for path in home.iterdir() if _NAME.fullmatch(path.name)) if home.is_dir() else []


def newest(run: Path) -> Manifest | None:
    """The newest checkpoint of a run that is whole; None if there is none."""
    for path in reversed(listed(run)):
        if _is_whole(path):  # else torn: the one before it is taken
            return read_manifest(path)
    return None


def _is_whole(path: Path) -> bool:
    try:
        verify(read_manifest(path))
    except ModelError:
        return False
    return True


def find(path: str | Place) -> Manifest:
    """The checkpoint that `path` means: a checkpoint's folder, or a run, of which the newest whole one is taken.

    One in a bucket is copied to this machine first.

    Raises
    ------
    ModelError : ``no-checkpoint``, ``torn-checkpoint``.
    """
    here = place(path)
    path = _fetched(here) if isinstance(here, Address) else here
    if (path / MANIFEST).exists() or not (path / FOLDER).is_dir():
        manifest = read_manifest(path)
        verify(manifest)
        return manifest
    found = newest(path)
    if found is None:
        raise ModelError(
            "no-checkpoint", "the run has no whole checkpoint", value=str(path), remedy="train it further first"
        )
    return found


def _fetched(address: Address) -> Path:
    """A copy of a checkpoint, or of a run with its newest whole checkpoint."""
    files, deeper = names(address)
    if MANIFEST in files:
        return fetched(address)
    if FOLDER not in deeper:
        raise ModelError("no-checkpoint", "there is no checkpoint here", value=str(address), remedy="check the address")
    for name in reversed([name for name in names(address / FOLDER)[1] if _NAME.fullmatch(name)]):
        run = fetched(address, f"{FOLDER}/{name}")
        if newest(run) is not None:
            return run
    return fetched(address, FOLDER)


def read_tensors(manifest: Manifest, name: str) -> dict[str, Tensor]:
    """Tensors of one file, on the CPU; ModelError ``torn-checkpoint`` if it holds no safetensors."""
    file = manifest.path / name
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
        if length > MOST_HEADER_BYTES:
            raise _torn(manifest.path, f"{name} has a header of {length:,} bytes")
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise _torn(manifest.path, f"{name} cannot be read ({error})") from None


def read_text(manifest: Manifest, name: str) -> str:
    """Content of one file; ModelError ``torn-checkpoint`` if it is no text, or too long."""
    file = manifest.path / name
    try:
        if file.stat().st_size <= MOST_TEXT_BYTES:
            return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _torn(manifest.path, f"{name} cannot be read ({error})") from None
    raise _torn(manifest.path, f"{name} is longer than {MOST_TEXT_BYTES:,} bytes")


def prune(run: Path, keep: int, better: str) -> None:
    """Remove all but the `keep` newest checkpoints and the best one; and what killed writers left behind.

    Parameters
    ----------
    better : higher or lower scores.
    """
    for stale in (run / FOLDER).glob(f".*{SUFFIX}"):
        shutil.rmtree(stale)
    top = best(run, better)
    for path in listed(run)[:-keep]:
        if top is None or path != top.path:
            shutil.rmtree(path)


def best(run: Path, better: str) -> Manifest | None:
    """The checkpoint with the best score among those that are whole; None where none was scored."""
    scored = [one for one in map(read_manifest, filter(_is_whole, listed(run))) if one.score is not None]
    sign = 1 if better == "higher" else -1
    return max(scored, key=lambda one: sign * (one.score or 0.0), default=None)


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous()


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _torn(path: Path, what: str) -> ModelError:
    return ModelError(
        "torn-checkpoint",
        f"the checkpoint is damaged: {what}",
        value=str(path),
        remedy="use an older checkpoint of the run, or train it further",
    )
