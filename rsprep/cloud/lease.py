"""One writer at a time in a place of a bucket.

Buckets have no locks that a death lets go. Here an object says who writes; it is written anew every few seconds, each
time only if it is still as its writer left it. Who finds it fresh is refused; who finds it stale takes it over, and the
one that it was taken from learns that at its next beat. Clocks decide only how soon a lease can be taken over, never
whether two may write: whatever a holder publishes besides is bound to what it last saw (:mod:`rsprep.cloud.mirror`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import socket
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from rsprep.cloud.address import Address
from rsprep.cloud.objects import ChangedError, Version, read, write_if, written_at
from rsprep.errors import BuildError, RsprepError, StoreError

FILE_NAME = ".lease"
STALE_SECONDS = 90.0
"""A holder that has not been heard of for so long counts as dead."""
BEAT_SECONDS = 20.0


class Lease:
    """Leave to write below `home`, held until it is released or lost.

    Raises
    ------
    StoreError : ``locked`` while another holds it.
    BuildError : ``bucket-denied`` or ``bucket-failed``.
    """

    def __init__(self, home: Address) -> None:
        self._file = home / FILE_NAME
        self._holder = uuid.uuid4().hex
        self._beats = 0
        self._lost = False
        self._over = threading.Event()
        self._seen = self._take(home)
        self._thread = threading.Thread(target=self._keep, name="rsprep-lease", daemon=True)
        self._thread.start()

    def require(self) -> None:
        """Return while the lease is ours.

        Raises
        ------
        BuildError : ``lease-lost``.
        """
        if self._lost:
            raise lease_lost(self._file.parent)

    def release(self) -> None:
        """Let others write. The object stays, so that nobody takes away what is no longer ours.

        A bucket that fails now is no error: a lease that cannot be given back goes stale.
        """
        self._over.set()
        self._thread.join()
        with suppress(ChangedError, BuildError):
            if not self._lost:
                write_if(self._file, json.dumps({"holder": None}).encode(), self._seen)

    def _take(self, home: Address) -> Version:
        found = read(self._file)
        if found is not None:
            told = _told(found[0])
            silent = _silent_for(self._file)
            if told.get("holder") is not None and silent < STALE_SECONDS and not _died_here(told):
                raise _locked(home, told, f"wait for it to end, or stop it; a dead one counts for {STALE_SECONDS:g} s")
        try:
            return write_if(self._file, self._content(), None if found is None else found[1])
        except ChangedError:
            raise _locked(home, {}, "wait for it to end") from None

    def _content(self) -> bytes:
        told = {"holder": self._holder, "beat": self._beats, "process": os.getpid(), "host": socket.gethostname()}
        return json.dumps({**told, "machine": _machine()}, sort_keys=True).encode()

    def _keep(self) -> None:
        """Beat until it is over. A bucket that fails now may answer at the next beat."""
        while not self._lost and not self._over.wait(BEAT_SECONDS):
            self._beats += 1
            try:
                self._seen = write_if(self._file, self._content(), self._seen)
            except ChangedError:
                self._lost = True
            except RsprepError:
                continue


def lease_lost(home: Address) -> BuildError:
    """The error of a process that may no longer write below `home`."""
    return BuildError(
        "lease-lost",
        "another process has taken over, because this one was not heard of for a while",
        value=str(home),
        remedy="let that one end; nothing that it has written was touched",
    )


def _told(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {}


def _silent_for(file: Address) -> float:
    written = written_at(file)
    return 0.0 if written is None else (dt.datetime.now(dt.UTC) - written).total_seconds()


def _died_here(told: dict[str, Any]) -> bool:
    """True where the holder was a process of this very machine, and is no more: nobody has to wait then."""
    if told.get("machine") != _machine() or not isinstance(told.get("process"), int):
        return False
    try:
        os.kill(told["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str:
    """What no two machines, and no two containers, have in common where process numbers are their own."""
    parts = [socket.gethostname(), str(uuid.getnode())]
    for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(os.readlink(file) if file.endswith("pid") else Path(file).read_text(encoding="ascii"))  # noqa: PTH115
        except OSError:
            continue
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _locked(home: Address, told: dict[str, Any], remedy: str) -> StoreError:
    who = f"process {told['process']} on {told['host']}" if {"process", "host"} <= set(told) else "just begun"
    return StoreError("locked", f"another build is writing this data set ({who})", value=str(home), remedy=remedy)
