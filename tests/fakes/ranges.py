"""A web server of files with byte ranges, as object stores are, that misbehaves on demand; and a token service.

In a test::

    with RangeServer(folder, faults=Faults(too_many=0.1)) as server:
        rsprep.build({..., "endpoint": f"{server.url}/catalog.json"})
    assert server.seen(429)

In a process of its own, until its standard input is closed; the first line that it prints is its address::

    python -m tests.fakes.ranges FOLDER --latency 0.03
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import email.utils
import http.server
import json
import os
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TOKENS = "/token/"
"""Where the token service is: ``GET /token/ACCOUNT/CONTAINER``, the interface of the Planetary Computer's."""


@dataclass(kw_only=True)
class Faults:
    """What goes wrong. All but `latency_s` concern files whose path matches `on`."""

    latency_s: float = 0.0
    """Pause before every answer."""
    on: str = r"\.tif$"
    """Pattern of the paths that the faults hit."""
    too_many: float = 0.0
    """Share of the requests that are answered 429; evenly, every tenth for 0.1."""
    retry_after: str | None = None
    """Sent with every 429 and 503, as in ``"1"``."""
    unavailable_once: bool = False
    """True: the first request of every file is answered 503."""
    stall_s: float = 0.0
    """One request waits this long before it is answered: the one numbered `stall_at`."""
    stall_at: int = 10
    changes_after: int | None = None
    """After so many requests of a file its ETag is another."""
    token_requests: int | None = None
    """Files ask for a token, and a token is refused (403) after so many requests; None: it never wears out."""
    token_s: float | None = None
    """Files ask for a token, and a token is refused (403) after so many seconds."""
    next: list[str] = field(default_factory=list)
    """Fates of the requests that come next: a status, ``short`` (half the body), ``reset`` (no answer at all),
    ``shut`` (the answer ends early, its length promised in full), ``whole`` (200, the range is ignored), ``other``
    (another range than was asked for), ``none``."""

    @property
    def signed(self) -> bool:
        """True where files ask for a token."""
        return self.token_requests is not None or self.token_s is not None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request and its answer."""

    path: str
    query: str
    range: str
    status: int


class RangeServer(http.server.ThreadingHTTPServer):
    """Serves the files below `folder`; a context manager that listens on a free port of 127.0.0.1."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, folder: Path, *, faults: Faults | None = None, announced_s: float = 45 * 60) -> None:
        """`announced_s`: how long tokens say they will hold, whatever becomes of them."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder.resolve()
        self.faults = faults or Faults()
        self.announced_s = announced_s
        self.log: list[Seen] = []
        self.most_at_once = 0
        """Most requests that were being answered at one time."""
        self.most_connections = 0
        self.tokens: dict[str, tuple[int, float]] = {}
        """Signature to the number of requests that it was good for, and when it was given."""
        self._lock = threading.Lock()
        self._at_once = self._connections = 0
        self._matched, self._debt = 0, 0.0
        self._times: collections.Counter[str] = collections.Counter()
        self._thread: threading.Thread | None = None

    # -- for tests ----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Address of `folder`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def token_service(self) -> str:
        """Address of the token service."""
        return self.url + TOKENS.rstrip("/")

    def seen(self, status: int | None = None, *, path: str = "") -> int:
        """Number of requests, by status of the answer and pattern of the path."""
        with self._lock:
            return sum(status in (None, one.status) and bool(re.search(path, one.path)) for one in self.log)

    def __enter__(self) -> RangeServer:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()
        if self._thread is not None:
            self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are nothing to report; anything else is."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    # -- for the handler ----------------------------------------------------------------------

    def opened(self, change: int) -> None:
        """A connection came (1) or went (-1)."""
        with self._lock:
            self._connections += change
            self.most_connections = max(self.most_connections, self._connections)

    def answering(self, change: int) -> None:
        """A request came (1) or was answered (-1)."""
        with self._lock:
            self._at_once += change
            self.most_at_once = max(self.most_at_once, self._at_once)

    def give_token(self) -> dict[str, str]:
        """A new token, as the Planetary Computer gives them."""
        with self._lock:
            signature = f"signature-{len(self.tokens)}"
            self.tokens[signature] = (0, time.monotonic())
        expiry = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.announced_s)
        return {"msft:expiry": f"{expiry:%Y-%m-%dT%H:%M:%SZ}", "token": f"sp=r&sig={signature}"}

    def fate(self, path: str, query: str) -> tuple[str, float, int]:
        """What becomes of a request of a file: its fate, how long it waits, and how often the file was asked for."""
        faults = self.faults
        with self._lock:
            self._times[path] += 1
            times = self._times[path]
            if not re.search(faults.on, path):
                return "none", 0.0, times
            self._matched += 1
            wait = faults.stall_s if self._matched == faults.stall_at else 0.0
            if faults.next:
                return faults.next.pop(0), wait, times
            if faults.signed and not self._honoured(query):
                return "403", wait, times
            if faults.unavailable_once and times == 1:
                return "503", wait, times
            self._debt += faults.too_many
            if self._debt >= 1:
                self._debt -= 1
                return "429", wait, times
            return "none", wait, times

    def _honoured(self, query: str) -> bool:
        """Whether the token in `query` still holds; called with the lock held."""
        signature = dict(parse_qsl(query)).get("sig", "")
        if signature not in self.tokens:
            return False
        used, given = self.tokens[signature]
        self.tokens[signature] = (used + 1, given)
        limit, lifetime = self.faults.token_requests, self.faults.token_s
        return not (limit is not None and used >= limit) and not (
            lifetime is not None and time.monotonic() - given > lifetime
        )

    def noted(self, path: str, query: str, asked: str, status: int) -> None:
        """Remember an answer."""
        with self._lock:
            self.log.append(Seen(path=path, query=query, range=asked, status=status))


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: RangeServer

    def setup(self) -> None:
        super().setup()
        self.server.opened(1)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.opened(-1)

    def do_GET(self) -> None:
        self._timed(with_body=True)

    def do_HEAD(self) -> None:
        self._timed(with_body=False)

    def log_message(self, *_: object) -> None:
        """Keep the output of tests clean."""

    def _timed(self, *, with_body: bool) -> None:
        self.server.answering(1)
        try:
            self._answer(with_body=with_body)
        finally:
            self.server.answering(-1)

    def _answer(self, *, with_body: bool) -> None:
        parts = urlsplit(self.path)
        self.where, self.query = unquote(parts.path), parts.query
        time.sleep(self.server.faults.latency_s)
        if self.where.startswith(TOKENS):
            self._plain(200, json.dumps(self.server.give_token()).encode(), "application/json")
            return
        file = (self.server.folder / self.where.lstrip("/")).resolve()
        if not file.is_relative_to(self.server.folder) or not file.is_file():
            self._plain(404)
            return
        fate, wait, times = self.server.fate(self.where, self.query)
        time.sleep(wait)
        if fate == "reset":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if fate.isdigit():
            self._plain(int(fate))
            return
        self._file(file, fate, times, with_body=with_body)

    def _plain(self, status: int, body: bytes = b"", kind: str = "text/plain") -> None:
        self._start(status)
        if status in (429, 503) and self.server.faults.retry_after is not None:
            self.send_header("Retry-After", self.server.faults.retry_after)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _start(self, status: int) -> None:
        self.server.noted(self.where, self.query, self.headers.get("Range", ""), status)
        self.send_response(status)

    def _file(self, file: Path, fate: str, times: int, *, with_body: bool) -> None:
        status = file.stat()
        asked = None if fate == "whole" else _asked(self.headers.get("Range", ""), status.st_size)
        first, end = asked or (0, status.st_size)
        if first >= status.st_size:
            self._plain(416)
            return
        if fate == "other":
            first, end = first + 1, min(end + 1, status.st_size)
        sent = (end - first) // 2 if fate in ("short", "shut") else end - first
        self._start(206 if asked else 200)
        if asked:
            last = first + (sent if fate == "short" else end - first) - 1
            self.send_header("Content-Range", f"bytes {first}-{last}/{status.st_size}")
        changed = self.server.faults.changes_after
        version = 1 if changed is not None and times > changed and re.search(self.server.faults.on, self.where) else 0
        self.send_header("ETag", f'"{status.st_size:x}-{status.st_mtime_ns:x}-{version}"')
        self.send_header("Last-Modified", email.utils.formatdate(status.st_mtime, usegmt=True))
        self.send_header("Accept-Ranges", "bytes")
        kind = "application/json" if file.suffix == ".json" else "image/tiff"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(sent if fate == "short" else end - first))
        self.end_headers()
        if with_body and sent:
            self.wfile.flush()
            with file.open("rb") as stream:
                self.connection.sendfile(stream, offset=first, count=sent)
        if fate == "shut":
            self.close_connection = True


def _asked(header: str, size: int) -> tuple[int, int] | None:
    """First byte and end of the one range that is asked for; None for the whole file."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


def main() -> None:
    """Serve a folder until standard input is closed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    arguments = parser.parse_args()
    with RangeServer(arguments.folder, faults=Faults(latency_s=arguments.latency)) as server:
        print(server.url, flush=True)
        for line in sys.stdin:  # a line asks for the figures since the last one
            print(json.dumps({"requests": len(server.log), "connections": server.most_connections}), flush=True)
            if line.strip() == "reset":
                server.log.clear()


if __name__ == "__main__":
    main()
    os._exit(0)
