"""A real STAC API (rustac) over the items of a static catalog, and a proxy that spoils its answers on demand.

In a test::

    with RangeServer(folder) as files, stac_api(folder / "catalog.json", files.url) as api:
        rsprep.build({..., "endpoint": api})
"""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pystac.utils import make_absolute_href

START_S = 10.0
"""Longest time that the server may take to answer."""
KEPT_LINKS = ("tile-list", "license")


@contextmanager
def stac_api(catalog: Path, files: str) -> Iterator[str]:
    """Address of an API with the collections and items of `catalog`.

    Parameters
    ----------
    catalog : ``catalog.json`` with collections below it, and items below these.
    files : address under which the folder of `catalog` is served; hrefs of assets and of tile lists lead there.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield from _rustac(write_documents(catalog, files, Path(folder)))


def write_documents(catalog: Path, files: str, out: Path) -> list[Path]:
    """The collections and all items of a static catalog as documents that an API is loaded with."""
    root, items, written = catalog.parent, [], []
    for child in _linked(catalog, "child"):
        collection = json.loads(child.read_text())
        links = [link for link in collection["links"] if link["rel"] in KEPT_LINKS]
        collection["links"] = [{**link, "href": _served(link["href"], child, root, files)} for link in links]
        written.append(out / f"{collection['id']}.json")
        written[-1].write_text(json.dumps(collection))
        items += [_loaded(path, root, files) for path in _linked(child, "item")]
    (out / "all-items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return [*written, out / "all-items.json"]


def _loaded(path: Path, root: Path, files: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(path.read_text())
    item["links"] = []
    for asset in item["assets"].values():
        asset["href"] = _served(asset["href"], path, root, files)
        if isinstance(asset.get("nodata"), str):
            del asset["nodata"]  # STAC 1.1 writes "nan"; rustac 0.9.18 refuses to load it
    return item


def _linked(document: Path, rel: str) -> list[Path]:
    links = json.loads(document.read_text())["links"]
    return [(document.parent / link["href"]).resolve() for link in links if link["rel"] == rel]


def _served(href: str, document: Path, root: Path, files: str) -> str:
    place = Path(make_absolute_href(href, str(document.resolve())))
    return f"{files}/{place.relative_to(root.resolve())}"


@contextmanager
def rustac(documents: Sequence[Path]) -> Iterator[str]:
    """Address of a server that was loaded with `documents`: collections, items, or collections of items."""
    yield from _rustac(documents)


def _rustac(documents: Sequence[Path]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [str(Path(sys.executable).parent / "rustac"), "serve", "-a", address, *map(str, documents)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            _await(f"http://{address}", process)
            yield f"http://{address}"
        finally:
            process.kill()


def _await(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            raise RuntimeError(f"rustac ended: {process.stderr.read()}")
        try:
            with urllib.request.urlopen(f"{url}/", timeout=1):  # noqa: S310 - the server that was just started
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise RuntimeError(f"rustac does not answer at {url}")


@dataclass
class Spoiled:
    """A proxy in front of an API; what it does to the next answers of ``/search`` is read from `fates`."""

    api: str
    url: str = ""
    fates: list[Any] = field(default_factory=list)
    """A status, ``error`` (an error body with status 200), ``unlinked`` (no link to the next page), ``fewer`` (one
    item is lost from the page), ``none``. After the last one answers are left as they are."""
    most: int | None = None
    """Searches for more items a page are answered 502, as by a server whose answers may not be large."""
    answered: list[Any] = field(default_factory=list)
    """What became of each search."""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one request."""
        fate: Any = "none"
        if path.startswith("/search"):
            fate = self.fates.pop(0) if self.fates else "none"
            if self.most is not None and json.loads(body)["limit"] > self.most:
                fate = 502
            self.answered.append(fate)
        if isinstance(fate, int):
            return fate, b"busy"
        if fate == "error":
            return 200, json.dumps({"code": "InternalServerError", "description": "statement timeout"}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.api + path, data=body or None, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - rustac on the loopback
                text = response.read().decode().replace(self.api, self.url)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        return 200, (text if fate == "none" else _spoiled(text, fate)).encode()


def _spoiled(text: str, fate: str) -> str:
    page = json.loads(text)
    if fate == "unlinked":
        page["links"] = [link for link in page["links"] if link["rel"] != "next"]
    else:
        page["features"] = page["features"][:-1]
    return json.dumps(page)


@contextmanager
def spoiling(api: str) -> Iterator[Spoiled]:
    """A :class:`Spoiled` in front of the API at `api`."""
    proxy = Spoiled(api)

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, content = proxy.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = respond  # noqa: N815 - names that the base class looks for

        def log_message(self, *args: Any) -> None:
            """Keep the output of the tests readable."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
