"""What a hostile input made the process do: files opened, connections made, memory taken."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

IN_OPEN, IN_ACCESS = 0x20, 0x1
IN_NONBLOCK = 0o4000


@dataclass
class Watch:
    """Seen while a block ran."""

    opened: list[str] = field(default_factory=list)
    """Paths that Python opened."""
    reached: list[tuple[str, int]] = field(default_factory=list)
    """Host and port of connections."""
    peak_bytes: int = 0
    """Memory that was resident beyond what was at the start."""


_now: list[Watch] = []
_installed: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _now:
        return
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        _now[-1].opened.append(os.fsdecode(arguments[0]))
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        _now[-1].reached.append((str(arguments[1][0]), int(arguments[1][1])))


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """Note what Python opens and connects to, and the largest memory that the process holds meanwhile."""
    if not _installed:
        sys.addaudithook(_hook)  # for good: there is no way to take it away
        _installed.append(True)
    watch = Watch()
    _forget_peak()
    before = _status("VmRSS")
    _now.append(watch)
    try:
        yield watch
    finally:
        _now.remove(watch)
        watch.peak_bytes = max(0, _status("VmHWM") - before)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _status(key: str) -> int:
    """Bytes, as the kernel counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024


class Trap:
    """A folder whose files nobody may open, and a server that nobody may call; told by the kernel, whoever does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._notes = self._libc.inotify_init1(IN_NONBLOCK)
        for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            self._libc.inotify_add_watch(self._notes, os.fsencode(place), IN_OPEN | IN_ACCESS)
        self._server = socket.create_server(("127.0.0.2", 0))
        self.calls = 0
        threading.Thread(target=self._answer, daemon=True).start()

    @property
    def port(self) -> int:
        """Of the server on 127.0.0.2."""
        return int(self._server.getsockname()[1])

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                call, _ = self._server.accept()
                self.calls += 1
                call.close()

    def touched(self) -> list[str]:
        """Names of files opened since the last time of asking."""
        names: list[str] = []
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._notes, 2**16)
            while data:
                _, _, _, length = struct.unpack_from("iIII", data)
                names.append(data[16 : 16 + length].rstrip(b"\0").decode())
                data = data[16 + length :]
        return [name for name in names if name]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._notes)
        self._server.close()
