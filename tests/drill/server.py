"""A STAC API, its files and its token service on one loopback port, which misbehave once or lastingly as they are told.

In a process of its own, so that trials can fork: ``python -m tests.drill.server SOURCE`` prints its address and serves
until its standard input is closed. ``POST /-/fault`` says what goes wrong from now on.
"""

from __future__ import annotations

import http.server
import json
import random
import re
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.drill.ground import SERVED
from tests.rsprep.sources.making import VERSION, make_collection

STATUSES = {"403-expired": 403, "404": 404, "429": 429, "500": 500, "503": 503}
STALL_S = 1.6
FLIPS = {"flipped": 2**30, "flipped-tags": 800}
"""Bytes from the beginning of an answer among which some are turned over."""
WEEKS = 60 * 60


class DrillServer(http.server.ThreadingHTTPServer):
    """The state that requests share: what was asked, and what goes wrong next."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.items: list[dict[str, Any]] = json.loads((root / SERVED / "items.json").read_text())
        self.rasters = {path.name: path.read_bytes() for path in (root / "rasters").iterdir()}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock = threading.Lock()
        self.tokens = 0
        self.tell({})

    def tell(self, fault: dict[str, Any]) -> None:
        """Take a fault: its kind, its stage, which request of the stage, whether it lasts, a seed. Forget the last."""
        with self.lock:
            self.fault, self.seen, self.victim, self.struck = fault, Counter[str](), "", 0

    def fate(self, stage: str, name: str) -> str:
        """What becomes of a request: a kind of fault, or nothing. A lasting one follows the file, or page, it met."""
        with self.lock:
            fault = self.fault
            self.seen[stage] += 1
            if fault.get("stage") != stage:
                return ""
            met = self.seen[stage] == fault["at"] if not self.victim else fault["lasts"] and name == self.victim
            if not met:
                return ""
            self.victim = name
            self.struck += 1
            return str(fault["kind"])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are nothing to report."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: DrillServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/-/seen":
            with self.server.lock:
                told = {**self.server.seen, "struck": self.server.struck}
            self._json(told)
        elif parts.path.startswith("/token/"):
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + WEEKS))
            with self.server.lock:
                self.server.tokens += 1
            self._json({"msft:expiry": moment, "token": f"sp=r&sig=number-{self.server.tokens}"})
        elif parts.path.startswith("/rasters/"):
            self._raster(parts.path.rpartition("/")[2])
        else:
            self._document(parts.path, {key: values[0] for key, values in parse_qs(parts.query).items()})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        if self.path == "/-/fault":
            self.server.tell(body)
            self._json({})
        else:
            self._document(urlsplit(self.path).path, body)

    def log_message(self, *_: object) -> None:
        """Keep the output of trials clean."""

    # -- documents ----------------------------------------------------------------------------

    def _document(self, path: str, asked: dict[str, Any]) -> None:
        page = int(asked.get("token") or 0)
        collections = asked.get("collections") or ""
        name = collections if isinstance(collections, str) else ",".join(collections)
        kind = self.server.fate("search", f"{path} {name} {page}")
        if path == "/search":
            kind = kind or self.server.fate("page", f"{name} {page}")
        document = self._found(name, page) if path == "/search" else self._landing(path)
        if document is None:
            self._send(404, b"no such document")
            return
        if path == "/search":
            _spoil(document, kind)
        self._serve(json.dumps(document).encode(), kind, "application/json")

    def _landing(self, path: str) -> dict[str, Any] | None:
        url, names = self.server.url, sorted({item["collection"] for item in self.server.items})
        if path in ("", "/"):
            links = [
                {"rel": "search", "href": f"{url}/search", "method": "POST", "type": "application/geo+json"},
                {"rel": "data", "href": f"{url}/collections"},
            ]
            conforms = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"]
            whole = {"type": "Catalog", **VERSION, "id": "drill", "description": "drill", "links": links}
            return {**whole, "conformsTo": conforms}
        if path == "/collections":
            return {"collections": [make_collection(name) for name in names], "links": []}
        name = path.removeprefix("/collections/")
        return make_collection(name) if name in names else None

    def _found(self, collection: str, page: int) -> dict[str, Any]:
        """One item a page, so that there are pages to be lost."""
        those = [item for item in self.server.items if item["collection"] == collection]
        item = json.loads(json.dumps(those[page : page + 1]))
        for one in item:
            for asset in one["assets"].values():
                asset["href"] = self.server.url + asset["href"]
        links = []
        if page + 1 < len(those):
            body = {"collections": [collection], "token": str(page + 1)}
            links = [
                {"rel": "next", "href": f"{self.server.url}/search", "method": "POST", "body": body, "merge": True}
            ]
        return {"type": "FeatureCollection", "features": item, "links": links, "numberMatched": len(those)}

    # -- files --------------------------------------------------------------------------------

    def _raster(self, name: str) -> None:
        content = self.server.rasters.get(name)
        if content is None:
            self._send(404)
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "").strip())
        first = int(asked[1]) if asked else 0
        end = min(int(asked[2]) + 1, len(content)) if asked and asked[2] else len(content)
        if first >= len(content):
            self._send(416)
            return
        kind = self.server.fate("header" if first == 0 else "block", name)
        headers = {"ETag": f'"{len(content)}"', "Accept-Ranges": "bytes"}
        if asked:
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(content)}"
        self._serve(content[first:end], kind, "image/tiff", 206 if asked else 200, headers, len(content))

    # -- how it is answered -------------------------------------------------------------------

    def _serve(
        self,
        body: bytes,
        kind: str,
        media: str,
        status: int = 200,
        headers: dict[str, str] | None = None,
        total: int = 0,
    ) -> None:
        headers = {**(headers or {}), "Content-Type": media}
        if kind in STATUSES:
            self._send(STATUSES[kind], b"refused", {"Retry-After": "0"} if kind in ("429", "503") else {})
        elif kind == "reset":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif kind == "html":
            self._send(200, b"<html><body>Please sign in</body></html>", {"Content-Type": "text/html"})
        elif kind == "truncated":
            self._send(status, body[: len(body) // 2], headers, promised=len(body))
            self.close_connection = True
        elif kind == "short":
            first = re.match(r"bytes (\d+)", headers.get("Content-Range", ""))
            half = body[: len(body) // 2]
            if first:
                headers["Content-Range"] = f"bytes {first[1]}-{int(first[1]) + len(half) - 1}/{total}"
            self._send(status, half, headers)
        else:
            if kind == "stall":
                time.sleep(STALL_S)
            self._send(status, self._flipped(body, kind) if kind in FLIPS else body, headers)

    def _flipped(self, body: bytes, kind: str) -> bytes:
        """Some bytes turned over, the same ones for one seed: as a broken memory or a broken proxy does."""
        rng, spoiled = random.Random(self.server.fault.get("seed", 0)), bytearray(body)
        reach = min(len(body), FLIPS[kind])
        for _ in range(max(1, reach // 2000)):
            spoiled[rng.randrange(reach)] ^= rng.randrange(1, 256)
        return bytes(spoiled)

    def _json(self, document: Any) -> None:
        self._send(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _send(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, promised: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _spoil(page: dict[str, Any], kind: str) -> None:
    """What a provider gets wrong in a page that is otherwise fine."""
    if kind == "empty-page":
        page["features"], page["links"] = [], []
    for item in page["features"]:
        assets = item["assets"]
        if kind == "missing-asset":
            del assets[sorted(assets)[0]]
        elif kind == "wrong-proj":
            asset = assets[sorted(assets)[0]]
            asset["proj:transform"] = [
                *asset["proj:transform"][:2],
                asset["proj:transform"][2] + 640.0,
                *asset["proj:transform"][3:],
            ]


def main() -> None:
    """Serve until standard input is closed."""
    server = DrillServer(Path(sys.argv[1]))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    print(server.url, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
