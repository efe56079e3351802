"""Reading over HTTP from a server of our own that misbehaves on demand."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rsprep.errors import ReadError
from rsprep.granule import Asset
from rsprep.reading import ReadPolicy
from tests.rsprep.reading.rasters import landscape, read_window, utm, write

GRID = utm(700_000, 5_400_000, (200, 240))
VALUES = landscape((200, 240))


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.faults: list[str] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        self.server.paths.append(self.path)
        fault = self.server.faults.pop(0) if self.server.faults else "none"
        if fault.isdigit():
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, last = (int(n) for n in asked.groups()) if asked else (0, len(self.server.content) - 1)
        body = self.server.content[first : last + 1]
        body = body[: len(body) // 2] if fault == "short" else body
        self.send_response(206 if asked else 200)
        self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(self.server.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    write(tmp_path / "a.tif", VALUES, GRID, 0, compress="none")
    with Server((tmp_path / "a.tif").read_bytes()) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "faults",
    [
        ["503"],
        ["503", "503", "503"],
        ["none", "503"],
        ["none", "none", "503"],
        ["none", "none", "short"],
        ["none", "none", "none", "short"],
        ["404"],
    ],
    ids="-".join,
)
def test_a_passing_fault_is_survived_on_the_same_url(server: Server, faults: list[str], request: object) -> None:
    """Pitfall 6, and GDAL's memory of failures: without its removal the same URL would fail for ever."""
    server.faults = list(faults)
    pauses: list[float] = []
    asset = Asset(href=f"{server.url}/{'-'.join(faults)}.tif", grid=GRID)
    window = read_window(asset, GRID, nodata=0, dtype="uint16", policy=ReadPolicy(sleep=pauses.append, backoff_s=0.5))
    assert window is not None
    np.testing.assert_array_equal(window.values, VALUES)
    assert pauses == [0.5, 1.0, 2.0][: len(pauses)]


def test_every_attempt_is_signed_anew_and_no_signature_is_kept(server: Server) -> None:
    server.faults = ["403"] * 99
    signed: list[str] = []

    class Signing:
        def sign(self, href: str) -> str:
            signed.append(f"{href}?sig=SECRET{len(signed)}")
            return signed[-1]

        def renew(self, refused: str) -> str:
            return self.sign(refused.partition("?")[0])

    with pytest.raises(ReadError) as caught:
        read_window(
            Asset(href=f"{server.url}/a.tif"), GRID, nodata=0, dtype="uint16", signer=Signing(),
            policy=ReadPolicy(attempts=3, sleep=lambda _: None),
        )  # fmt: skip
    assert len(signed) == 3
    assert {f"SECRET{n}" for n in range(3)} == set(re.findall(r"SECRET\d", " ".join(server.paths)))
    assert "403" in str(caught.value)
    assert "3 attempts" in str(caught.value)
    assert "SECRET" not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
    server.faults = ["403"]
    assert read_window(
        Asset(href=f"{server.url}/a.tif"), GRID, nodata=0, dtype="uint16", signer=Signing(),
        policy=ReadPolicy(sleep=lambda _: None),
    )  # fmt: skip
