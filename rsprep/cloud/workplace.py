"""A folder to work in that lies in a bucket: pulled at the beginning, pushed every minute and at the end.

What a run of a model writes are whole files, and checkpoints that appear whole and are recognised by their hashes; so
whatever moment a push falls into, what is there can be gone on from.
"""

from __future__ import annotations

import _thread
import atexit
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rsprep.cloud.address import Address, Place, place
from rsprep.cloud.lease import Lease
from rsprep.cloud.mirror import Mirror
from rsprep.errors import BuildError, RsprepError

PUSH_SECONDS = 60.0
LAST = ("manifest.json",)
"""With these a checkpoint is whole."""
APART = ("chips.zarr",)
"""Pixels of a data set are never pulled, not even where a run was meant to go."""


@contextmanager
def worked_in(out: str | Place) -> Iterator[Path]:
    """The folder to work in: `out` itself, or for a bucket a temporary one of the same name.

    Raises
    ------
    ConfigError : ``bad-address``, ``no-cloud-extra``.
    StoreError : ``locked`` while somebody else works there.
    BuildError : ``lease-lost``, ``bucket-denied``, ``bucket-failed``; ``not-pushed`` where the end did not arrive.
    """
    home = place(out)
    if isinstance(home, Path):
        yield home
        return
    around = Path(tempfile.mkdtemp(prefix="rsprep-"))
    folder = around / home.name
    folder.mkdir()
    mirror = Mirror(folder, home, apart=APART, last=LAST)
    lease = Lease(home)
    pushing = _Pushing(mirror, lease)
    kept = False
    try:
        mirror.pull()
        with pushing:
            yield folder
    finally:
        try:
            lease.require()
            mirror.push()
        except BuildError as error:
            kept = True
            raise BuildError(
                "not-pushed",
                f"what was made could not be brought to {home} ({error.name}: {error.cause})",
                value=str(folder),
                remedy="it lies in this folder of this machine still: copy it from there",
            ) from error
        finally:
            lease.release()
            if not kept:
                shutil.rmtree(around, ignore_errors=True)


class _Pushing:
    """Pushes now and then while a block runs. Where the lease is lost the block is interrupted."""

    def __init__(self, mirror: Mirror, lease: Lease) -> None:
        self._mirror, self._lease = mirror, lease
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="rsprep-push", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._over.wait(PUSH_SECONDS):
            try:
                self._lease.require()
            except BuildError:
                _thread.interrupt_main()
                return
            try:
                self._mirror.push()
            except (RsprepError, OSError):
                continue  # a bucket that fails, or a file that was just taken away: the next one may do


def fetched(address: Address, *below: str) -> Path:
    """A copy of all objects below `address`, or of some folders there, that lasts as long as this process.

    Raises
    ------
    BuildError : ``bucket-denied`` or ``bucket-failed``.
    """
    around = Path(tempfile.mkdtemp(prefix="rsprep-"))
    atexit.register(shutil.rmtree, around, ignore_errors=True)
    folder = around / address.name
    for name in below or ("",):
        here, there = (folder / name, address / name) if name else (folder, address)
        here.mkdir(parents=True, exist_ok=True)
        Mirror(here, there).pull()
    return folder
